import { describe, expect, it } from '@jest/globals';
import { crashLengthMs, crashPath, xrpAt } from '../../src/demo/path.js';
import { CRASH_START } from '../../src/demo/parameters.js';

const path = crashPath(CRASH_START);
const minute = (index: number): string[] => {
  const entry = path[index];
  if (entry === undefined) throw new Error(`no minute ${index}`);
  return [entry.at, ...Object.values(entry.marks).map((mark) => mark.toFixed())];
};

describe('the path of the crash', () => {
  it('is BTC as it was, by minute', () => {
    expect(path).toHaveLength(46);
    expect(crashLengthMs()).toBe(45 * 60_000);
    expect(minute(0)).toEqual(['2025-10-10T21:03:00.000000Z', '114955', '114955', '2.496']);
    expect(minute(14).slice(0, 3)).toEqual(['2025-10-10T21:17:00.000000Z', '108647.2', '108647.2']);
    expect(minute(45)).toEqual(['2025-10-10T21:48:00.000000Z', '114084.3', '114084.3', '2.3251']);
  });

  it('leads XRP from the open to the low to the close, down to a tick', () => {
    // 2.496 − 1.2417 / 18 = 2.42701…; 1.2543 + 1.0708 / 27 = 1.29395…
    expect(xrpAt(1, 45).toFixed()).toBe('2.427');
    expect(xrpAt(18, 45).toFixed()).toBe('1.2543');
    expect(xrpAt(19, 45).toFixed()).toBe('1.2939');
    expect(xrpAt(45, 45).toFixed()).toBe('2.3251');
  });

  it('starts when it is told to', () => {
    const [first] = crashPath('2026-01-02T03:04:05.678901Z');
    expect(first?.at).toBe('2026-01-02T03:04:05.678901Z');
  });

  it('stays within the band from minute to minute', () => {
    for (const [index, { marks }] of path.entries()) {
      const before = path[index - 1]?.marks ?? marks;
      for (const id of ['BTCUSDT', 'XRPUSDT', 'BTCUSD'] as const) {
        expect(marks[id].minus(before[id]).abs().lt(before[id].times('0.1'))).toBe(true);
      }
    }
  });
});
