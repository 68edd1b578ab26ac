import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Decimal, GRID, ONE, dec } from '../../src/risk/decimal.js';
import { liquidationDistance, liquidationPrice } from '../../src/risk/liquidation-price.js';
import type { Market } from '../../src/risk/margin.js';
import { bookOf } from './arbitrary.js';
import type { Book } from './arbitrary.js';
import { buildAccount, buildMarket, buildMarks, byId, text, valued } from './build.js';

type Price = typeof liquidationPrice;

const linear = buildMarket({ brackets: [['0', '0.05', '0.1']] });

function priceOf(market: Market, balance: string, position: readonly [string, string], mark: string): string | null {
  const v = valued(buildAccount('a', balance, { M: position }), byId(market), buildMarks({ M: mark }));
  return text(liquidationPrice(v, 'M', market));
}

describe('liquidationPrice', () => {
  it('is where equity = maintenance', () => {
    // 100 + 10p − 1000 = 0.5p
    expect(priceOf(linear, '100', ['10', '1000'], '100')).toBe('94.736842105263157894');
    // 100 + 1000 − 10p = 0.5p
    expect(priceOf(linear, '100', ['-10', '-1000'], '100')).toBe('104.761904761904761904');
    // 1 + 1000/p − 10 = 50/p
    const inverse = buildMarket({ payoff: 'INVERSE', contractSize: '100' });
    expect(priceOf(inverse, '1', ['-10', '10'], '100')).toBe('105.555555555555555555');
  });

  it('is null when no price above 0 is low or high enough', () => {
    expect(priceOf(linear, '1000', ['10', '1000'], '100')).toBeNull();
    expect(priceOf(linear, '1001', ['10', '1000'], '100')).toBeNull();
    expect(priceOf(linear, '-2000', ['-10', '-1000'], '100')).toBeNull();
    expect(priceOf(linear, '5', ['0', '0'], '100')).toBeNull();
  });

  it('is the same wherever the mark is, above or below it', () => {
    expect(priceOf(linear, '100', ['10', '1000'], '50')).toBe('94.736842105263157894');
    expect(priceOf(linear, '100', ['10', '1000'], '5000')).toBe('94.736842105263157894');
  });

  it('finds the bracket that it lies in, and a floor that it lies on', () => {
    const market = buildMarket({
      brackets: [
        ['0', '0.05', '0.1'],
        ['900', '0.1', '0.2'],
      ],
    });
    // The second bracket, 0.1x − 45: 200 + 10p − 1200 = p − 45.
    expect(priceOf(market, '200', ['10', '1200'], '120')).toBe('106.111111111111111111');
    // The first, 0.05x: 400 + 10p − 1200 = 0.5p.
    expect(priceOf(market, '400', ['10', '1200'], '120')).toBe('84.210526315789473684');
    // On the floor: 345 + 900 − 1200 = 45.
    expect(priceOf(market, '345', ['10', '1200'], '120')).toBe('90');
  });

  it('has equity = maintenance at it, to a grid step of the price and of each amount', () => {
    fc.assert(isTheRoot(liquidationPrice), { numRuns: 300 });
  });

  it('would be refused by the same property if it were off by a millionth, or rounded to 12 places', () => {
    const late: Price = (v, id, market) => liquidationPrice(v, id, market)?.times(dec('1.000001')) ?? null;
    const coarse: Price = (v, id, market) =>
      liquidationPrice(v, id, market)?.toDecimalPlaces(12, Decimal.ROUND_DOWN) ?? null;
    expect(fc.check(isTheRoot(late), { numRuns: 300 }).failed).toBe(true);
    expect(fc.check(isTheRoot(coarse), { numRuns: 300 }).failed).toBe(true);
  });
});

describe('liquidationDistance', () => {
  const distanceOf = (balance: string, position: readonly [string, string], mark: string): string | null => {
    const v = valued(buildAccount('a', balance, { M: position }), byId(linear), buildMarks({ M: mark }));
    return text(liquidationDistance(v, 'M', linear));
  };

  it('is a part of the mark, without sign, truncated', () => {
    // Liquidated at 94.736842105263157894, and at 104.761904761904761904.
    expect(distanceOf('100', ['10', '1000'], '100')).toBe('0.052631578947368421');
    expect(distanceOf('100', ['-10', '-1000'], '100')).toBe('0.047619047619047619');
    expect(distanceOf('100', ['10', '1000'], '30')).toBe('2.157894736842105263');
  });

  it('is null without a liquidation price', () => {
    expect(distanceOf('1000', ['10', '1000'], '100')).toBeNull();
  });
});

function isTheRoot(priceFor: Price): fc.IProperty<[Book]> {
  return fc.property(bookOf(3), ({ account, markets, marks }) => {
    const market = markets.get('M0') ?? linear;
    const excessAt = (price: Decimal): Decimal => {
      const v = valued(account, markets, new Map([...marks, ['M0', { price, live: true }]]));
      return v.equity.minus(v.maintenance);
    };
    const v = valued(account, markets, marks);
    const price = priceFor(v, 'M0', market);
    const size = v.positions[0]?.size.abs() ?? ONE;
    const units = size.times(market.contractSize);
    if (price === null) {
      // Equity less maintenance rises or falls throughout: of one sign at both ends, of one sign everywhere.
      const ends = market.payoff === 'LINEAR' ? ['0.000000000000000001', '1000000000'] : ['0.000001', '1000000000'];
      const signs = ends.map((end) => excessAt(dec(end)).isNegative());
      expect(signs[0]).toBe(signs[1]);
      return;
    }
    // The price is cut by less than a step; with rates up to 1, the excess moves at most twice as much as the value does.
    const slope = market.payoff === 'LINEAR' ? units : units.div(price).div(price);
    const lots = market.payoff === 'LINEAR' ? ONE : size.div(market.sizeStep);
    const slack = GRID.times(
      slope
        .times(2)
        .plus(lots.times(2))
        .plus(markets.size + 1),
    );
    expect(excessAt(price).abs().lte(slack)).toBe(true);
  });
}
