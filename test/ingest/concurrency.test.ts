import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { closeSql, openSql, type Sql } from '../../src/db/connect.js';
import { recordPrices } from '../../src/ingest/prices.js';
import { recordTrades } from '../../src/ingest/trades.js';
import { recordTransfers } from '../../src/ingest/transfers.js';
import { assertInvariants } from '../support/checks.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { createTestVenue, type TestVenue } from '../support/venue.js';

const NAMES = ['ann', 'ben', 'cat', 'dan', 'eve', 'fay'];

let db: TestDatabase;
let venue: TestVenue;
let pool: Sql;

beforeEach(async () => {
  db = await createTestDatabase();
  venue = await createTestVenue(db.sql);
  for (const name of NAMES) await venue.account(name, { deposit: '1000' });
  pool = openSql(db.url, { max: 8 });
});
afterEach(async () => {
  await closeSql(pool);
  await assertInvariants(db.sql);
  await db.drop();
});

function nameAt(index: number): string {
  return NAMES[index % NAMES.length] ?? 'ann';
}

it('batches over interleaved accounts and markets wait for each other and all get through', async () => {
  const batches = Array.from({ length: 12 }, (_, batch) =>
    Array.from({ length: 20 }, (_, row) => ({
      id: `t-${batch}-${row}`,
      marketId: (batch + row) % 2 === 0 ? 'BTCUSDT' : 'ETHUSDT',
      buyerId: nameAt(batch * 5 + row),
      sellerId: nameAt(batch * 5 + row + 1 + (row % 4)),
      size: `0.${row + 1}`,
      price: `${100 + batch}`,
      buyerFee: '0.01',
    })),
  );
  const money = Array.from({ length: 12 }, (_, batch) => [
    { id: `in-${batch}`, accountId: nameAt(batch + 3), assetId: 'USDT', amount: '7' },
    { id: `fund-${batch}`, accountId: 'fund-usdt', assetId: 'USDT', amount: '2' },
    { id: `out-${batch}`, accountId: nameAt(batch), assetId: 'USDT', amount: '-3' },
  ]);
  const marks = Array.from({ length: 12 }, (_, batch) => [
    { id: `p-${batch}`, marketId: batch % 2 === 0 ? 'BTCUSDT' : 'ETHUSDT', price: '100' },
    { id: `q-${batch}`, marketId: batch % 2 === 0 ? 'ETHUSDT' : 'BTCUSDT', price: '101' },
  ]);
  const told = await Promise.all([
    ...batches.map((rows) => recordTrades(pool, rows)),
    ...money.map((rows) => recordTransfers(pool, rows)),
    ...marks.map((rows) => recordPrices(pool, rows)),
  ]);
  expect(told.map((each) => each.duplicates)).toEqual(told.map(() => 0));
  const [row] = await db.sql`
    select (select count(*)::int from trade) as trades, (select count(*)::int from position_change) as changes,
      (select count(*)::int from ledger_entry where kind = 'TRANSFER') as transfers,
      (select amount::text from balance where account_id = 'fund-usdt') as fund`;
  expect(row).toEqual({ trades: 240, changes: 480, transfers: 36 + NAMES.length, fund: '24.000000000000000000' });
  expect(await deadlocks()).toBe('0');
});

/** Counted by the server as its backends end: none means that the order of locks holds, not that retries hid it. */
async function deadlocks(): Promise<string | undefined> {
  await closeSql(pool);
  const others = async (): Promise<number> =>
    (await db.sql`select from pg_stat_activity where datname = current_database() and application_name = 'backstop'`)
      .length;
  while ((await others()) > 0) await sleep(20);
  const [row] = await db.sql<
    { deadlocks: string }[]
  >`select deadlocks from pg_stat_database where datname = current_database()`;
  return row?.deadlocks;
}

it('the same batch sent twenty times at once is applied once', async () => {
  const trades = NAMES.slice(1).map((name, index) => ({
    id: `t-${index}`,
    marketId: 'BTCUSDT',
    buyerId: 'ann',
    sellerId: name,
    size: '1',
    price: '100',
  }));
  const told = await Promise.all(Array.from({ length: 20 }, () => recordTrades(pool, trades)));
  expect(told.reduce((sum, each) => sum + each.recorded, 0)).toBe(trades.length);
  const [row] = await db.sql`select trim_scale(size)::text as size from position where account_id = 'ann'`;
  expect(row).toEqual({ size: '5' });
});

it('one id with two contents at once: one is stored, the other refused', async () => {
  const transfer = { id: 'x', assetId: 'USDT', amount: '1' };
  const told = await Promise.allSettled(
    NAMES.map((accountId) =>
      recordTransfers(pool, [
        { ...transfer, accountId },
        { ...transfer, id: `own-${accountId}`, accountId },
      ]),
    ),
  );
  expect(told.filter((each) => each.status === 'fulfilled')).toHaveLength(1);
  for (const each of told)
    if (each.status === 'rejected') expect(each.reason).toMatchObject({ code: 'ID_REUSED', rowIndex: 0 });
  const [row] =
    await db.sql`select count(*)::int as n from transfer where external_id = 'x' or external_id like 'own-%'`;
  expect(row).toEqual({ n: 2 });
});

it('two withdrawals that a fund has once: one is refused', async () => {
  await venue.deposit('fund-usdt', '10');
  const told = await Promise.allSettled(
    ['a', 'b'].map((id) => recordTransfers(pool, [{ id, accountId: 'fund-usdt', assetId: 'USDT', amount: '-6' }])),
  );
  expect(told.map((each) => each.status).sort()).toEqual(['fulfilled', 'rejected']);
});

it('a reader of an older snapshot that locks an account changed since fails to serialize', async () => {
  const { lockAccounts } = await import('../../src/db/locks.js');
  await expect(
    pool.begin('isolation level repeatable read', async (tx) => {
      await tx`select from account`;
      await venue.deposit('ann', '1');
      await lockAccounts(tx, ['ann']);
    }),
  ).rejects.toMatchObject({ code: '40001' });
});
