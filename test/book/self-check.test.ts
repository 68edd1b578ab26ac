import { Writable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { BookFollower } from '../../src/book/follower.js';
import { compareMargins } from '../../src/book/margin-comparison.js';
import { SelfCheck, type CheckedBook } from '../../src/book/self-check.js';
import { takeBook } from '../../src/book/take-book.js';
import { runLap, type LapMemory } from '../../src/engine/run-lap.js';
import { inTransaction } from '../../src/db/transaction.js';
import { dec } from '../../src/risk/decimal.js';
import { createLog, type Log } from '../../src/telemetry.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { BOOK_INSTANT, unequalBook, writeBook } from '../support/unequal-book.js';
import { createTestVenue, type TestVenue } from '../support/venue.js';

let db: TestDatabase;
let venue: TestVenue;
let logged: string[];
let log: Log;
let follower: BookFollower;

beforeEach(async () => {
  db = await createTestDatabase();
  logged = [];
  const write = (chunk: Buffer, _encoding: unknown, done: () => void): void => {
    logged.push(chunk.toString());
    done();
  };
  log = createLog('info', new Writable({ write }));
});
afterEach(() => db.drop());

async function tellStory(): Promise<void> {
  venue = await createTestVenue(db.sql, { staleAfterMs: 86_400_000 });
  venue.at = new Date().toISOString();
  for (const name of ['ann', 'ben', 'cat']) await venue.account(name, { deposit: '1000.5' });
  await venue.trade('BTCUSDT', 'ann', 'ben', '10', '100');
  await venue.trade('ETHUSDT', 'ann', 'cat', '3', '11.5');
  await venue.price('BTCUSDT', '103.07');
  await untilSettled();
  follower = new BookFollower({ sql: db.sql, log });
  await follower.refresh();
}

/** While a transaction of before runs, in whatever database of the server, a follower reads again what came after it. */
async function untilSettled(): Promise<void> {
  const isSettled = async (): Promise<boolean> => {
    const [row] = await db.sql<{ settled: boolean }[]>`
      select pg_snapshot_xmin(pg_current_snapshot()) > max(changed_in) as settled from account`;
    return row?.settled === true;
  };
  while (!(await isSettled())) await wait(10);
}

/** Past everything that marks an account. */
async function tamper(statement: string): Promise<void> {
  await db.sql.begin(async (tx) => {
    await tx`set local session_replication_role = replica`;
    await tx.unsafe(statement);
  });
}

describe('the self-check', () => {
  beforeEach(tellStory);

  it('finds nothing in a clean book, and counts what it looked at', async () => {
    const check = new SelfCheck({ book: follower, log });
    expect(check.status()).toEqual({ checked: 0, differences: 0, lastAt: null });
    await check.check();
    await venue.deposit('ann', '1');
    await check.check();
    // Three traders, two providers, two funds.
    expect(check.status()).toEqual({ checked: 14, differences: 0, lastAt: follower.current().at });
    expect(logged).toEqual([]);
  });

  it('sees that one of the two has an account exempt and the other not', async () => {
    await tamper(`update account set exempt = true where id = 'ben'`);
    const check = new SelfCheck({ book: follower, log });
    await check.check();
    expect(check.status().differences).toBe(1);
    const seen = logged.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(seen).toContainEqual(
      expect.objectContaining({ id: 'ben', figure: 'exempt', book: 'false', database: 'true' }),
    );
    await check.check();
    expect(follower.current().exemptIds()).toEqual(['ben']);
  });

  it('looks at all accounts, one after the other, and begins again', async () => {
    const seen: string[][] = [];
    const book: CheckedBook = {
      rebuild: () => Promise.resolve(),
      inspect: (look) =>
        follower.inspect((tx, current) => {
          const asked: string[] = [];
          seen.push(asked);
          const watched = Object.create(current, {
            margin: { value: (id: string) => (asked.push(id), current.margin(id)) },
            accountIds: { value: (after?: string) => current.accountIds(after) },
            openInterest: { value: (id: string) => (asked.push(id), current.openInterest(id)) },
            ...Object.fromEntries(['at', 'markets'].map((key) => [key, { value: current[key as 'at'] }])),
          }) as typeof current;
          return look(tx, watched);
        }),
    };
    const check = new SelfCheck({ book, log, sampleSize: 3 });
    for (let i = 0; i < 4; i++) await check.check();
    expect(seen.slice(0, 3).map((ids) => ids.sort())).toEqual([
      ['ann', 'ben', 'cat'],
      ['fund-btc', 'fund-usdt', 'lp-btc'],
      ['BTCUSD', 'BTCUSDT', 'ETHUSDT', 'lp-usdt'],
    ]);
    expect(seen[3]).toEqual(seen[0]);
    expect(check.status()).toMatchObject({ checked: 10, differences: 0 });
  });

  it('finds a balance that changed without a mark, says both values, and takes the book anew', async () => {
    const check = new SelfCheck({ book: follower, log });
    await tamper(`update balance set amount = 1000.500000000000000001 where account_id = 'ann'`);
    expect((await follower.refresh()).account('ann')?.balance.toFixed()).toBe('1000.5');
    await check.check();
    // Of its balance, and of its equity? It has a market without a price, and so no equity.
    expect(check.status().differences).toBe(1);
    const [line] = logged.map((each) => JSON.parse(each) as Record<string, unknown>);
    expect(line).toMatchObject({
      ...{ level: 50, id: 'ann', figure: 'balance' },
      ...{ book: '1000.5', database: '1000.500000000000000001' },
    });
    expect(follower.current().account('ann')?.balance.toFixed()).toBe('1000.500000000000000001');
    await check.check();
    expect(check.status()).toMatchObject({ checked: 14, differences: 1 });
  });

  it('finds a position that changed or is gone, and the open interest with it', async () => {
    const check = new SelfCheck({ book: follower, log });
    await tamper(
      `update position set size = size + 1, cost = cost + 7 where account_id = 'ann' and market_id = 'BTCUSDT'`,
    );
    await tamper(`delete from position where account_id = 'cat'`);
    await check.check();
    const told = logged.map((each) => JSON.parse(each) as Record<string, unknown>);
    const of = (id: string): unknown[] => told.filter((each) => each['id'] === id).map((each) => each['figure']);
    expect(of('ann')).toEqual(expect.arrayContaining(['size in BTCUSDT', 'cost in BTCUSDT']));
    expect(of('cat')).toEqual(expect.arrayContaining(['size in ETHUSDT', 'cost in ETHUSDT']));
    expect(of('BTCUSDT')).toEqual(['open interest']);
    expect(of('ETHUSDT')).toEqual(['short positions']);
    expect(follower.current().account('cat')?.positions.size).toBe(0);
    await check.check();
    expect(told.length).toBe(logged.length);
  });

  it('finds an account that only one of the two has', async () => {
    const check = new SelfCheck({ book: follower, log });
    await tamper(`delete from position where account_id = 'cat'; delete from balance where account_id = 'cat';
      delete from account where id = 'cat'; insert into account (id, trader_id, kind, mode, margin_asset_id, changed_in)
      values ('zoe', 'ann', 'TRADER', 'CROSS', 'USDT', '1')`);
    await check.check();
    expect(logged.join('')).toContain('"id":"cat","figure":"balance","book":"1000.5","database":null');
    expect(logged.join('')).toContain('"id":"zoe","figure":"balance","book":null,"database":"0"');
    expect([...follower.current().accountIds()]).toEqual([
      'ann',
      'ben',
      'fund-btc',
      'fund-usdt',
      'lp-btc',
      'lp-usdt',
      'zoe',
    ]);
  });

  it('does not make the book anew again and again where that does not help', async () => {
    let rebuilds = 0;
    const wrong: CheckedBook = {
      inspect: (look) =>
        follower.inspect((tx, book) => {
          const ann = book.account('ann');
          if (ann === undefined) throw new Error('no ann');
          return look(tx, book.with([{ ...ann, balance: dec('7') }]));
        }),
      rebuild: () => Promise.resolve(rebuilds++),
    };
    const check = new SelfCheck({ book: wrong, log, sampleSize: 4 });
    await check.check();
    await check.check();
    expect(rebuilds).toBe(1);
    expect(logged.join('')).toContain('the rules and the views do not agree');
    // It goes on with the others all the same.
    await check.check();
    expect(check.status().checked).toBe(11);
  });

  it('asks for single accounts, not for the venue', async () => {
    await db.sql`
      insert into account (id, trader_id, kind, mode, margin_asset_id)
      select 'many-' || n, 'ann', 'TRADER', 'CROSS', 'USDT' from generate_series(1, 3000) n`;
    await db.sql`
      insert into position (account_id, market_id, settlement_asset_id, account_kind, account_mode, size, cost)
      select id, 'BTCUSDT', 'USDT', 'TRADER', 'CROSS', 1, 100 from account where id like 'many-%'`;
    await db.sql`
      insert into balance (account_id, asset_id, account_kind, account_mode)
      select id, 'USDT', 'TRADER', 'CROSS' from account where id like 'many-%'`;
    await db.sql`analyze`;
    for (const view of ['margin_status', 'position_margin']) {
      const plan = await db.sql<Record<string, string>[]>`
        explain (analyze, costs off, timing off)
        select m.* from unnest(array['many-7', 'many-8', 'ann']) as wanted (id)
          cross join lateral (select * from ${db.sql(view)} where account_id = wanted.id offset 0) m`;
      const text = plan.map((row) => row['QUERY PLAN']).join('\n');
      expect(text).not.toMatch(/Seq Scan on "?(position|account|balance)\b/);
      expect(text).toMatch(/Index (Only )?Scan using position_pkey on "?position/);
      const rows = [...text.matchAll(/rows=(\d+)/g)].map(([, count]) => Number(count));
      expect(Math.max(...rows)).toBeLessThan(100);
    }
  });

  it('makes laps forget as well what they go on from', async () => {
    const memory: LapMemory = { books: follower };
    const lap = (): Promise<unknown> => runLap(db.sql, { worker: 'test', memory });
    await lap();
    await tamper(`update balance set amount = 7 where account_id = 'ann'`);
    await lap();
    expect(memory.last?.book.account('ann')?.balance.toFixed()).toBe('1000.5');
    await new SelfCheck({ book: follower, log }).check();
    await lap();
    expect(memory.last?.book.account('ann')?.balance.toFixed()).toBe('7');
  });

  it('is not undone by a lap that was under way', async () => {
    await tamper(`update balance set amount = 7 where account_id = 'ann'`);
    let rebuilt: Promise<unknown> = Promise.resolve();
    const { book } = await inTransaction(db.sql, { isolation: 'repeatable read' }, (tx) =>
      follower.inTurn((take) => {
        rebuilt = follower.rebuild();
        return take(tx, new Date().toISOString().replace('Z', '000Z'));
      }),
    );
    expect(book.account('ann')?.balance.toFixed()).toBe('1000.5');
    await rebuilt;
    expect(follower.current().account('ann')?.balance.toFixed()).toBe('7');
  });

  it('runs on an interval, and outlives a failure', async () => {
    const check = new SelfCheck({ book: follower, log, intervalMs: 5 });
    check.start();
    while (check.status().checked < 14) await new Promise((resolve) => setTimeout(resolve, 5));
    await check.stop();
    const broken: CheckedBook = {
      inspect: () => Promise.reject(new Error('no database')),
      rebuild: () => Promise.resolve(),
    };
    const other = new SelfCheck({ book: broken, log, intervalMs: 5 });
    other.start();
    while (logged.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    await other.stop();
    expect(logged[0]).toContain('no database');
    expect(other.status()).toEqual({ checked: 0, differences: 0, lastAt: null });
  });
});

describe('the comparison', () => {
  it('finds no difference in any book', async () => {
    await fc.assert(
      fc.asyncProperty(unequalBook, fc.integer({ min: 1, max: 20 }), async (book, limit) => {
        const undone = new Error('undone');
        await db.sql
          .begin(async (tx) => {
            await writeBook(tx, book);
            const taken = await takeBook(tx, BOOK_INSTANT);
            let after: string | null = '';
            while (after !== null) {
              const compared = await compareMargins(tx, taken.book, after, limit);
              expect(compared.differences).toEqual([]);
              after = compared.next;
            }
            throw undone;
          })
          .catch((error: unknown) => {
            if (error !== undone) throw error;
          });
      }),
      { numRuns: 40 },
    );
  });

  it('is made in a transaction that only reads', async () => {
    await tellStory();
    const compared = await inTransaction(db.sql, { isolation: 'repeatable read', readOnly: true }, async (tx) =>
      compareMargins(tx, (await takeBook(tx, new Date().toISOString().replace('Z', '000Z'))).book, '', 100),
    );
    expect(compared).toEqual({ accounts: 7, next: null, differences: [] });
  });
});
