import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { checkBrackets, initialOf, makeSchedule, maintenanceOf } from '../../src/risk/brackets.js';
import type { Bracket } from '../../src/risk/brackets.js';
import { GRID, dec } from '../../src/risk/decimal.js';
import { decimalText } from './arbitrary.js';
import type { BracketText } from './build.js';
import { text } from './build.js';

const bracketsOf = (...rows: readonly BracketText[]): Bracket[] =>
  rows.map(([floor, maintenanceRate, initialRate]) => ({
    floor: dec(floor),
    maintenanceRate: dec(maintenanceRate),
    initialRate: dec(initialRate),
  }));

const TABLE = bracketsOf(['0', '0.01', '0.02'], ['50000', '0.025', '0.05'], ['150000', '0.05', '0.1']);

describe('a schedule', () => {
  const schedule = makeSchedule(TABLE);

  it('has the deductions that make margins continuous', () => {
    expect(schedule.steps.map((step) => [text(step.maintenanceDeduction), text(step.initialDeduction)])).toEqual([
      ['0', '0'],
      ['750', '1500'],
      ['4500', '9000'],
    ]);
  });

  it.each([
    ['0', '0', '0'],
    ['49999', '499.99', '999.98'],
    ['50000', '500', '1000'],
    ['150000', '3000', '6000'],
    ['200000', '5500', '11000'],
  ])('at a notional of %s asks %s and %s', (notional, maintenance, initial) => {
    expect(text(maintenanceOf(schedule, dec(notional)))).toBe(maintenance);
    expect(text(initialOf(schedule, dec(notional)))).toBe(initial);
  });

  it('rounds a requirement up', () => {
    expect(text(maintenanceOf(schedule, dec('0.000000000000000001')))).toBe('0.000000000000000001');
    expect(text(maintenanceOf(schedule, dec('33.333333333333333333')))).toBe('0.333333333333333334');
  });

  it('never falls, and never asks more of parts than of the whole by more than their rounding', () => {
    const notional = decimalText(6, 18).map(dec);
    fc.assert(
      fc.property(notional, notional, (a, b) => {
        const whole = maintenanceOf(schedule, a.plus(b));
        expect(whole.gte(maintenanceOf(schedule, a))).toBe(true);
        expect(maintenanceOf(schedule, a).plus(maintenanceOf(schedule, b)).lte(whole.plus(GRID))).toBe(true);
        expect(initialOf(schedule, a).gte(maintenanceOf(schedule, a))).toBe(true);
      }),
    );
  });
});

describe('checkBrackets', () => {
  it('takes a table, rates that stay the same, and an initial rate of 1', () => {
    expect(checkBrackets(TABLE)).toBeNull();
    expect(checkBrackets(bracketsOf(['0', '0', '0'], ['1', '0', '1']))).toBeNull();
  });

  it.each<[string, readonly BracketText[]]>([
    ['needs at least one', []],
    ['must begin at 0', [['1', '0.01', '0.02']]],
    [
      'must ascend',
      [
        ['0', '0.01', '0.02'],
        ['5', '0.01', '0.02'],
        ['5', '0.02', '0.04'],
      ],
    ],
    ['must be at least 0 and below 1', [['0', '-0.01', '0.02']]],
    ['must be at least 0 and below 1', [['0', '1', '1']]],
    ['initial rate is below the maintenance rate', [['0', '0.02', '0.01']]],
    ['initial rate is above 1', [['0', '0.02', '1.01']]],
    [
      'maintenance rate is below that of the bracket before',
      [
        ['0', '0.02', '0.04'],
        ['1', '0.01', '0.04'],
      ],
    ],
    [
      'initial rate is below that of the bracket before',
      [
        ['0', '0.02', '0.05'],
        ['1', '0.02', '0.04'],
      ],
    ],
    ['more than 18 decimals', [['0', '0.0000000000000000001', '0.02']]],
    [
      'floor must be below 10^20',
      [
        ['0', '0.01', '0.02'],
        ['100000000000000000000', '0.01', '0.02'],
      ],
    ],
  ])('refuses: %s', (reason, rows) => {
    expect(checkBrackets(bracketsOf(...rows))).toMatchObject({ code: 'BAD_INPUT', field: 'brackets' });
    expect(checkBrackets(bracketsOf(...rows))?.message).toContain(reason);
  });
});
