import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Book } from '../../src/book/book.js';
import type { AccountMargin } from '../../src/book/account-margin.js';
import { takeBook } from '../../src/book/take-book.js';
import type { Tx } from '../../src/db/connect.js';
import { bankruptcyPrice, bankruptcyValues } from '../../src/risk/bankruptcy.js';
import { dec, GRID, truncatedFraction, ZERO, type Decimal } from '../../src/risk/decimal.js';
import { accountLeverage, marginRatio } from '../../src/risk/margin.js';
import { entryPrice } from '../../src/risk/position.js';
import { entriesOf, percentileOf } from '../../src/risk/ranking.js';
import { createTestDatabase } from '../support/database.js';
import type { TestDatabase } from '../support/database.js';
import { BOOK_INSTANT, unequalBook, writeBook, type UnequalBook } from '../support/unequal-book.js';

/** Where NUMERIC(38,18) ends. */
const STORABLE = dec('100000000000000000000');

type Row = Record<string, string | number | boolean | null>;

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});
afterAll(() => db.drop());

/** Runs `work` on a database that holds the book, and nothing else, and takes all of it back. */
async function onBook<T>(book: UnequalBook, work: (tx: Tx) => Promise<T>): Promise<T> {
  const answers: T[] = [];
  const undone = new Error('undone');
  await db.sql
    .begin(async (tx) => {
      await writeBook(tx, book);
      await tx`select set_config('backstop.now', ${BOOK_INSTANT}, true)`;
      answers.push(await work(tx));
      throw undone;
    })
    .catch((error: unknown) => {
      if (error !== undone) throw error;
    });
  const [answer] = answers;
  if (answer === undefined) throw new Error('no answer');
  return answer;
}

async function loadBook(tx: Tx): Promise<Book> {
  return (await takeBook(tx, BOOK_INSTANT)).book;
}

const text = (x: Decimal | null | undefined): string | null => x?.toFixed() ?? null;
const lines = (rows: readonly Row[]): string[] => rows.map((row) => JSON.stringify(row)).sort();

function accountRow({ account, valuation, status, held }: AccountMargin): Row {
  return {
    account_id: account.id,
    balance: text(account.balance),
    equity: text(valuation?.equity),
    maintenance: text(valuation?.maintenance),
    initial: text(valuation?.initial),
    notional: text(valuation?.notional),
    margin_ratio: valuation === null ? null : text(marginRatio(valuation)),
    account_leverage: valuation === null ? null : text(accountLeverage(valuation)),
    status: held ? null : status,
    held,
  };
}

function positionRows(book: Book, { account, valuation }: AccountMargin): Row[] {
  if (valuation === null) return [];
  const values = bankruptcyValues(valuation);
  return valuation.positions.map((p) => {
    const market = book.markets.get(p.marketId);
    const bankruptcyValue = values.get(p.marketId);
    if (market === undefined || bankruptcyValue === undefined) throw new Error('a position without its market');
    return {
      account_id: account.id,
      market_id: p.marketId,
      size: text(p.size),
      cost: text(p.cost),
      entry_price: text(entryPrice(market, p)),
      mark: text(p.mark),
      is_live: p.live,
      value: text(p.value),
      notional: text(p.notional),
      unrealized_pnl: text(p.unrealizedPnl),
      maintenance: text(p.maintenance),
      initial: text(p.initial),
      bankruptcy_value: text(bankruptcyValue),
      bankruptcy_price: text(bankruptcyPrice(market, p.size, bankruptcyValue)),
    };
  });
}

function queueRows(book: Book): Row[] {
  const sides = [...book.markets.keys()].flatMap((id) => [book.ranking(id, 'LONG'), book.ranking(id, 'SHORT')]);
  return sides.flatMap((ranking) =>
    [...entriesOf(ranking)].map((entry) => ({
      market_id: ranking.marketId,
      side: ranking.side,
      rank: String(entry.rank),
      account_id: entry.accountId,
      size: text(entry.size),
      size_ahead: text(entry.sizeAhead),
      level: entry.level,
      score: text(entry.score.value),
      profit_ratio: text(entry.score.profitRatio),
      leverage: text(entry.score.leverage),
      percentile: text(percentileOf(entry, ranking.queueSize)),
      queue_length: String(ranking.queueLength),
      queue_size: text(ranking.queueSize),
    })),
  );
}

/** What SQL and TypeScript say of the same book, line by line. */
async function bothSides(tx: Tx): Promise<{ sql: Record<string, string[]>; risk: Record<string, string[]> }> {
  const book = await loadBook(tx);
  const margins = [...book.accountIds()].flatMap((id) => book.margin(id) ?? []);
  const accounts = await tx<Row[]>`
    select account_id, balance, equity, maintenance, initial, notional, margin_ratio, account_leverage, status, held from margin_status`;
  const positions = await tx<Row[]>`
    select account_id, market_id, size, cost, entry_price, mark, is_live, value, notional, unrealized_pnl, maintenance, initial,
      bankruptcy_value, bankruptcy_price
    from position_margin where account_equity is not null`;
  const queue = await tx<Row[]>`
    select market_id, side, rank, account_id, size, size_ahead, level, score, profit_ratio, leverage, percentile, queue_length, queue_size
    from adl_queue`;
  return {
    sql: { accounts: lines(accounts), positions: lines(positions), queue: lines(queue) },
    risk: {
      accounts: lines(margins.map(accountRow)),
      positions: lines(margins.flatMap((margin) => positionRows(book, margin))),
      queue: lines(queueRows(book)),
    },
  };
}

/** Moves balances so that accounts stand exactly on a threshold, or one grid step beside it. */
async function moveToThresholds(tx: Tx, { venue, accounts }: UnequalBook): Promise<void> {
  const book = await loadBook(tx);
  const moved: { id: string; balance: Decimal }[] = [];
  for (const [k, { id }] of accounts.entries()) {
    const valuation = book.margin(id)?.valuation;
    if (valuation === null || valuation === undefined || valuation.positions.length === 0) continue;
    const { maintenance, equity, balance } = valuation;
    const thresholds = [
      null,
      ZERO,
      maintenance,
      truncatedFraction(maintenance, dec(venue.call)),
      truncatedFraction(maintenance, dec(venue.warning)),
    ];
    const target = thresholds[k % thresholds.length];
    if (target === null || target === undefined) continue;
    const beside = [ZERO, GRID, GRID.neg()][Math.floor(k / thresholds.length) % 3] ?? ZERO;
    const wanted = balance.plus(target.minus(equity)).plus(beside);
    if (wanted.abs().lt(STORABLE)) moved.push({ id, balance: wanted });
  }
  await tx`
    insert into balance (account_id, asset_id, account_kind, account_mode, amount)
    select a.id, a.margin_asset_id, a.kind, a.mode, n.amount
    from unnest(${moved.map((m) => m.id)}::text[], ${moved.map((m) => m.balance.toFixed())}::numeric[]) as n (id, amount)
    join account a using (id)
    on conflict (account_id, asset_id) do update set amount = excluded.amount`;
}

describe('the views and risk', () => {
  it('say the same of any book, to the last digit', async () => {
    await fc.assert(
      fc.asyncProperty(unequalBook, fc.boolean(), async (book, isOnThresholds) => {
        const { sql, risk } = await onBook(book, async (tx) => {
          if (isOnThresholds) await moveToThresholds(tx, book);
          return bothSides(tx);
        });
        expect(sql).toEqual(risk);
      }),
      { numRuns: 100 },
    );
  });

  /** Each one is how somebody in a hurry would write it. */
  const WRONG: readonly (readonly [name: string, statement: string])[] = [
    [
      'dividing, which rounds',
      `truncated_fraction(n numeric, d numeric) returns numeric language sql immutable as 'select round(n / d, 18)'`,
    ],
    [
      'flooring the fraction',
      `truncated_fraction(n numeric, d numeric) returns numeric language sql immutable as 'select floor(n * 1e18 / d) * 1e-18'`,
    ],
    [
      'rounding shares to the nearest',
      `floor_fraction(n numeric, d numeric) returns numeric language sql immutable as 'select round(n / d, 18)'`,
    ],
    [
      'truncating requirements',
      `ceil_fraction(n numeric, d numeric) returns numeric language sql immutable as 'select truncated_fraction(n, d)'`,
    ],
    [
      'not clamping',
      `clamped_ratio(n numeric, d numeric) returns numeric language sql immutable as 'select truncated_fraction(n, nullif(d, 0))'`,
    ],
    [
      'truncating the whole INVERSE value',
      `value_at(payoff text, contract_size numeric, size_step numeric, size numeric, price numeric) returns numeric language sql immutable as
       'select case payoff when ''LINEAR'' then size * contract_size * price else -truncated_fraction(size * contract_size, price) end'`,
    ],
  ];

  it.each(WRONG)('would not: %s', async (_name, statement) => {
    const check = await fc.check(
      fc.asyncProperty(unequalBook, async (book) => {
        const { sql, risk } = await onBook(book, async (tx) => {
          await tx.unsafe(`create or replace function ${statement}`);
          return bothSides(tx);
        });
        return JSON.stringify(sql) === JSON.stringify(risk);
      }),
      { numRuns: 100, endOnFailure: true },
    );
    expect(check.failed).toBe(true);
    // By another figure, not by an error.
    expect(String(check.errorInstance)).toContain('returning false');
  });

  it('order ids by bytes', async () => {
    const rows = await db.sql<{ id: string }[]>`
      select id from unnest(array['a', 'B', 'a.1', 'a-1', 'A', 'a1', 'a_1', 'a:1', 'Z']::exchange_id[]) as n (id) order by id`;
    const ids = rows.map(({ id }) => id);
    expect(ids).toEqual([...ids].sort((a, b) => (a < b ? -1 : 1)));
  });
});
