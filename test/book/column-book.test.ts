import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { rowOfAccount } from '../../src/db/account-rows.js';
import { digestOf } from '../../src/engine/digest.js';
import { ceilFraction, dec, GRID, ZERO, type Decimal } from '../../src/risk/decimal.js';
import { valuate, type Account } from '../../src/risk/margin.js';
import { MemoryLaps } from '../support/memory-laps.js';
import { columnBookOf, PlainBook, type WholeState } from '../support/plain-book.js';
import { bookPlan } from '../support/random-plan.js';
import { told } from '../support/told-book.js';
import { unequalBook } from '../support/unequal-book.js';
import { wholeState } from '../support/whole-state.js';

/** Beside a threshold: nothing a double of these amounts can tell from it. */
const NEAR = ['-10', '-1', '0', '1', '10'].map((grains) => dec(grains).times(GRID));
const THRESHOLDS = ['ZERO', 'MAINTENANCE', 'CALL', 'WARNING'] as const;

interface Nudge {
  readonly threshold: (typeof THRESHOLDS)[number];
  readonly distance: Decimal;
}

const nudges = fc.array(fc.record({ threshold: fc.constantFrom(...THRESHOLDS), distance: fc.constantFrom(...NEAR) }), {
  minLength: 13,
  maxLength: 13,
});

/** Gives each account the balance at which its equity stands so near to a threshold. */
function atThresholds(state: WholeState, by: readonly Nudge[]): WholeState {
  const accounts = [...state.accounts.values()].map((account, k): Account => {
    const valuation = valuate(account, state.markets, state.marks);
    const nudge = by[k];
    if (valuation === null || nudge === undefined) return account;
    const { maintenance } = valuation;
    const wanted = {
      ZERO,
      MAINTENANCE: maintenance,
      CALL: ceilFraction(maintenance, state.venue.callRatio),
      WARNING: ceilFraction(maintenance, state.venue.warningRatio),
    }[nudge.threshold].plus(nudge.distance);
    return { ...account, balance: account.balance.plus(wanted).minus(valuation.equity) };
  });
  return { ...state, accounts: new Map(accounts.map((account) => [account.id, account])) };
}

/** Sizes of up to 10^15 steps and prices from 10^-8 to 10^8, on whatever the book has. */
function stretched(state: WholeState, power: number): WholeState {
  const factor = dec(`1${'0'.repeat(power)}`);
  const accounts = [...state.accounts.values()].map((account): Account => ({
    ...account,
    positions: new Map([...account.positions].map(([id, { size, cost }]) => [id, { size: size.times(factor), cost }])),
  }));
  return { ...state, accounts: new Map(accounts.map((account) => [account.id, account])) };
}

const isStorable = (state: WholeState): boolean =>
  [...state.accounts.values()].every((account) =>
    [account.balance, ...[...account.positions.values()].flatMap(({ size, cost }) => [size, cost])].every(
      (amount) => amount.abs().lt('1e20') && amount.decimalPlaces() <= 18,
    ),
  );

describe('the book in columns', () => {
  it('says of any book what risk says', () => {
    fc.assert(
      fc.property(unequalBook, (book) => {
        const state = wholeState(book);
        expect(told(columnBookOf(state))).toEqual(told(new PlainBook(state)));
      }),
      { numRuns: 300 },
    );
  });

  it('says the same where equity lies within a few grains of a threshold', () => {
    fc.assert(
      fc.property(unequalBook, nudges, (book, by) => {
        const state = atThresholds(wholeState(book), by);
        fc.pre(isStorable(state));
        expect(told(columnBookOf(state))).toEqual(told(new PlainBook(state)));
      }),
      { numRuns: 300 },
    );
  });

  it('says the same of sizes up to where amounts end', () => {
    fc.assert(
      fc.property(unequalBook, fc.integer({ min: 1, max: 15 }), (book, power) => {
        const state = stretched(wholeState(book), power);
        fc.pre(isStorable(state));
        expect(told(columnBookOf(state))).toEqual(told(new PlainBook(state)));
      }),
      { numRuns: 300 },
    );
  });

  it('says the same of an account whose equity has outgrown the database, though none of its parts has', () => {
    const terms = { payoff: 'LINEAR', assetId: 'USDT', contractSize: '1', priceTick: '0.01', sizeStep: '1' } as const;
    const rest = { status: 'ACTIVE', price: '1', isStale: false, score: 'ACCOUNT_RETURN' } as const;
    const market = { ...terms, ...rest, brackets: [['0', '0.004', '0.01']] } as const;
    const steps = '60000000000000000000';
    const state = wholeState({
      venue: { warning: '0.66', call: '0.80', staleShare: '0.05' },
      markets: ['B', 'a'].map((id) => ({ ...market, id })),
      accounts: ['-1', '1'].map((balance, k) => ({
        ...{ id: `whale-${String(k)}`, assetId: 'USDT', kind: 'TRADER', balance },
        positions: ['B', 'a'].map((id) => [id, k === 0 ? `-${steps}` : steps, '1'] as const),
      })),
    });
    const book = columnBookOf(state);
    expect(book.heldIds()).toEqual(['whale-0', 'whale-1']);
    expect(told(book)).toEqual(told(new PlainBook(state)));
  });

  it('would be wrong if its error bounds were too small', () => {
    const broken = fc.check(
      fc.property(unequalBook, nudges, (book, by) => {
        const state = atThresholds(wholeState(book), by);
        fc.pre(isStorable(state));
        expect(told(columnBookOf(state, 1e-3))).toEqual(told(new PlainBook(state)));
      }),
      { numRuns: 300, endOnFailure: true },
    );
    expect(broken.failed).toBe(true);
  });

  it('says after any changes what a book made anew says', () => {
    fc.assert(
      fc.property(unequalBook, unequalBook, fc.array(fc.integer({ min: 0, max: 12 })), (book, other, picks) => {
        const state = wholeState(book);
        // The same terms, so that positions of the other book are of markets that this one has.
        const changes = wholeState({ ...other, markets: book.markets, venue: book.venue });
        let [columns, plain] = [columnBookOf(state), new PlainBook(state)];
        const first = told(columns);
        for (const pick of picks) {
          const account = [...changes.accounts.values()][pick];
          if (account === undefined) continue;
          const kept = plain.account(account.id);
          const changed = { ...account, ...(kept && { kind: kept.kind, marginAssetId: kept.marginAssetId }) };
          told(columns);
          [columns, plain] = [columns.with([changed]), plain.with([changed])];
        }
        expect(told(columns)).toEqual(told(plain));
        expect(told(columnBookOf(state))).toEqual(first);
      }),
      { numRuns: 200 },
    );
  });

  it('says after prices, accounts or both moved what risk says', () => {
    const move = fc.record({
      accounts: fc.array(fc.integer({ min: 0, max: 12 }), { maxLength: 3 }),
      prices: fc.array(fc.tuple(fc.integer({ min: 0, max: 3 }), fc.constantFrom('0.9', '0.999', '1.001', '1.2')), {
        maxLength: 2,
      }),
    });
    fc.assert(
      fc.property(unequalBook, unequalBook, fc.array(move, { maxLength: 4 }), (book, other, moves) => {
        let state = wholeState(book);
        const others = [...wholeState({ ...other, markets: book.markets, venue: book.venue }).accounts.values()];
        let columns = columnBookOf(state);
        for (const { accounts, prices } of moves) {
          // All queues are there, to be taken over or patched.
          told(columns);
          const changed = [...new Set(accounts)]
            .flatMap((pick) => others.slice(pick, pick + 1))
            .map((account) => {
              const { kind, marginAssetId } = state.accounts.get(account.id) ?? account;
              return { ...account, kind, marginAssetId };
            });
          const marks = new Map(state.marks);
          for (const [k, factor] of prices) {
            const [id, mark] = [...marks][k] ?? [];
            if (id !== undefined && mark !== undefined) marks.set(id, { ...mark, price: mark.price.times(factor) });
          }
          state = {
            ...state,
            marks,
            accounts: new Map([...state.accounts, ...changed.map((a) => [a.id, a] as const)]),
          };
          const added = changed.map((account) => columns.columns.add(rowOfAccount(account)));
          columns = columns.advance({ circumstances: state, added, statuses: new Map() });
          expect(told(columns)).toEqual(told(new PlainBook(state)));
        }
      }),
      { numRuns: 150 },
    );
  });
});

describe('a lap with the book', () => {
  it('decides what a lap that looks at every account decides', () => {
    fc.assert(
      fc.property(bookPlan, (plan) => {
        const [laps, plain] = [new MemoryLaps(plan), new MemoryLaps(plan, (state) => new PlainBook(state))];
        for (const index of plan.laps.keys()) {
          expect(digestOf(laps.run(index).outcome)).toBe(digestOf(plain.run(index).outcome));
        }
      }),
      { numRuns: 150 },
    );
  });
});
