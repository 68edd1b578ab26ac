import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Book } from '../../src/book/book.js';
import type { NearPosition } from '../../src/book/near-liquidation.js';
import { dec, GRID } from '../../src/risk/decimal.js';
import type { Account } from '../../src/risk/margin.js';
import { columnBookOf, PlainBook, type WholeState } from '../support/plain-book.js';
import { unequalBook } from '../support/unequal-book.js';
import { wholeState } from '../support/whole-state.js';

interface Twin {
  readonly scale: number;
  readonly grains: number;
}

/**
 * Each account several times, as a whole so many times as large and a few grains richer or poorer: where one rate holds
 * throughout they are equally far from liquidation, or so nearly that no double can tell.
 */
function withTwins(state: WholeState, twins: readonly Twin[]): WholeState {
  const accounts = [...state.accounts.values()].flatMap((account) =>
    twins.map(({ scale, grains }, k): Account => ({
      ...account,
      id: `${account.id}-${k}`,
      balance: account.balance.times(scale).plus(GRID.times(grains)),
      positions: new Map(
        [...account.positions].map(([id, { size, cost }]) => [
          id,
          { size: size.times(scale), cost: cost.times(scale) },
        ]),
      ),
    })),
  );
  return { ...state, accounts: new Map(accounts.map((account) => [account.id, account])), lastStatuses: new Map() };
}

const twin = fc.record({
  scale: fc.integer({ min: 1, max: 50 }),
  grains: fc.tuple(fc.integer({ min: -40, max: 40 }), fc.nat({ max: 8 })).map(([grain, power]) => grain * 10 ** power),
});
const twins = fc.array(twin, { minLength: 2, maxLength: 5 });

const tell = ({ accountId, marketId, distance }: NearPosition): string =>
  `${accountId} ${marketId} ${distance?.toFixed() ?? '-'}`;
const all = (book: Book, markets?: readonly string[], after?: NearPosition): string[] =>
  [...book.nearLiquidation(markets ?? book.markets.keys(), after)].map(tell);

describe('positions by distance to liquidation', () => {
  it('stand in the order that risk gives, however near to each other they are', () => {
    fc.assert(
      fc.property(unequalBook, twins, (book, by) => {
        const state = withTwins(wholeState(book), by);
        expect(all(columnBookOf(state))).toEqual(all(new PlainBook(state)));
      }),
      { numRuns: 200 },
    );
  });

  it('would not if the error bounds were too small', () => {
    const broken = fc.check(
      fc.property(unequalBook, twins, (book, by) => {
        const state = withTwins(wholeState(book), by);
        expect(all(columnBookOf(state, 1e-6))).toEqual(all(new PlainBook(state)));
      }),
      { numRuns: 1000, seed: 1, endOnFailure: true },
    );
    expect(broken.failed).toBe(true);
  });

  it('go on behind any of them, and behind one that is there no more, in any choice of markets', () => {
    fc.assert(
      fc.property(unequalBook, twins, fc.nat({ max: 7 }), fc.nat({ max: 200 }), (book, by, choice, pick) => {
        const state = withTwins(wholeState(book), by);
        const [columns, plain] = [columnBookOf(state), new PlainBook(state)];
        const markets = [...state.markets.keys(), 'none'].filter((_, k) => ((choice >> k) & 1) === 0);
        expect(all(columns, markets)).toEqual(all(plain, markets));
        const places = [...plain.nearLiquidation(state.markets.keys())];
        const after = places[pick % Math.max(1, places.length)];
        if (after === undefined) return;
        expect(all(columns, markets, after)).toEqual(all(plain, markets, after));
        const gone = { ...after, accountId: `${after.accountId}!`, distance: after.distance?.plus(GRID) ?? null };
        expect(all(columns, markets, gone)).toEqual(all(plain, markets, gone));
      }),
      { numRuns: 150 },
    );
  });

  it('have the distance that their price says', () => {
    const [book] = fc.sample(unequalBook, { numRuns: 1, seed: 7 });
    if (book === undefined) throw new Error('no sample');
    const state = wholeState(book);
    const distances = [...columnBookOf(state).nearLiquidation(state.markets.keys())].map(({ distance }) => distance);
    const known = distances.filter((distance) => distance !== null);
    expect(known.every((distance) => distance.gte(dec('0')))).toBe(true);
    expect(known).toEqual([...known].sort((a, b) => a.cmp(b)));
    expect(distances.slice(known.length).every((distance) => distance === null)).toBe(true);
  });
});
