import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { partOf } from '../../src/risk/bankruptcy.js';
import { signedLike, value } from '../../src/risk/contract.js';
import { Decimal, ZERO, dec, min, sum, truncatedFraction } from '../../src/risk/decimal.js';
import { legPrice, legValue } from '../../src/risk/deleverage.js';
import type { LegPriceInput } from '../../src/risk/deleverage.js';
import { amount, bookOf, lotsOf, marketOf, priceOf } from './arbitrary.js';
import { afterFill, buildMarket, text, valued } from './build.js';

const market = buildMarket();
const inverse = buildMarket({ payoff: 'INVERSE', contractSize: '100' });

function priced(overrides: Partial<LegPriceInput>): (string | boolean | null)[] {
  const price = legPrice({
    market,
    size: dec('10'),
    mark: dec('97'),
    bankruptcyValue: dec('980'),
    fundMayPay: ZERO,
    basis: 'BANKRUPTCY',
    ...overrides,
  });
  return [text(price.deficit), text(price.fundPays), text(price.value), price.clamped];
}

describe('legPrice', () => {
  it('is the bankruptcy value when the fund has nothing, less what it pays otherwise, and the mark when it pays all', () => {
    expect(priced({})).toEqual(['10', '0', '980', false]);
    expect(priced({ fundMayPay: dec('4') })).toEqual(['10', '4', '976', false]);
    expect(priced({ fundMayPay: dec('10') })).toEqual(['10', '10', '970', false]);
    expect(priced({ fundMayPay: dec('99') })).toEqual(['10', '10', '970', false]);
  });

  it('is the mark under the basis MARK, whatever the fund pays', () => {
    expect(priced({ basis: 'MARK' })).toEqual(['10', '0', '970', false]);
    expect(priced({ basis: 'MARK', fundMayPay: dec('4') })).toEqual(['10', '4', '970', false]);
  });

  it('of a short is paid by the bankrupt: less negative when the fund has nothing', () => {
    expect(priced({ size: dec('-10'), mark: dec('103'), bankruptcyValue: dec('-1020') })).toEqual([
      '10',
      '0',
      '-1020',
      false,
    ]);
    expect(priced({ size: dec('-10'), mark: dec('103'), bankruptcyValue: dec('-1020'), fundMayPay: dec('4') })).toEqual(
      ['10', '4', '-1024', false],
    );
  });

  it('stops at mark · (1 ± maxDeviation), rounded toward the mark', () => {
    expect(priced({ bankruptcyValue: dec('1067') })).toEqual(['97', '0', '1067', false]);
    expect(priced({ bankruptcyValue: dec('1067.000000000000000001') })).toEqual([
      '97.000000000000000001',
      '0',
      '1067',
      true,
    ]);
    expect(priced({ size: dec('-10'), bankruptcyValue: dec('-800') })).toEqual(['170', '0', '-873', true]);
    const odd = buildMarket({ maxDeviation: '0.333333333333333333' });
    expect(priced({ market: odd, bankruptcyValue: dec('9999') })[2]).toBe('1293.33333333333333301');
    // 100 ÷ 110 a contract, cut at 18 places, ten times.
    expect(priced({ market: inverse, mark: dec('100'), bankruptcyValue: dec('-5') })).toEqual([
      '5',
      '0',
      '-9.0909090909090909',
      true,
    ]);
    expect(priced({ market: inverse, size: dec('-10'), mark: dec('100'), bankruptcyValue: dec('15') })[2]).toBe(
      '11.11111111111111111',
    );
  });

  it('is never below what the mark is worth by more than maxDeviation either', () => {
    expect(priced({ bankruptcyValue: dec('500') })).toEqual(['0', '0', '873', true]);
  });

  const inputs = marketOf('M').chain((m) =>
    fc.record({
      market: fc.constant(m),
      size: fc.tuple(lotsOf(m), fc.boolean()).map(([size, long]) => (long ? size : size.neg())),
      mark: priceOf(m),
      shift: fc.integer({ min: 0, max: 200 }),
      odd: amount,
      fund: fc.integer({ min: 0, max: 100 }),
    }),
  );

  it('pays no more than the deficit or the fund, and lies between the mark and the bankruptcy value, within the deviation', () => {
    fc.assert(
      fc.property(inputs, ({ market: m, size, mark, shift, odd, fund }) => {
        const atMark = value(m, size, mark);
        const gap = atMark
          .abs()
          .times(shift)
          .times(dec('0.001'))
          .toDecimalPlaces(18)
          .plus(odd.abs().times(dec('0.000001')).toDecimalPlaces(18));
        const bankruptcyValue = atMark.plus(gap);
        const fundMayPay = atMark.abs().times(fund).times(dec('0.001')).toDecimalPlaces(18);
        const price = legPrice({ market: m, size, mark, bankruptcyValue, fundMayPay, basis: 'BANKRUPTCY' });
        expect(price.deficit.eq(gap)).toBe(true);
        expect(price.fundPays.eq(min(gap, fundMayPay))).toBe(true);
        expect(price.value.gte(atMark) && price.value.lte(bankruptcyValue.minus(price.fundPays))).toBe(true);
        expect(price.value.decimalPlaces()).toBeLessThanOrEqual(18);
        const limit = mark.times(size.isNegative() ? dec('0.9') : dec('1.1'));
        expect(price.value.lte(value(m, size, limit))).toBe(true);
        expect(price.clamped).toBe(!price.value.eq(bankruptcyValue.minus(price.fundPays)));
      }),
    );
  });
});

describe('legValue', () => {
  it('rounds over the cumulative size, up', () => {
    const legs = [1, 1, 1].map((_, k) => text(legValue(dec('100'), dec('3'), dec(`${k}`), dec('1'))));
    expect(legs).toEqual(['33.333333333333333334', '33.333333333333333333', '33.333333333333333333']);
  });

  type LegValue = typeof legValue;

  /** However a position is cut, its legs add up to its value, and none is a grid step from its exact part. */
  function addsUp(legOf: LegValue): fc.IProperty<[Decimal, boolean, number[]]> {
    return fc.property(
      amount,
      fc.boolean(),
      fc.array(fc.integer({ min: 1, max: 1_000 }), { minLength: 1, maxLength: 9 }),
      (worth, long, cuts) => {
        const parts = cuts.map((cut) => dec(`${cut}`));
        const size = long ? sum(parts) : sum(parts).neg();
        let closed: Decimal = ZERO;
        const legs = parts.map((part) => {
          const leg = legOf(worth, size, closed, part);
          closed = closed.plus(part);
          return leg;
        });
        expect(sum(legs).toFixed()).toBe(worth.toFixed());
        legs.forEach((leg, k) => {
          const exact = worth.times(parts[k] ?? ZERO);
          expect(
            leg
              .times(size.abs())
              .minus(exact)
              .abs()
              .lt(size.abs().times(dec('0.000000000000000001'))),
          ).toBe(true);
        });
      },
    );
  }

  it('adds up exactly, however the position is cut', () => {
    fc.assert(addsUp(legValue), { numRuns: 300 });
  });

  it.each<[string, LegValue]>([
    [
      'leg by leg, half-even',
      (worth, size, _closed, leg) => worth.times(leg).div(size.abs()).toDecimalPlaces(18, Decimal.ROUND_HALF_EVEN),
    ],
    ['leg by leg, up', (worth, size, _closed, leg) => partOf(worth, leg, size)],
    ['from a truncated unit price', (worth, size, _closed, leg) => truncatedFraction(worth, size.abs()).times(leg)],
    [
      'with a division of 20 digits',
      (worth, size, closed, leg) => {
        const Short = Decimal.clone({ precision: 20 });
        const upTo = (cum: Decimal): Decimal =>
          new Decimal(
            new Short(worth)
              .times(cum.toFixed())
              .div(size.abs().toFixed())
              .toDecimalPlaces(18, Decimal.ROUND_CEIL)
              .toFixed(),
          );
        return upTo(closed.plus(leg)).minus(upTo(closed));
      },
    ],
  ])('would be refused by the same property if legs were rounded %s', (_name, wrong) => {
    expect(fc.check(addsUp(wrong), { numRuns: 300 }).failed).toBe(true);
  });
});

describe('a leg', () => {
  const cases = bookOf(3).chain((book) => fc.tuple(fc.constant(book), fc.integer({ min: 1, max: 100 })));

  it('at mark changes nobody’s equity, and asks no more margin of anybody', () => {
    fc.assert(
      fc.property(cases, ([{ account, markets, marks }, percent]) => {
        const before = valued(account, markets, marks);
        const held = account.positions.get('M0')?.size ?? ZERO;
        const m = markets.get('M0') ?? market;
        const lots = held.abs().div(m.sizeStep).times(percent).times(dec('0.01')).ceil();
        const leg = lots.times(m.sizeStep);
        // The bankrupt's side is the opposite of the account's: its whole position of the same size at mark.
        const bankrupt = held.neg();
        const worth = legValue(value(m, bankrupt, marks.get('M0')?.price ?? ZERO), bankrupt, ZERO, leg);
        const after = valued(afterFill(account, 'M0', signedLike(bankrupt, leg), worth), markets, marks);
        expect(after.equity.toFixed()).toBe(before.equity.toFixed());
        expect(after.maintenance.lte(before.maintenance)).toBe(true);
      }),
    );
  });
});
