import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { doAt } from '../../../src/graphql/live/alarm.js';

const DAY_MS = 86_400_000;

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

it.each([0, 1, 24, 25, 90, 1000])('an alarm %d days away goes off then, and once', (days) => {
  const work = jest.fn();
  doAt(Date.now() + days * DAY_MS, work);
  jest.advanceTimersByTime(Math.max(0, days * DAY_MS - 1));
  expect(work).toHaveBeenCalledTimes(days === 0 ? 1 : 0);
  jest.advanceTimersByTime(1);
  expect(work).toHaveBeenCalledTimes(1);
  jest.advanceTimersByTime(100 * DAY_MS);
  expect(work).toHaveBeenCalledTimes(1);
});

it('one that is called off does not, though it was set anew meanwhile', () => {
  const work = jest.fn();
  const callOff = doAt(Date.now() + 60 * DAY_MS, work);
  jest.advanceTimersByTime(30 * DAY_MS);
  callOff();
  jest.advanceTimersByTime(60 * DAY_MS);
  expect(work).not.toHaveBeenCalled();
});

it('one of the past goes off at once', () => {
  const work = jest.fn();
  doAt(Date.now() - DAY_MS, work);
  jest.advanceTimersByTime(0);
  expect(work).toHaveBeenCalledTimes(1);
});
