import { afterAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { rowOfAccount } from '../../src/db/account-rows.js';
import { Sweeper } from '../../src/book/sweeper.js';
import { columnBookOf, PlainBook } from '../support/plain-book.js';
import { told } from '../support/told-book.js';
import { unequalBook } from '../support/unequal-book.js';
import { wholeState } from '../support/whole-state.js';

const sweeper = new Sweeper();
afterAll(() => sweeper.stop());

describe('a sweep in another thread', () => {
  it('makes the same book', async () => {
    await fc.assert(
      fc.asyncProperty(unequalBook, unequalBook, async (book, other) => {
        const state = wholeState(book);
        const columns = columnBookOf(state);
        // Every account and every price may move.
        const later = wholeState({ ...other, markets: book.markets, venue: other.venue });
        const accounts = [...later.accounts.values()].map((account) => {
          const { kind, marginAssetId } = state.accounts.get(account.id) ?? account;
          return { ...account, kind, marginAssetId };
        });
        const added = accounts.map((account) => columns.columns.add(rowOfAccount(account)));
        const moved = { ...later, accounts: new Map(accounts.map((account) => [account.id, account])) };
        const statuses = new Map(moved.lastStatuses);
        const swept = await columns.advanceBy(sweeper.sweep, { circumstances: moved, added, statuses });
        expect(told(swept)).toEqual(told(new PlainBook(moved)));
        expect(told(columns)).toEqual(told(new PlainBook(state)));
      }),
      { numRuns: 60 },
    );
  });

  it('says when it failed, and goes on', async () => {
    const book = columnBookOf(wholeState(fc.sample(unequalBook, 1)[0] ?? never()));
    const broken = {
      circumstances: { ...circumstancesOf(book), venue: null as never },
      added: [],
      statuses: new Map(),
    };
    await expect(book.advanceBy(sweeper.sweep, broken)).rejects.toThrow('a sweep failed');
    const again = { circumstances: moved(book), added: [], statuses: new Map() };
    expect(told(await book.advanceBy(sweeper.sweep, again))).toEqual(told(book));
  });

  it('begins anew after its thread was lost', async () => {
    const book = columnBookOf(wholeState(fc.sample(unequalBook, 1)[0] ?? never()));
    const changes = { circumstances: moved(book), added: [], statuses: new Map() };
    const stopped = sweeper.stop();
    // The next thread is at work before the end of the last one is told.
    const swept = book.advanceBy(sweeper.sweep, changes);
    await stopped;
    expect(told(await swept)).toEqual(told(book));
    expect(told(await book.advanceBy(sweeper.sweep, changes))).toEqual(told(book));
  });
});

function circumstancesOf({ at, venue, markets, marks, funds }: ReturnType<typeof columnBookOf>) {
  return { at, venue, markets, marks, funds };
}

/** The same prices, told anew: there is something to sweep. */
function moved(book: ReturnType<typeof columnBookOf>) {
  return { ...circumstancesOf(book), marks: new Map([...book.marks].map(([id, mark]) => [id, { ...mark }])) };
}

function never(): never {
  throw new Error('no sample');
}
