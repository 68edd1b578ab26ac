import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  checkContract,
  isPriceOf,
  isWholeLots,
  oppositeOf,
  sideOf,
  signedLike,
  value,
} from '../../src/risk/contract.js';
import { dec } from '../../src/risk/decimal.js';
import { lotsOf, marketOf, priceOf } from './arbitrary.js';
import { buildMarket, text } from './build.js';

const linear = buildMarket({ contractSize: '0.001', sizeStep: '1', priceTick: '0.1' });
const inverse = buildMarket({ payoff: 'INVERSE', contractSize: '100', sizeStep: '2', priceTick: '0.5' });

describe('value', () => {
  it.each([
    ['3', '50000.1', '150.0003'],
    ['-3', '50000.1', '-150.0003'],
  ])('LINEAR: %s contracts at %s are worth %s', (size, price, worth) => {
    expect(text(value(linear, dec(size), dec(price)))).toBe(worth);
  });

  it.each([
    // One lot of 2 · 100 ÷ 30000 = 0.00666…6; three of them.
    ['6', '30000', '-0.019999999999999998'],
    ['-6', '30000', '0.019999999999999998'],
    ['4', '40000', '-0.01'],
  ])('INVERSE: %s contracts at %s are worth %s, lot by lot', (size, price, worth) => {
    expect(text(value(inverse, dec(size), dec(price)))).toBe(worth);
  });

  it('of parts adds up to that of the whole, and lies on the money grid', () => {
    const parts = marketOf('M').chain((market) =>
      fc.tuple(fc.constant(market), priceOf(market), lotsOf(market), lotsOf(market), fc.boolean()),
    );
    fc.assert(
      fc.property(parts, ([market, price, a, b, short]) => {
        const [x, y] = short ? [a.neg(), b.neg()] : [a, b];
        const whole = value(market, x.plus(y), price);
        expect(
          value(market, x, price)
            .plus(value(market, y, price))
            .eq(whole),
        ).toBe(true);
        expect(value(market, x.neg(), price).eq(value(market, x, price).neg())).toBe(true);
        expect(whole.decimalPlaces()).toBeLessThanOrEqual(18);
      }),
    );
  });
});

describe('checkContract', () => {
  const terms = {
    payoff: 'LINEAR',
    contractSize: dec('0.000001'),
    sizeStep: dec('0.000001'),
    priceTick: dec('0.000001'),
  } as const;

  it('takes a linear market whose decimals add up to 18, and an inverse one of any', () => {
    expect(checkContract(terms)).toBeNull();
    expect(checkContract({ ...terms, payoff: 'INVERSE', priceTick: dec('0.000000000000000001') })).toBeNull();
  });

  it('refuses one decimal more in a linear market, and says which it counted', () => {
    const refusal = checkContract({ ...terms, priceTick: dec('0.0000001') });
    expect(refusal).toMatchObject({ code: 'BAD_INPUT', field: 'priceTick' });
    expect(refusal?.message).toContain('add up to 19, more than 18');
  });

  it.each(['contractSize', 'priceTick', 'sizeStep'] as const)('refuses a %s of 0, below 0 or out of range', (field) => {
    for (const x of ['0', '-1', '100000000000000000000', '0.0000000000000000001']) {
      expect(checkContract({ ...terms, payoff: 'INVERSE', [field]: dec(x) })?.field).toBe(field);
    }
  });
});

describe('sizes and prices of a market', () => {
  it('are whole lots', () => {
    expect(
      ['2', '-4', '0', '3', '1.5', '100000000000000000000'].map((size) => isWholeLots(inverse, dec(size))),
    ).toEqual([true, true, false, false, false, false]);
  });

  it('are prices at which values are exact', () => {
    expect(['0.1', '123.4', '0', '-1', '0.11'].map((price) => isPriceOf(linear, dec(price)))).toEqual([
      true,
      true,
      false,
      false,
      false,
    ]);
    expect(isPriceOf(inverse, dec('30000.000000000000000001'))).toBe(true);
  });

  it('have a side', () => {
    expect([sideOf(dec('1')), sideOf(dec('-1')), oppositeOf('LONG'), oppositeOf('SHORT')]).toEqual([
      'LONG',
      'SHORT',
      'SHORT',
      'LONG',
    ]);
    expect([text(signedLike(dec('-7'), dec('3'))), text(signedLike(dec('7'), dec('-3')))]).toEqual(['-3', '3']);
  });
});
