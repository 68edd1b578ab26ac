import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Book } from '../../src/book/book.js';
import type { ColumnBook } from '../../src/book/column-book.js';
import { rowOfAccount } from '../../src/db/account-rows.js';
import type { LevelChanges } from '../../src/book/level-changes.js';
import { dec } from '../../src/risk/decimal.js';
import type { Account } from '../../src/risk/margin.js';
import { entriesOf } from '../../src/risk/ranking.js';
import { columnBookOf, type WholeState } from '../support/plain-book.js';
import { unequalBook } from '../support/unequal-book.js';
import { wholeState } from '../support/whole-state.js';

const TWISTS = ['NONE', 'CLOSED', 'FLIPPED', 'RICHER', 'ALL_CLOSED', 'EXEMPTED'] as const;
type Twist = (typeof TWISTS)[number];

/** What happened to each account in turn, and to the price of each market, in percent. */
const later = fc.record({
  twists: fc.array(fc.constantFrom(...TWISTS), { minLength: 1, maxLength: 13 }),
  prices: fc.array(fc.constantFrom('1', '1', '0.97', '1.04'), { minLength: 1, maxLength: 4 }),
});

function twisted(account: Account, twist: Twist): Account {
  const [first, ...others] = [...account.positions];
  if (twist === 'NONE' || first === undefined) return account;
  if (twist === 'EXEMPTED') return { ...account, exempt: account.kind === 'TRADER' && !account.exempt };
  if (twist === 'RICHER') return { ...account, balance: account.balance.plus('1000') };
  const [id, { size, cost }] = first;
  if (twist === 'FLIPPED')
    return { ...account, positions: new Map([[id, { size: size.neg(), cost: cost.neg() }], ...others]) };
  return { ...account, positions: new Map(twist === 'CLOSED' ? others : []) };
}

function advanced(book: ColumnBook, state: WholeState, { twists, prices }: Later): ColumnBook {
  const accounts = [...state.accounts.values()].map((a, k) => twisted(a, twists[k % twists.length] ?? 'NONE'));
  const marks = [...state.marks].map(([id, mark], k): [string, typeof mark] => {
    const factor = prices[k % prices.length] ?? '1';
    return [id, factor === '1' ? mark : { ...mark, price: mark.price.times(dec(factor)) }];
  });
  const changed = accounts.filter((account) => account !== state.accounts.get(account.id));
  const added = changed.map((account) => book.columns.add(rowOfAccount(account)));
  return book.advance({ circumstances: { ...state, marks: new Map(marks) }, added, statuses: new Map() });
}

type Later = typeof later extends fc.Arbitrary<infer T> ? T : never;

/** The same by looking at every name. */
function plainly(earlier: Book, now: Book): LevelChanges {
  const found: Record<keyof LevelChanges, unknown[]> = { changed: [], unknown: [], gone: [] };
  for (const marketId of now.markets.keys()) {
    for (const side of ['LONG', 'SHORT'] as const) {
      const [was, is] = [earlier.ranking(marketId, side), now.ranking(marketId, side)];
      for (const { accountId, level, rank } of entriesOf(is)) {
        const last = was.entryOf(accountId)?.level;
        if (last === level) continue;
        found[last === undefined ? 'unknown' : 'changed'].push({ accountId, marketId, level, rank, rankingId: is.id });
      }
    }
    for (const accountId of earlier.accountIds()) {
      if (!earlier.holds(accountId, marketId)) continue;
      const isExempted = earlier.account(accountId)?.exempt === false && now.account(accountId)?.exempt === true;
      if (isExempted || !now.holds(accountId, marketId)) found.gone.push({ accountId, marketId });
    }
  }
  return found as unknown as LevelChanges;
}

function sorted(changes: LevelChanges | undefined): unknown {
  if (changes === undefined) return undefined;
  const lines = (rows: readonly unknown[]): string[] => rows.map((row) => JSON.stringify(row)).sort();
  return { changed: lines(changes.changed), unknown: lines(changes.unknown), gone: lines(changes.gone) };
}

describe('levels since an earlier book', () => {
  it('are those that differ by name', () => {
    let differences = 0;
    fc.assert(
      fc.property(unequalBook, later, (plan, then) => {
        const state = wholeState(plan);
        const earlier = columnBookOf(state);
        const now = advanced(earlier, state, then);
        const changes = now.levelsSince(earlier);
        differences += changes?.changed.length ?? 0;
        expect(sorted(changes)).toEqual(sorted(plainly(earlier, now)));
      }),
      { numRuns: 200 },
    );
    expect(differences).toBeGreaterThan(0);
  });

  it('are none of the same book, and cannot be told of one that gave its accounts other slots', () => {
    const [plan] = fc.sample(unequalBook, { numRuns: 1, seed: 1 });
    if (plan === undefined) throw new Error('no book');
    const book = columnBookOf(wholeState(plan));
    expect(book.levelsSince(book)).toEqual({ changed: [], unknown: [], gone: [] });
    expect(book.levelsSince(columnBookOf(wholeState(plan)))).toBeUndefined();
  });
});
