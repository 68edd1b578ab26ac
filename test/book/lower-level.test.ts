import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Book } from '../../src/book/book.js';
import { sideOf, signedLike, value } from '../../src/risk/contract.js';
import { AMOUNT_LIMIT, dec, GRID, max, ONE, ZERO, type Decimal } from '../../src/risk/decimal.js';
import { lowerLevels, type LevelSuggestion } from '../../src/risk/lower-level.js';
import type { Account } from '../../src/risk/margin.js';
import { fill } from '../../src/risk/position.js';
import { columnBookOf } from '../support/plain-book.js';
import { unequalBook, type UnequalBook } from '../support/unequal-book.js';
import { wholeState } from '../support/whole-state.js';

/** The account after it traded so much against its position at mark, and had so much paid in. */
function after(book: Book, account: Account, marketId: string, reduced: Decimal, paidIn: Decimal): Account {
  const [market, mark, held] = [book.markets.get(marketId), book.marks.get(marketId), account.positions.get(marketId)];
  if (market === undefined || mark === undefined || held === undefined) throw new Error('no position with a price');
  const traded = signedLike(held.size, reduced).neg();
  const { holding, realizedPnl } = fill(held, traded, value(market, traded, mark.price));
  const positions = new Map(account.positions).set(marketId, holding);
  return { ...account, balance: account.balance.plus(realizedPnl).plus(paidIn), positions };
}

interface Ranked {
  readonly account: Account;
  readonly marketId: string;
  readonly level: number;
  /** The level after so much; 6: none. */
  readonly levelWith: (reduced: Decimal, paidIn: Decimal) => number;
  readonly suggested: readonly LevelSuggestion[];
}

function* rankedOf(book: Book & { with(accounts: Iterable<Account>): Book }): Iterable<Ranked> {
  for (const id of book.accountIds()) {
    const account = book.account(id);
    if (account === undefined) continue;
    for (const [marketId, { size }] of account.positions) {
      const indicator = book.indicator(id, marketId);
      if (indicator?.state !== 'RANKED') continue;
      const { markets, marks, venue } = book;
      yield {
        ...{ account, marketId, level: indicator.level },
        levelWith: (reduced, paidIn) => {
          const changed = book.with([after(book, account, marketId, reduced, paidIn)]).indicator(id, marketId);
          return changed?.state === 'RANKED' ? changed.level : 6;
        },
        suggested: lowerLevels({
          ...{ account, marketId, markets, marks, venue },
          ranking: book.ranking(marketId, sideOf(size)),
        }),
      };
    }
  }
}

const marginOf = (
  suggested: readonly LevelSuggestion[],
): Extract<LevelSuggestion, { action: 'ADD_MARGIN' }> | undefined =>
  suggested.find((one) => one.action === 'ADD_MARGIN');
const reductionOf = (
  suggested: readonly LevelSuggestion[],
): Extract<LevelSuggestion, { action: 'REDUCE_BY' }> | undefined => suggested.find((one) => one.action === 'REDUCE_BY');

/** Sizes of few steps, so that every reduction can be tried, in brackets where less of a position may mean more leverage. */
const steps = fc.integer({ min: 1, max: 24 }).map(String);
const cents = fc
  .integer({ min: 0, max: 9999 })
  .map((n) => `${Math.floor(n / 100)}.${String(n % 100).padStart(2, '0')}`);
const denseBook: fc.Arbitrary<UnequalBook> = fc
  .record({
    score: fc.constantFrom('LEVERAGED_RETURN' as const, 'ACCOUNT_RETURN' as const),
    stale: fc.constantFrom(true, false, false),
    sides: fc.array(fc.record({ own: steps, other: steps, balance: cents, own1: cents, isShort: fc.boolean() }), {
      minLength: 3,
      maxLength: 9,
    }),
  })
  .map(({ score, stale, sides }) => {
    const terms = {
      ...({ payoff: 'LINEAR', assetId: 'USDT', contractSize: '1', priceTick: '0.01', sizeStep: '1' } as const),
      ...({ status: 'ACTIVE', price: '10', score } as const),
    };
    return {
      venue: { warning: '0.66', call: '0.80', staleShare: '0.5' },
      markets: [
        {
          ...terms,
          id: 'a',
          isStale: false,
          brackets: [
            ['0', '0.01', '0.02'],
            ['50', '0.05', '0.1'],
            ['120', '0.4', '0.5'],
          ],
        },
        {
          ...terms,
          id: 'B',
          isStale: stale,
          brackets: [
            ['0', '0.05', '0.1'],
            ['100', '0.2', '0.3'],
          ],
        },
      ],
      accounts: sides.map(({ own, other, balance, own1, isShort }, k) => {
        const sign = isShort ? '-' : '';
        return {
          ...{ id: `t${String(k)}`, assetId: 'USDT', kind: 'TRADER' as const, balance },
          positions: [
            ['a', own, dec(own).times(dec(own1)).dividedToIntegerBy(ONE.times(10)).toFixed()],
            ...(k % 3 === 2 ? [] : [['B', `${sign}${other}`, `${sign}${dec(other).times(10).toFixed()}`]]),
          ] as [string, string, string][],
        };
      }),
    };
  });

describe('what brings a position to a lower level', () => {
  it('gives the level that it promises, and one step less does not', () => {
    let seen = 0;
    fc.assert(
      fc.property(fc.oneof(unequalBook, denseBook), (plan) => {
        const book = columnBookOf(wholeState(plan));
        for (const { suggested, level, levelWith, marketId } of rankedOf(book)) {
          for (const one of suggested) {
            seen++;
            const step = one.action === 'REDUCE_BY' ? (book.markets.get(marketId)?.sizeStep ?? ZERO) : GRID;
            const by = one.action === 'REDUCE_BY' ? one.size : one.amount;
            const levelBy = (x: Decimal): number =>
              one.action === 'REDUCE_BY' ? levelWith(x, ZERO) : levelWith(ZERO, x);
            expect(one.level).toBeLessThan(level);
            expect([one.action, by.toFixed(), levelBy(by)]).toEqual([one.action, by.toFixed(), one.level]);
            expect(levelBy(by.minus(step))).toBeGreaterThanOrEqual(level);
          }
        }
      }),
      { numRuns: 150 },
    );
    expect(seen).toBeGreaterThan(200);
  });

  it('is the smallest reduction of all, or none where none would do', () => {
    const found = { some: 0, none: 0 };
    fc.assert(
      fc.property(denseBook, (plan) => {
        const book = columnBookOf(wholeState(plan));
        for (const { suggested, level, levelWith, account, marketId } of rankedOf(book)) {
          const size = account.positions.get(marketId)?.size.abs() ?? ZERO;
          let least: string | undefined;
          for (let by: Decimal = ONE; by.lt(size) && least === undefined && level > 1; by = by.plus(ONE))
            if (levelWith(by, ZERO) < level) least = by.toFixed();
          expect(reductionOf(suggested)?.size.toFixed()).toBe(least);
          found[least === undefined ? 'none' : 'some']++;
        }
      }),
      { numRuns: 150 },
    );
    expect(found.some).toBeGreaterThan(100);
    expect(found.none).toBeGreaterThan(100);
  });

  it('names no margin only where all that the database holds would not do', () => {
    let none = 0;
    fc.assert(
      fc.property(denseBook, (plan) => {
        const book = columnBookOf(wholeState(plan));
        for (const { suggested, level, levelWith, account } of rankedOf(book)) {
          if (marginOf(suggested) !== undefined || level === 1) continue;
          none++;
          const equity = book.margin(account.id)?.valuation?.equity ?? ZERO;
          for (const power of [
            '1',
            '1000',
            '1000000000',
            AMOUNT_LIMIT.minus(max(account.balance, equity)).minus(GRID).toFixed(),
          ])
            expect(levelWith(ZERO, dec(power))).toBeGreaterThanOrEqual(level);
        }
      }),
      { numRuns: 60 },
    );
    expect(none).toBeGreaterThan(20);
  });

  it('is found where less of the position means more leverage, and so a higher place', () => {
    // Its maintenance of 51 is below √(M · deduction) = √(5000 · 49): less of it stands on ever less of the account's equity.
    const terms = {
      ...({ payoff: 'LINEAR', assetId: 'USDT', contractSize: '1', priceTick: '0.01', sizeStep: '1' } as const),
      ...({ status: 'ACTIVE', price: '10', isStale: false, score: 'LEVERAGED_RETURN' } as const),
    };
    const trader = (id: string, balance: string, positions: [string, string, string][]) =>
      ({ id, assetId: 'USDT', kind: 'TRADER', balance, positions }) as const;
    const book = columnBookOf(
      wholeState({
        venue: { warning: '0.66', call: '0.80', staleShare: '0.5' },
        markets: [
          {
            ...terms,
            id: 'a',
            brackets: [
              ['0', '0.01', '0.02'],
              ['100', '0.5', '0.5'],
            ],
          },
          { ...terms, id: 'B', brackets: [['0', '0.5', '0.5']] },
        ],
        accounts: [
          trader('before', '-40', [['a', '10', '50']]),
          trader('me', '6000', [
            ['a', '20', '100'],
            ['B', '1000', '10000'],
          ]),
          trader('behind', '1000', [['a', '21', '209']]),
        ],
      }),
    );
    const mine = [...rankedOf(book)].find(({ account, marketId }) => account.id === 'me' && marketId === 'a');
    // 10 of 51 stand before it, of 50 that is a fifth; further on it passes the one before it, and nobody stands there.
    expect(Array.from({ length: 20 }, (_, k) => mine?.levelWith(dec(String(k)), ZERO)).join('')).toBe(
      '54444444455555555555',
    );
    expect(reductionOf(mine?.suggested ?? [])).toEqual({ action: 'REDUCE_BY', size: ONE, level: 4 });
  });
});
