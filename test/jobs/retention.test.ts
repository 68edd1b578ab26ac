import { Writable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { startApp } from '../../src/app.js';
import { closeSql, openSql, type Sql } from '../../src/db/connect.js';
import { removeOldKeys } from '../../src/db/request-keys.js';
import { removeUnneeded, type Thinned } from '../../src/db/retention.js';
import { runLap } from '../../src/engine/run-lap.js';
import { addSnapshotChunk, finishSnapshot } from '../../src/ingest/reconciliation.js';
import { Retention } from '../../src/jobs/retention.js';
import { createLog } from '../../src/telemetry.js';
import { isEqual, verifyStoredEvent } from '../../src/verify-event.js';
import { TEST_ACCESS } from '../support/access.js';
import { assertInvariants } from '../support/checks.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { fingerprintOf } from '../support/fingerprint.js';
import { NO_LIMITS } from '../support/limits.js';
import { createTestVenue, type TestVenue } from '../support/venue.js';

const DAYS = 1;
const ALL = { days: DAYS, after: '0', atMost: 1000 };
const TABLES = ['price_mark', 'depth_snapshot'] as const;
const REFUSAL = /is history: only retention removes rows, and only old ones that nothing needs \(delete refused\)\.$/;

let db: TestDatabase;
let venue: TestVenue;
let others: Sql[];
beforeEach(async () => {
  others = [];
  db = await createTestDatabase();
  venue = await createTestVenue(db.sql);
});
afterEach(async () => {
  await Promise.all(others.map((sql) => closeSql(sql)));
  await assertInvariants(db.sql);
  await db.drop();
});

function connect(): Sql {
  const sql = openSql(db.url, { max: 1, applicationName: 'backstop-test' });
  others.push(sql);
  return sql;
}

const at = (time: string): string => `2025-10-10T${time}.000000Z`;

/**
 * A crash with prices and order books before, during and after it, and beside them what nothing needs. By number:
 * prices 1 to 4 from before, the first lap being a quiet one, 5 and 6 (ETHUSDT) of the crash, 7 and 8 within the hour after it, 9 after that,
 * 10 in force, 11 suspect; order books 1 before, 2 used, 3 after, 4 the newest.
 */
async function tell(): Promise<void> {
  await venue.deposit('fund-usdt', '5');
  await venue.account('alice', { deposit: '40' });
  await venue.account('bob', { deposit: '100' });
  await venue.account('carol', { deposit: '60' });
  await venue.trade('BTCUSDT', 'alice', 'bob', '3', '100', { at: at('20:00:00') });
  await venue.trade('BTCUSDT', 'alice', 'carol', '4', '100.5', { at: at('20:00:00') });
  await venue.price('BTCUSDT', '100.5', at('20:59:00'));
  await venue.price('BTCUSDT', '100', at('21:00:00'));
  await venue.price('ETHUSDT', '10', at('21:00:00'));
  await venue.depth('BTCUSDT', { bids: '1@99' }, at('21:00:00'));
  await runLap(db.sql, { worker: 'test', at: at('21:00:00') });
  await venue.price('BTCUSDT', '99', at('21:00:10'));
  await venue.price('BTCUSDT', '93', at('21:00:20'));
  await venue.price('ETHUSDT', '10', at('21:00:20'));
  await venue.depth('BTCUSDT', { bids: '1@92.5' }, at('21:00:20'));
  await runLap(db.sql, { worker: 'test', at: at('21:00:20') });
  await venue.price('BTCUSDT', '94', at('21:01:00'));
  await venue.price('BTCUSDT', '95', at('22:00:20'));
  await venue.price('BTCUSDT', '96', at('22:00:21'));
  await venue.price('BTCUSDT', '97', at('22:10:00'));
  await venue.price('BTCUSDT', '150', at('22:11:00'));
  await venue.depth('BTCUSDT', { bids: '1@94' }, at('21:30:00'));
  await venue.depth('BTCUSDT', { bids: '1@96' }, at('22:10:00'));
  await grow();
}

/** Everything was stored long ago. */
async function grow(): Promise<void> {
  await db.sql.begin(async (tx) => {
    await tx`set local session_replication_role = replica`;
    await tx`update price_mark set received_at = at`;
    await tx`update depth_snapshot set received_at = at`;
  });
}

/** By the numbers that they came with. */
async function left(table: Thinned): Promise<string[]> {
  const rows = await db.sql<{ id: string }[]>`
    select split_part(external_id, '-', 2) as id from ${db.sql(table)} order by ${db.sql(table)}.id`;
  return rows.map(({ id }) => id);
}

/** What an auditor, a trader and the next lap are told, at one instant. */
async function whatIsTold(): Promise<unknown> {
  const events = await db.sql<{ id: string }[]>`select id from deleverage_event order by id`;
  const verified = await Promise.all(events.map(({ id }) => verifyStoredEvent(db.sql, id)));
  expect(verified.length).toBeGreaterThan(0);
  expect(verified.every(isEqual)).toBe(true);
  const later = [...(await db.sql`select * from leg_mark_later order by leg_id, after_seconds`)];
  expect(later.map(({ mark }) => mark as unknown)).toEqual(expect.arrayContaining(['94', '95']));
  const rows = await db.sql.begin(async (tx) => {
    await tx`select set_config('backstop.now', ${at('22:10:01')}, true)`;
    const told: unknown[] = [];
    for (const view of [
      'current_mark',
      'margin_status',
      'adl_queue',
      'deleverage_history',
      'lap_price',
      'liquidation_fill',
    ])
      told.push([...(await tx`select to_jsonb(v)::text as row from ${tx(view)} v order by 1`)]);
    return [told];
  });
  return { verified, later, rows };
}

async function refusalOf(work: (sql: Sql) => Promise<unknown>): Promise<string> {
  const error = await db.sql
    .begin(async (tx) => {
      await work(tx as unknown as Sql);
      throw new Error('taken');
    })
    .catch((caught: unknown) => caught);
  return error instanceof Error ? error.message : String(error);
}

describe('retention', () => {
  it('removes what nothing needs, records it, and leaves what anything is told by', async () => {
    await tell();
    const before = await whatIsTold();
    expect(await removeUnneeded(db.sql, 'price_mark', ALL)).toEqual({ removed: 5, lookedTo: null });
    expect(await removeUnneeded(db.sql, 'depth_snapshot', ALL)).toEqual({ removed: 2, lookedTo: null });
    expect(await left('price_mark')).toEqual(['5', '6', '7', '8', '10', '11']);
    expect(await left('depth_snapshot')).toEqual(['2', '4']);
    expect(await whatIsTold()).toEqual(before);
    const runs = await db.sql`
      select table_name, removed, kept_since = at - interval '24 hours' as exact from retention_run order by id`;
    expect([...runs]).toEqual([
      { table_name: 'price_mark', removed: 5, exact: true },
      { table_name: 'depth_snapshot', removed: 2, exact: true },
    ]);
    for (const table of TABLES)
      expect(await removeUnneeded(db.sql, table, ALL)).toEqual({ removed: 0, lookedTo: null });
    expect(await db.sql`select from retention_run`).toHaveLength(2);
    expect(await runLap(db.sql, { worker: 'test', at: at('22:10:01') })).toMatchObject({ kind: 'RAN' });
  });

  it('keeps what somebody confirmed, and the price that vouched for another one', async () => {
    await venue.price('BTCUSDT', '100', at('21:00:00'));
    await venue.price('BTCUSDT', '150', at('21:00:01'));
    await venue.price('BTCUSDT', '150', at('21:00:02'));
    await venue.price('BTCUSDT', '151', at('21:00:03'));
    await db.sql`
      insert into audit_entry (actor, scopes, action, target_type, target_id, input, request_id, outcome)
      values ('desk', '{write:admin}', 'priceConfirm', 'Price', 'BTCUSDT/price-2', '{}', 'r', 'ACCEPTED')`;
    const confirmed = await db.sql`select external_id from price_mark where confirmed_by = 'price-3'`;
    expect([...confirmed]).toEqual([{ external_id: 'price-2' }]);
    await grow();
    await removeUnneeded(db.sql, 'price_mark', ALL);
    expect(await left('price_mark')).toEqual(['2', '3', '4']);
  });

  it('keeps what is young, by its own time or by that of its arrival', async () => {
    const [now] = await db.sql<{ old: string; young: string }[]>`
      select now() - interval '24 hours 1 minute' as old, now() - interval '23 hours 59 minutes' as young`;
    for (const price of ['100', '100.1', '100.2', '100.3']) await venue.price('BTCUSDT', price);
    await db.sql.begin(async (tx) => {
      await tx`set local session_replication_role = replica`;
      const [old, young] = [now?.old ?? '', now?.young ?? ''];
      const times = [old, old, young, young];
      const arrivals = [old, young, old, young];
      await tx`
        update price_mark p set at = n.at, received_at = n.received from unnest(${times}::timestamptz[], ${arrivals}::timestamptz[])
          with ordinality as n (at, received, place) where p.external_id = 'price-' || n.place`;
    });
    await removeUnneeded(db.sql, 'price_mark', ALL);
    expect(await left('price_mark')).toEqual(['2', '3', '4']);
    expect(await removeUnneeded(db.sql, 'price_mark', { ...ALL, days: 2 })).toEqual({ removed: 0, lookedTo: null });
  });

  it('goes on behind what it looked at, a bounded batch at a time', async () => {
    await tell();
    const steps: unknown[] = [];
    let after: string | null = '0';
    while (after !== null) {
      const step = await removeUnneeded(db.sql, 'price_mark', { ...ALL, after, atMost: 4 });
      steps.push(step?.removed);
      after = step?.lookedTo ?? null;
    }
    expect(steps).toEqual([4, 0, 1]);
    expect(await left('price_mark')).toEqual(['5', '6', '7', '8', '10', '11']);
  });
});

describe('what a snapshot told', () => {
  it('goes when it is old, and what came of it stays', async () => {
    await venue.account('alice', { deposit: '5' });
    for (const id of ['old', 'young']) {
      const snapshot = { id, asOf: at('21:30:00'), chunk: 1, positions: [] };
      const balances = ['1', '2', '3'].map((amount) => ({ accountId: `a${amount}`, assetId: 'USDT', amount }));
      await addSnapshotChunk(db.sql, 'feed', { ...snapshot, balances });
      await finishSnapshot(db.sql, 'feed', { id, chunks: 1, rows: 3 });
    }
    await db.sql.begin(async (tx) => {
      await tx`set local session_replication_role = replica`;
      await tx`update reconciliation_row set received_at = now() - interval '24 hours 1 minute' where reconciliation_id = 1`;
      await tx`update reconciliation_row set received_at = now() - interval '23 hours 59 minutes' where reconciliation_id = 2`;
    });
    const told = (): Promise<string> => fingerprintOf(db.sql, ['reconciliation_row', 'retention_run']);
    const before = await told();
    const remove = (sql: Sql, ids: number[]): Promise<unknown> =>
      sql`delete from reconciliation_row where id = any(${ids}::integer[])`;
    expect(await refusalOf((sql) => remove(sql, [1, 2, 3]))).toMatch(REFUSAL);
    const recorded = (ids: number[]): Promise<string> =>
      refusalOf(async (sql) => {
        await sql`insert into retention_run (table_name, kept_since, removed)
          values ('reconciliation_row', now() - interval '24 hours', ${ids.length}::integer)`;
        await remove(sql, ids);
      });
    expect(await recorded([1, 2, 3])).toBe('taken');
    expect(await recorded([1, 2, 4])).toMatch(REFUSAL);
    expect(await refusalOf((sql) => sql`update reconciliation_row set amount = 0`)).toMatch(/is history/);
    expect(await refusalOf((sql) => sql`truncate reconciliation_row`)).toMatch(/is history/);
    expect(await removeUnneeded(db.sql, 'reconciliation_row', ALL)).toEqual({ removed: 3, lookedTo: null });
    const left = await db.sql`select distinct reconciliation_id from reconciliation_row`;
    expect([...left]).toEqual([{ reconciliation_id: '2' }]);
    expect(await told()).toBe(before);
  });
});

describe('the guards', () => {
  it.each(TABLES)('of %s refuse to lose anything without its record, or that is needed', async (table) => {
    await tell();
    const needed = table === 'price_mark' ? 'price-7' : 'depth-4';
    const free = table === 'price_mark' ? ['price-1', 'price-4'] : ['depth-1', 'depth-3'];
    const record = (sql: Sql, removed: number, days = 1): Promise<unknown> => sql`
      insert into retention_run (table_name, kept_since, removed)
      values (${table}, now() - ${days}::integer * interval '24 hours', ${removed}::integer)`;
    const remove = (sql: Sql, ids: string[]): Promise<unknown> =>
      sql`delete from ${sql(table)} where external_id = any(${ids}::text[])`;
    expect(await refusalOf((sql) => remove(sql, free))).toMatch(REFUSAL);
    expect(await refusalOf((sql) => remove(sql, []))).toMatch(REFUSAL);
    const recorded = (removed: number, ids: string[], days?: number): Promise<string> =>
      refusalOf(async (sql) => {
        await record(sql, removed, days);
        await remove(sql, ids);
      });
    expect(await recorded(2, free)).toBe('taken');
    expect(await recorded(1, free)).toMatch(REFUSAL);
    expect(await recorded(3, free)).toMatch(REFUSAL);
    expect(await recorded(1, [needed])).toMatch(REFUSAL);
    expect(await recorded(2, free, 20_000)).toMatch(REFUSAL);
    expect(await recorded(1, free, 0)).toMatch(/retention_run_check/);
    expect(await refusalOf((sql) => sql`truncate ${sql(table)} cascade`)).toMatch(/is history/);
    // The record of another transaction allows nothing.
    await removeUnneeded(db.sql, table, { ...ALL, atMost: 1 });
    expect(await refusalOf((sql) => remove(sql, free.slice(1)))).toMatch(REFUSAL);
    expect(await refusalOf((sql) => sql`delete from retention_run`)).toMatch(/retention_run is history/);
  });
});

describe('two at once, and one that dies', () => {
  it('lets one work, and loses nothing of what a dead one had in its hands', async () => {
    await tell();
    const victim = connect();
    const [own] = await victim<{ pid: number }[]>`select pg_backend_pid() as pid`;
    await victim`begin`;
    // As the job does it: the lock, the record, the rows.
    expect(await victim`select pg_try_advisory_xact_lock(4207315894) as ours`).toEqual([{ ours: true }]);
    await victim`insert into retention_run (table_name, kept_since, removed) values ('price_mark', now() - interval '24 hours', 1)`;
    await victim`delete from price_mark where external_id = 'price-1'`;
    expect(await removeUnneeded(db.sql, 'price_mark', ALL)).toBeUndefined();
    await db.sql`select pg_terminate_backend(${own?.pid ?? 0}, 5000)`;
    expect(await left('price_mark')).toHaveLength(11);
    expect(await db.sql`select from retention_run`).toHaveLength(0);
    expect(await removeUnneeded(db.sql, 'price_mark', ALL)).toEqual({ removed: 5, lookedTo: null });
  });

  it('as jobs remove each row once, and say what went', async () => {
    await tell();
    const said: string[] = [];
    const sink = new Writable({
      write(chunk: Buffer, _encoding, done) {
        said.push(chunk.toString());
        done();
      },
    });
    const log = createLog('info', sink);
    const jobs = [1, 2].map(() => new Retention({ sql: db.sql, log, days: DAYS, pauseMs: 1, restMs: 1, atMost: 2 }));
    for (const job of jobs) job.start();
    while ((await left('price_mark')).length > 6 || (await left('depth_snapshot')).length > 2) continue;
    for (const job of jobs) await job.stop();
    const [sum] = await db.sql<{ removed: number }[]>`select sum(removed)::integer as removed from retention_run`;
    expect(sum).toEqual({ removed: 7 });
    const lines = said.map((line) => JSON.parse(line) as { msg: string; removed: number });
    expect(lines.every(({ msg }) => msg === 'old rows were removed')).toBe(true);
    expect(lines.reduce((total, { removed }) => total + removed, 0)).toBe(7);
  });
});

describe('keys of requests', () => {
  async function tellKeys(...days: number[]): Promise<void> {
    for (const age of days) {
      await db.sql`
        with entry as (
          insert into audit_entry (actor, scopes, action, input, request_id, outcome)
          values ('tester', '{}', 'marketHalt', '{}', 'r', 'ACCEPTED') returning id)
        insert into idempotency_key (caller, key, content_digest, audit_entry_id, recorded_at)
        select 'tester', ${`k${String(age)}`}, repeat('0', 64), id, clock_timestamp() - ${age}::integer * interval '1 day'
        from entry`;
    }
  }
  const keys = async (): Promise<string[]> =>
    (await db.sql<{ key: string }[]>`select key from idempotency_key order by key`).map(({ key }) => key);

  it('go after seven days, in batches, whatever prices and order books do', async () => {
    await tellKeys(6, 7, 8, 9);
    const retention = new Retention({
      ...{ sql: db.sql, log: createLog('silent'), days: undefined, pauseMs: 1, restMs: 1, atMost: 2 },
    });
    retention.start();
    while ((await keys()).length > 1) continue;
    await retention.stop();
    expect(await keys()).toEqual(['k6']);
    expect(await db.sql`select from audit_entry`).toHaveLength(4);
  });

  it('stay for seven days, whoever would remove or change them', async () => {
    await tellKeys(6, 8);
    expect(await refusalOf((sql) => sql`delete from idempotency_key where key = 'k6'`.execute())).toMatch(
      /^Key k6 of tester is younger than seven days/,
    );
    expect(await refusalOf((sql) => sql`update idempotency_key set caller = 'x'`.execute())).toMatch(/never changed/);
    expect(await refusalOf((sql) => sql`truncate idempotency_key`.execute())).toMatch(/never changed or removed/);
    expect(await removeOldKeys(db.sql, 10)).toBe(1);
    expect(await keys()).toEqual(['k6']);
  });
});

describe('an engine', () => {
  const config = { host: '127.0.0.1', port: 0, corsOrigins: [], limits: NO_LIMITS, metricsToken: undefined };
  const start = (retentionDays: number | undefined): ReturnType<typeof startApp> =>
    startApp({
      ...{ databaseUrl: db.url, config: { ...config, retentionDays }, access: TEST_ACCESS, log: createLog('silent') },
      role: 'engine',
    });

  it('removes when it is told after how many days, and not else', async () => {
    await tell();
    await db.sql`update job set paused = true`;
    await (await start(undefined)).stop();
    expect(await left('price_mark')).toHaveLength(11);
    const app = await start(DAYS);
    while ((await left('price_mark')).length > 6 || (await left('depth_snapshot')).length > 2) continue;
    await app.stop();
    expect(await db.sql`select from retention_run`).toHaveLength(2);
  });
});
