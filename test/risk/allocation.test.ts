import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { allocate } from '../../src/risk/allocation.js';
import type { Candidate } from '../../src/risk/allocation.js';
import { ONE, ZERO, dec, min, sum } from '../../src/risk/decimal.js';
import type { Decimal } from '../../src/risk/decimal.js';
import type { AllocationName } from '../../src/risk/margin.js';
import { decimalText } from './arbitrary.js';
import { at } from './build.js';

/** [cap, weight, size = cap] of a, b, c, … in rank order. */
function legs(
  name: AllocationName,
  quantity: string,
  rows: readonly (readonly [string, string, string?])[],
  step = '1',
): string {
  const candidates = rows.map(([cap, weight, size], k) => ({
    accountId: 'abcdefgh'.charAt(k),
    cap: dec(cap),
    weight: dec(weight),
    size: dec(size ?? cap),
  }));
  return allocate(name, dec(quantity), candidates, dec(step))
    .map(({ accountId, size }) => `${accountId} ${size.toFixed()}`)
    .join(', ');
}

describe('QUEUE', () => {
  it('takes in rank order, each whole but the last', () => {
    expect(
      legs('QUEUE', '25', [
        ['10', '0'],
        ['10', '0'],
        ['10', '0'],
      ]),
    ).toBe('a 10, b 10, c 5');
    expect(
      legs('QUEUE', '10', [
        ['10', '0'],
        ['10', '0'],
      ]),
    ).toBe('a 10');
    expect(
      legs('QUEUE', '99', [
        ['10', '0'],
        ['0', '0', '7'],
        ['10', '0'],
      ]),
    ).toBe('a 10, c 10');
  });

  it('floors a cap to lots, but takes a whole position as it is', () => {
    expect(
      legs('QUEUE', '20', [
        ['7.5', '0', '9'],
        ['2.5', '0'],
        ['20', '0'],
      ]),
    ).toBe('a 7, b 2.5, c 10.5');
  });
});

describe('PRO_RATA', () => {
  it('divides by profit', () => {
    expect(
      legs('PRO_RATA', '12', [
        ['100', '1'],
        ['100', '2'],
        ['100', '3'],
      ]),
    ).toBe('a 2, b 4, c 6');
  });

  it('gives what does not fit to the others, in proportion', () => {
    // c is full at 2; 10 is left for 1 : 2 and b is full at 5.
    expect(
      legs('PRO_RATA', '12', [
        ['100', '1'],
        ['5', '2'],
        ['2', '3'],
      ]),
    ).toBe('a 5, b 5, c 2');
  });

  it('gives odd lots to the largest remainders, ties by rank', () => {
    // 3.33… each: the first in rank has the odd one.
    expect(
      legs('PRO_RATA', '10', [
        ['9', '1'],
        ['9', '1'],
        ['9', '1'],
      ]),
    ).toBe('a 4, b 3, c 3');
    // 1.25, 2.5, 6.25
    expect(
      legs('PRO_RATA', '10', [
        ['9', '1'],
        ['9', '2'],
        ['9', '5'],
      ]),
    ).toBe('a 1, b 3, c 6');
  });

  it('comes to those without profit last, by rank', () => {
    expect(
      legs('PRO_RATA', '10', [
        ['5', '0'],
        ['4', '1'],
        ['3', '2'],
      ]),
    ).toBe('a 3, b 4, c 3');
    expect(
      legs('PRO_RATA', '6', [
        ['5', '0'],
        ['4', '1'],
        ['3', '2'],
      ]),
    ).toBe('b 3, c 3');
    expect(
      legs('PRO_RATA', '6', [
        ['5', '0'],
        ['4', '0'],
      ]),
    ).toBe('a 5, b 1');
  });
});

const NAMES: readonly AllocationName[] = ['QUEUE', 'PRO_RATA'];

const cases = fc.constantFrom('1', '0.001', '0.5', '3').chain((step) => {
  const lots = fc.integer({ min: 0, max: 60 }).map((n) => dec(step).times(n));
  const weight = fc.oneof(decimalText(3, 18).map(dec), fc.constantFrom(ZERO, ONE, dec('0.000000000000000001')));
  const candidate = fc.tuple(lots, lots, fc.boolean(), weight).map(([size, part, whole, w]) => ({
    // An odd cap is a margin's doing; it is cut to lots.
    cap: whole ? size : min(size, part.plus(dec(step).times(dec('0.37')))),
    weight: w,
    size,
  }));
  return fc.record({
    step: fc.constant(dec(step)),
    quantity: fc.integer({ min: 0, max: 400 }).map((n) => dec(step).times(n)),
    candidates: fc
      .array(candidate, { maxLength: 10 })
      .map((list) => list.map((each, k): Candidate => ({ ...each, accountId: `a${k}` }))),
  });
});

function capOf({ cap, size }: Candidate, step: Decimal): Decimal {
  return cap.eq(size) ? cap : cap.dividedToIntegerBy(step).times(step);
}

describe.each(NAMES)('allocate by %s', (name) => {
  it('gives whole lots within caps that add up to min(quantity, Σ caps), in rank order', () => {
    fc.assert(
      fc.property(cases, ({ step, quantity, candidates }) => {
        const result = allocate(name, quantity, candidates, step);
        const caps = new Map(candidates.map((each) => [each.accountId, capOf(each, step)]));
        for (const { accountId, size } of result) {
          expect(size.gt(0) && size.lte(caps.get(accountId) ?? ZERO)).toBe(true);
          expect(size.mod(step).isZero()).toBe(true);
        }
        expect(sum(result.map(({ size }) => size)).eq(min(quantity, sum(caps.values())))).toBe(true);
        const ranks = result.map(({ accountId }) => candidates.findIndex((each) => each.accountId === accountId));
        expect(ranks).toEqual([...ranks].sort((a, b) => a - b));
      }),
    );
  });
});

describe('allocate', () => {
  it('by QUEUE gives every leg but the last its cap, and touches nobody behind an untouched one', () => {
    fc.assert(
      fc.property(cases, ({ step, quantity, candidates }) => {
        const result = allocate('QUEUE', quantity, candidates, step);
        const able = candidates.filter((each) => !capOf(each, step).isZero());
        expect(result.map(({ accountId }) => accountId)).toEqual(
          able.slice(0, result.length).map((each) => each.accountId),
        );
        result.slice(0, -1).forEach(({ size }, k) => {
          expect(size.eq(capOf(at(able, k), step))).toBe(true);
        });
      }),
    );
  });

  it('by PRO_RATA gives nobody under its cap a lot less than its part of the common level', () => {
    fc.assert(
      fc.property(cases, ({ step, quantity, candidates }) => {
        const given = new Map(
          allocate('PRO_RATA', quantity, candidates, step).map(({ accountId, size }) => [accountId, size]),
        );
        const weighted = candidates.filter(({ weight }) => weight.gt(0));
        // Pairwise: when x could still take a lot, nobody has a lot more per weight than x has.
        for (const x of weighted) {
          const own = given.get(x.accountId) ?? ZERO;
          if (own.gte(capOf(x, step))) continue;
          for (const y of weighted) {
            const other = given.get(y.accountId) ?? ZERO;
            if (other.lt(step)) continue;
            expect(other.minus(step).times(x.weight).lte(own.plus(step).times(y.weight))).toBe(true);
          }
        }
        // And those without profit are reached only when all with profit are full.
        const full = weighted.every((each) => (given.get(each.accountId) ?? ZERO).eq(capOf(each, step)));
        const reached = candidates.some((each) => each.weight.isZero() && given.has(each.accountId));
        expect(reached && !full).toBe(false);
      }),
    );
  });

  it('does not depend on the unit that profit is counted in', () => {
    fc.assert(
      fc.property(cases, ({ step, quantity, candidates }) => {
        const scaled = candidates.map((each) => ({ ...each, weight: each.weight.times('12345.678') }));
        const shape = (list: readonly Candidate[]): string[] =>
          allocate('PRO_RATA', quantity, list, step).map(({ accountId, size }) => `${accountId} ${size.toFixed()}`);
        expect(shape(scaled)).toEqual(shape(candidates));
      }),
    );
  });
});
