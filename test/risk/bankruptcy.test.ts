import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { bankruptcyPrice, bankruptcyValues, partOf } from '../../src/risk/bankruptcy.js';
import { signedLike } from '../../src/risk/contract.js';
import { Decimal, GRID, ZERO, ceilFraction, dec, truncatedFraction } from '../../src/risk/decimal.js';
import { weights } from '../../src/risk/margin.js';
import type { AccountValuation } from '../../src/risk/margin.js';
import { amount, bookOf, plainMarketOf } from './arbitrary.js';
import type { Book } from './arbitrary.js';
import { afterFill, at, buildAccount, buildMarket, buildMarks, byId, text, valued } from './build.js';

type Values = (v: AccountValuation) => ReadonlyMap<string, Decimal>;

/** Cash of the account once every position is closed for its value. */
function cashAfterClosingAll({ account }: Book, values: ReadonlyMap<string, Decimal>): Decimal {
  let left = account;
  for (const [marketId, { size }] of account.positions) {
    left = afterFill(left, marketId, size.neg(), (values.get(marketId) ?? ZERO).neg());
  }
  return left.balance;
}

/** Closing every position for its bankruptcy value leaves exactly 0. */
function leavesNothing(values: Values): fc.IProperty<[Book]> {
  return fc.property(bookOf(5), (book) => {
    const v = valued(book.account, book.markets, book.marks);
    expect(cashAfterClosingAll(book, values(v)).toFixed()).toBe('0');
  });
}

/** Each share rounded by itself, instead of one rounding that runs over all. */
function roundedOneByOne(round: (n: Decimal, d: Decimal) => Decimal): Values {
  return (v) =>
    new Map(
      v.positions.map((position, k) => {
        const { n, d } = weights(v)(k);
        return [position.marketId, position.value.minus(round(v.equity.times(n), d))];
      }),
    );
}

describe('bankruptcyValues', () => {
  it('leave exactly 0 when every position is closed for its own', () => {
    fc.assert(leavesNothing(bankruptcyValues), { numRuns: 300 });
  });

  it.each([
    ['half-even, one by one', (n: Decimal, d: Decimal) => n.div(d).toDecimalPlaces(18, Decimal.ROUND_HALF_EVEN)],
    ['truncated, one by one', truncatedFraction],
    ['up, one by one', ceilFraction],
  ])('would not if shares were rounded %s: the same property refuses it', (_name, round) => {
    expect(fc.check(leavesNothing(roundedOneByOne(round)), { numRuns: 300 }).failed).toBe(true);
  });

  it('divide equity by maintenance, in market id order', () => {
    const markets = ['A', 'B', 'C'].map((id) => buildMarket({ id }));
    const account = buildAccount('a', '-100', { C: ['1', '100'], A: ['1', '100'], B: ['-1', '-100'] });
    const v = valued(account, byId(...markets), buildMarks({ A: '100', B: '100', C: '100' }));
    // −100 in three: cumulatively down, −33.33…4, −66.66…7, −100.
    expect([...bankruptcyValues(v)].map(([id, x]) => [id, x.toFixed()])).toEqual([
      ['A', '133.333333333333333334'],
      ['B', '-66.666666666666666667'],
      ['C', '133.333333333333333333'],
    ]);
  });

  it('inside one bracket leave equity ÷ maintenance no worse when any part is closed for its part of them', () => {
    const books = bookOf(3, plainMarketOf).chain((book) =>
      fc.tuple(fc.constant(book), fc.integer({ min: 1, max: 100 }), fc.nat({ max: 2 })),
    );
    fc.assert(
      fc.property(books, ([{ account, markets, marks }, percent, which]) => {
        const before = valued(account, markets, marks);
        fc.pre(before.equity.gt(0));
        const position = at(before.positions, which % before.positions.length);
        const market = markets.get(position.marketId) ?? buildMarket();
        const lots = position.size.abs().div(market.sizeStep).times(percent).times(dec('0.01')).ceil();
        const closed = lots.times(market.sizeStep);
        const worth = partOf(bankruptcyValues(before).get(position.marketId) ?? ZERO, closed, position.size);
        const account2 = afterFill(account, position.marketId, signedLike(position.size, closed).neg(), worth.neg());
        const after = valued(account2, markets, marks);
        // A share may have one grid step more than its exact part, and each requirement is rounded up by itself.
        const equity = after.equity.plus(GRID);
        const maintenance = after.maintenance.minus(GRID.times(before.positions.length));
        expect(equity.times(before.maintenance).gte(before.equity.times(maintenance))).toBe(true);
        expect(after.equity.gte(0)).toBe(true);
      }),
    );
  });
});

describe('partOf', () => {
  it('rounds up, whatever the sign, and is the whole for the whole', () => {
    expect(text(partOf(dec('100'), dec('1'), dec('-3')))).toBe('33.333333333333333334');
    expect(text(partOf(dec('-100'), dec('1'), dec('3')))).toBe('-33.333333333333333333');
    fc.assert(fc.property(amount, amount, (worth, size) => size.isZero() || partOf(worth, size.abs(), size).eq(worth)));
  });
});

describe('bankruptcyPrice', () => {
  const linear = buildMarket();
  const inverse = buildMarket({ payoff: 'INVERSE', contractSize: '100' });

  it('is where the position is worth its bankruptcy value', () => {
    expect(text(bankruptcyPrice(linear, dec('10'), dec('980')))).toBe('98');
    expect(text(bankruptcyPrice(linear, dec('-10'), dec('-1020')))).toBe('102');
    expect(text(bankruptcyPrice(inverse, dec('10'), dec('-0.03')))).toBe('33333.333333333333333333');
  });

  it('is null when the account could lose it all, or no price is low or high enough', () => {
    expect(bankruptcyPrice(linear, dec('10'), dec('0'))).toBeNull();
    expect(bankruptcyPrice(linear, dec('10'), dec('-1'))).toBeNull();
    expect(bankruptcyPrice(inverse, dec('-10'), dec('-0.01'))).toBeNull();
    expect(bankruptcyPrice(inverse, dec('10'), dec('0'))).toBeNull();
  });
});
