import { Writable } from 'node:stream';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { startApp, type App } from '../../src/app.js';
import { BookFollower } from '../../src/book/follower.js';
import { SelfCheck } from '../../src/book/self-check.js';
import { closeSql, openSql, type Sql } from '../../src/db/connect.js';
import { readHistoryPlace } from '../../src/db/history-place.js';
import { readClock } from '../../src/db/record-notice.js';
import { catchUp, readDataInstant } from '../../src/db/standby.js';
import { inTransaction } from '../../src/db/transaction.js';
import { runLap } from '../../src/engine/run-lap.js';
import { JobRunner } from '../../src/jobs/runner.js';
import { createLog } from '../../src/telemetry.js';
import { bearer, TEST_ACCESS } from '../support/access.js';
import { assertInvariants } from '../support/checks.js';
import { testUrl } from '../support/database.js';
import { NO_LIMITS } from '../support/limits.js';
import { startStandbyCluster, type StandbyCluster } from '../support/standby-cluster.js';
import { createTestVenue, type TestVenue } from '../support/venue.js';

const CONFIG = { host: '127.0.0.1', port: 0, corsOrigins: [], limits: NO_LIMITS, metricsToken: undefined };
const CATCH_UP_MS = 30_000;

let cluster: StandbyCluster;
let primary: Sql;
let standby: Sql;
let venue: TestVenue;
/** The laps of the primary: what makes the instant of the standby's data go on. */
let engine: JobRunner;
let readUrl: string;
let apps: App[] = [];
let complaints: string[] = [];

const sink = new Writable({
  write(chunk: Buffer, _encoding, done) {
    complaints.push(chunk.toString());
    done();
  },
});

beforeAll(async () => {
  cluster = await startStandbyCluster();
  primary = openSql(cluster.primaryUrl, { max: 4 });
  standby = openSql(cluster.standbyUrl, { max: 2 });
  await primary`alter role backstop_reader login password 'reader'`;
  venue = await createTestVenue(primary, { staleAfterMs: 86_400_000 });
  await venue.account('alice', { deposit: '20' });
  await venue.account('bob', { deposit: '100' });
  await tellPrice('100');
  await venue.trade('BTCUSDT', 'alice', 'bob', '10', '100');
  engine = new JobRunner({ sql: primary, log: createLog('silent'), worker: 'engine/test', pollMs: 50 });
  await primary`update job set interval_ms = 200`;
  engine.start();
  // Whoever only reads needs no more than the reader's role.
  const url = new URL(cluster.standbyUrl);
  [url.username, url.password] = ['backstop_reader', 'reader'];
  readUrl = url.href;
  await catchUp(primary, standby, CATCH_UP_MS);
});
afterAll(async () => {
  await engine.stop();
  await assertInvariants(primary);
  await closeSql(standby);
  await closeSql(primary);
  await cluster.remove();
});
afterEach(async () => {
  for (const app of apps) await app.stop();
  apps = [];
  complaints = [];
});

async function startApi(url = readUrl): Promise<App> {
  const log = createLog('warn', sink);
  const app = await startApp({
    ...{ databaseUrl: cluster.primaryUrl, readUrl: url, config: CONFIG, access: TEST_ACCESS, log, role: 'api' },
  });
  apps.push(app);
  return app;
}

async function tellPrice(price: string): Promise<void> {
  venue.at = await readClock(primary);
  await venue.price('BTCUSDT', price);
}

interface Answer<T> {
  readonly data: T;
  readonly errors?: unknown;
}

async function ask<T>(app: App, query: string): Promise<Answer<T>> {
  const response = await fetch(app.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: await bearer() },
    body: JSON.stringify({ query }),
  });
  return (await response.json()) as Answer<T>;
}

interface Glance {
  readonly systemStatus: {
    readonly now: string;
    readonly book: { readonly code: string; readonly computedAt: string };
  };
  readonly market: { readonly markPrice: { readonly price: string } };
}

interface Seen {
  readonly now: string;
  readonly bookAt: string;
  readonly fresh: string;
  readonly price: string;
}

async function look(app: App): Promise<Seen> {
  const query = '{ systemStatus { now book { code computedAt } } market(symbol: "BTCUSDT") { markPrice { price } } }';
  const { data } = await ask<Glance>(app, query);
  const { now, book } = data.systemStatus;
  return { now, bookAt: book.computedAt, fresh: book.code, price: data.market.markPrice.price };
}

/** As /metrics tells it. */
async function lagOf(app: App): Promise<number> {
  const text = await (await fetch(app.url.replace(/graphql$/, 'metrics'))).text();
  return Number(/^backstop_replication_lag_seconds (\S+)$/m.exec(text)?.[1]);
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo().catch(() => false))) await new Promise((resolve) => setTimeout(resolve, 50));
}

describe('an API process with a standby', () => {
  it('answers from the standby, follows the primary, and complains of nothing', async () => {
    const app = await startApi();
    for (const price of ['100.5', '101']) {
      await tellPrice(price);
      await until(async () => (await look(app)).price === price);
    }
    expect((await look(app)).fresh).toBe('FRESH');
    const [readers] = await standby<{ count: number }[]>`
      select count(*)::integer as count from pg_stat_activity where usename = 'backstop_reader'`;
    expect(readers?.count).toBeGreaterThan(0);
    expect(complaints).toEqual([]);
  });

  it('writes to the primary, and answers a mutation with what it wrote', async () => {
    const app = await startApi();
    const create = `mutation { accountCreate(input: { externalId: "zoe", traderId: "alice", marginAssetSymbol: "USDT" })
      { account { externalId margin { status } trader { externalId } } userErrors { message } } }`;
    const account = { externalId: 'zoe', margin: { status: 'HEALTHY' }, trader: { externalId: 'alice' } };
    expect(await ask(app, create)).toEqual({ data: { accountCreate: { account, userErrors: [] } } });
    const input = '(input: { marketSymbol: "ETHUSDT", reason: "test" })';
    const halt = `mutation { marketHalt${input} { market { status } userErrors { message } } }`;
    expect(await ask(app, halt)).toEqual({ data: { marketHalt: { market: { status: 'HALTED' }, userErrors: [] } } });
    const resume = `mutation { marketResume${input} { change { kind status impact { judgedAgain } } userErrors { message } } }`;
    const change = { kind: 'MARKET_RESUME', status: 'PROPOSED', impact: { judgedAgain: 0 } };
    expect(await ask(app, resume)).toEqual({ data: { marketResume: { change, userErrors: [] } } });
    const lap = 'mutation { jobRun(input: { name: "waterfall", dryRun: true }) { outcome userErrors { message } } }';
    await until(async () => JSON.stringify(await ask(app, lap)).includes('"RAN"'));
  });

  it('does not claim to be newer than a standby that lags', async () => {
    const app = await startApi();
    await standby`select pg_wal_replay_pause()`;
    await until(async () => (await standby`select where pg_get_wal_replay_pause_state() = 'paused'`).length === 1);
    const pausedAt = await readClock(primary);
    await tellPrice('102');
    await runLap(primary, { worker: 'test' });
    // Several intervals of the follower: each time it takes the same old book.
    await new Promise((resolve) => setTimeout(resolve, 2500));
    const lagging = await look(app);
    expect(lagging.price).toBe('101');
    expect(lagging.bookAt < pausedAt).toBe(true);
    expect(lagging.now > pausedAt).toBe(true);
    const { lagMs } = await readDataInstant(standby);
    expect(lagMs).toBeGreaterThan(2000);
    expect(await lagOf(app)).toBeGreaterThanOrEqual(lagMs / 1000);
    // A mutation does not wait for it for ever, and tells what the primary holds.
    const fund = `mutation { insuranceFundContribute(input: { id: "late", insuranceFundId: "fund-usdt", amount: "1" })
      { insuranceFund { balance } userErrors { message } } }`;
    const balance = { insuranceFundContribute: { insuranceFund: { balance: expect.any(String) }, userErrors: [] } };
    expect(await ask(app, fund)).toEqual({ data: balance });
    expect(complaints.join('')).toContain('the standby lags');
    await standby`select pg_wal_replay_resume()`;
    await until(async () => {
      const { price, bookAt } = await look(app);
      return price === '102' && bookAt > pausedAt;
    });
    await until(async () => (await lagOf(app)) < 2);
  });

  it('holds its book against the views of the standby, as the reader', async () => {
    const sql = openSql(readUrl, { max: 2 });
    const log = createLog('warn', sink);
    const check = new SelfCheck({ book: new BookFollower({ sql, log }), log, sampleSize: 3 });
    for (let i = 0; i < 4; i++) await check.check();
    expect(check.status()).toMatchObject({ differences: 0 });
    expect(check.status().checked).toBeGreaterThan(6);
    expect(complaints).toEqual([]);
    await closeSql(sql);
  });

  it('survives a restart of the standby, and catches up', async () => {
    const app = await startApi();
    await cluster.stopStandby();
    await tellPrice('103');
    // What is in memory is still answered, with its age.
    const held = await ask(app, '{ accounts(first: 1) { edges { node { margin { freshness { computedAt } } } } } }');
    expect(held.errors).toBeUndefined();
    const restartedAt = await readClock(primary);
    await cluster.startStandby();
    await until(async () => {
      const { price, bookAt } = await look(app);
      return price === '103' && bookAt > restartedAt;
    });
  });

  it('is refused a database that is no standby of the primary, or out of reach', async () => {
    await expect(startApi(testUrl('postgres'))).rejects.toThrow(
      'DATABASE_READ_URL names a database that is no standby of the one at DATABASE_URL.',
    );
    const nowhere = new URL(readUrl);
    nowhere.port = '1';
    await expect(startApi(nowhere.href)).rejects.toThrow(/^DATABASE_READ_URL cannot be used: .*ECONNREFUSED/);
  });
});

describe('the instant of the data', () => {
  it('is known at once after a restart without news, and is the clock after a promotion', async () => {
    await engine.stop();
    const [last] = await primary<{ at: string }[]>`select max(ended_at) as at from job_run`;
    for (const server of [primary, standby]) await server`checkpoint`;
    await cluster.stopStandby();
    await cluster.startStandby();
    const restartedAt = await readClock(primary);
    const { at } = await readDataInstant(standby);
    expect(at >= (last?.at ?? '')).toBe(true);
    expect(at < restartedAt).toBe(true);
    const place = (): Promise<{ readonly history: string }> =>
      inTransaction(standby, { isolation: 'repeatable read', readOnly: true }, readHistoryPlace);
    const { history } = await place();
    await standby`select pg_promote()`;
    // At once, not only with the next checkpoint.
    expect((await place()).history).toBe(history.replace('/1/', '/2/'));
    expect((await readDataInstant(standby)).at > restartedAt).toBe(true);
    expect((await readDataInstant(standby)).lagMs).toBe(0);
  });
});
