import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Sql } from '../../src/db/connect.js';
import { verifyChain } from '../../src/db/chains.js';
import { readClock } from '../../src/db/record-notice.js';
import { runLap } from '../../src/engine/run-lap.js';
import { encodeCursor } from '../../src/graphql/connection.js';
import { microsecondsBetween } from '../../src/risk/instant.js';
import { bearer } from '../support/access.js';
import { assertInvariants } from '../support/checks.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import type { Row } from 'postgres';
import { connectTo, listen } from '../support/live.js';
import { refusalOfServe, startServe, type Served } from '../support/serve.js';
import { createTestVenue, type TestVenue } from '../support/venue.js';

const INTERVAL_MS = 2000;
const ENGINES = 3;
/** A fall that liquidates and deleverages on its way, and a recovery that does it to the other side. */
const PATH = ['99', '98', '97', '95.5', '94', '92', '90', '93', '97', '101', '106', '110'];
/** At these steps the engine at work is killed, so long after the price was sent: before, within and after its lap. */
const KILLS = new Map([
  [2, 8],
  [6, 30],
]);

let databases: TestDatabase[];
let served: Served[];

beforeEach(() => {
  databases = [];
  served = [];
});
afterEach(async () => {
  for (const one of served) one.signal('SIGKILL');
  await Promise.all(served.map(({ ended }) => ended));
  await Promise.all(databases.map((database) => database.drop()));
});

async function createDatabase(): Promise<TestDatabase> {
  const database = await createTestDatabase();
  databases.push(database);
  await database.sql`update job set interval_ms = ${INTERVAL_MS}`;
  return database;
}

async function serve(role: string, { url }: TestDatabase): Promise<Served> {
  const one = await startServe(role, { DATABASE_URL: url });
  served.push(one);
  return one;
}

/** Twenty longs of rising leverage against five shorts, little depth, and a fund that is soon empty. */
async function openVenue(sql: Sql): Promise<TestVenue> {
  const venue = await createTestVenue(sql, { staleAfterMs: 86_400_000 });
  venue.at = await readClock(sql);
  await venue.deposit('fund-usdt', '30');
  for (let short = 0; short < 5; short++) await venue.account(`short-${short}`, { deposit: String(60 + 40 * short) });
  await venue.price('BTCUSDT', '100');
  // Once: each order book that comes is a hint, and when its lap comes between two prices is chance.
  await venue.depth('BTCUSDT', { bids: '2@99 2@97 2@95 2@93', asks: '2@101 2@104 2@107' });
  for (let long = 0; long < 20; long++) {
    const id = `long-${String(long).padStart(2, '0')}`;
    await venue.account(id, { deposit: String(6 + long) });
    await venue.trade('BTCUSDT', id, `short-${long % 5}`, '2', '100');
  }
  return venue;
}

async function tellPrice(venue: TestVenue, sql: Sql, price: string): Promise<void> {
  venue.at = await readClock(sql);
  await venue.price('BTCUSDT', price);
}

/** What the laps came to, without when and in how many of them. */
async function stateOf(sql: Sql): Promise<Record<string, string[]>> {
  const rows = async (query: PromiseLike<readonly Row[]>): Promise<string[]> =>
    (await query).map((found) => String(found['row']));
  return {
    positions: await rows(sql`
      select concat_ws(' ', account_id, market_id, size, cost) as row from position order by account_id, market_id`),
    balances: await rows(sql`
      select concat_ws(' ', account_id, asset_id, amount) as row from balance order by account_id, asset_id`),
    legs: await rows(sql`
      select concat_ws(' ', counterparty_id, rank, size_closed, price, concession) as row
      from deleverage_history order by event_id, ordinal`),
    funds: await rows(sql`
      select concat_ws(' ', kind, amount, balance_after, account_id) as row from insurance_fund_ledger order by sequence`),
    forced: await rows(sql`
      select concat_ws(' ', account_id, market_id, size, price) as row from forced_trade order by id`),
  };
}

/** What one engine that nothing disturbs makes of the same path. */
async function undisturbed(): Promise<Record<string, string[]>> {
  const { sql } = await createDatabase();
  const venue = await openVenue(sql);
  for (const price of PATH) {
    await tellPrice(venue, sql, price);
    for (let quiet = false; !quiet;) {
      const result = await runLap(sql, { worker: 'test' });
      quiet = result.kind === 'RAN' && !result.more;
    }
  }
  return stateOf(sql);
}

interface Round {
  readonly round: string;
  readonly status: string;
  readonly worker: string;
  readonly started_at: string;
  readonly ended_at: string;
}

const readRounds = async (sql: Sql): Promise<Round[]> =>
  sql<Round[]>`select round, status, worker, started_at, ended_at from job_run order by round`;

/** Until a lap that began after now has left nothing to do. */
async function settled(sql: Sql): Promise<void> {
  const told = await readClock(sql);
  for (;;) {
    const last = (await readRounds(sql)).at(-1);
    const [lap] = await sql<{ more: boolean }[]>`select more from lap order by id desc limit 1`;
    if (last?.status === 'SUCCEEDED' && last.started_at > told && lap?.more !== true) return;
    await pause(20);
  }
}

const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

interface AtWork {
  readonly engine: Served;
  /** As it signs its rounds. */
  readonly name: string;
}

async function theOneAtWork(engines: readonly Served[]): Promise<AtWork> {
  for (;;) {
    for (const engine of engines) {
      const { duty, worker } = await engine.health();
      if (duty === 'WORKS' && typeof worker === 'string') return { engine, name: worker };
    }
    await pause(20);
  }
}

/** Prices of a market that nobody has a position in, so that laps follow each other without a break. */
function keepBusy(venue: TestVenue): { stop: () => Promise<void> } {
  let isStopping = false;
  const run = async (): Promise<void> => {
    for (let tick = 0; !isStopping; tick++) {
      await venue.price('ETHUSDT', `10${String(tick % 10)}`);
      await pause(25);
    }
  };
  const running = run();
  return {
    stop: () => {
      isStopping = true;
      return running;
    },
  };
}

describe('several engines', () => {
  it('lose and double nothing when the one at work is killed in a crash, and another takes over at once', async () => {
    const reference = await undisturbed();
    // The path does all there is to do, or surviving it would prove little.
    for (const part of Object.values(reference)) expect(part.length).toBeGreaterThan(3);

    const database = await createDatabase();
    const { sql } = database;
    const venue = await openVenue(sql);
    let engines = await Promise.all(Array.from({ length: ENGINES }, () => serve('engine', database)));
    await settled(sql);
    const load = keepBusy(venue);
    const killed: string[] = [];
    for (const [index, price] of PATH.entries()) {
      const killAfter = KILLS.get(index);
      const victim = killAfter === undefined ? undefined : await theOneAtWork(engines);
      await tellPrice(venue, sql, price);
      if (victim !== undefined) {
        await pause(killAfter ?? 0);
        victim.engine.signal('SIGKILL');
        expect(await victim.engine.ended).toBe('SIGKILL');
        killed.push(victim.name);
        engines = engines.filter((engine) => engine !== victim.engine);
      }
      await settled(sql);
    }
    await load.stop();
    // Whichever engine it is that seals: kills of the one at work do it no harm.
    for (const waits = async () => (await sql`select from chain_due limit 1`).length > 0; await waits();)
      await pause(20);
    const [events] = await sql<{ links: string }[]>`select count(*) as links from deleverage_event`;
    expect(await verifyChain(sql, 'DELEVERAGE')).toMatchObject({ ...events, reason: null });
    expect(await verifyChain(sql, 'FUND_LEDGER')).toMatchObject({ pending: '0', reason: null });

    expect(await stateOf(sql)).toEqual(reference);
    await assertInvariants(sql);
    const rounds = await readRounds(sql);
    expect(rounds.map(({ round }) => round)).toEqual(rounds.map((_, index) => String(index + 1)));
    expect(new Set(rounds.map(({ status }) => status))).toEqual(new Set(['SUCCEEDED']));
    expect(new Set(killed).size).toBe(KILLS.size);
    for (const name of killed) {
      const last = rounds.findLastIndex(({ worker }) => worker === name);
      const [before, next] = rounds.slice(last, last + 2);
      if (before === undefined || next === undefined) throw new Error(`nobody took over from ${name}`);
      expect(microsecondsBetween(before.ended_at, next.started_at)).toBeLessThan(2 * INTERVAL_MS * 1000);
    }
  });
});

describe('the roles', () => {
  it('part the work: an engine runs the job, an API process answers, and says so', async () => {
    const database = await createDatabase();
    await database.sql`update job set interval_ms = 300`;
    await openVenue(database.sql);
    const [api, engine] = await Promise.all([serve('api', database), serve('engine', database)]);
    await settled(database.sql);
    const authorization = await bearer({ scopes: ['write:admin'] });
    const post = (origin: string, query: string): Promise<Response> =>
      fetch(`${origin}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization },
        body: JSON.stringify({ query }),
      });
    expect((await post(engine.origin, '{ __typename }')).status).toBe(404);
    const byHand = 'mutation { jobRun(input: { name: "waterfall" }) { outcome userErrors { message } } }';
    let answer: string;
    // The engine may be inside a lap just then.
    do answer = await (await post(api.origin, byHand)).text();
    while (answer.includes('BUSY'));
    expect(JSON.parse(answer)).toEqual({ data: { jobRun: { outcome: 'RAN', userErrors: [] } } });
    // A lap by hand takes no engine's place.
    const health = await engine.health();
    expect(health).toEqual({
      ready: true,
      reasons: [],
      role: 'engine',
      duty: 'WORKS',
      worker: expect.stringMatching(/^engine\//),
      round: expect.any(String),
      lastLapAgeMs: expect.any(Number),
    });
    await settled(database.sql);
    const workers = new Set((await readRounds(database.sql)).map(({ worker }) => worker.replace(/\/.*/, '')));
    expect(workers).toEqual(new Set(['engine', 'hand']));
    for (const one of [api, engine]) one.signal('SIGTERM');
    expect(await Promise.all([api.ended, engine.ended])).toEqual([0, 0]);
  });

  it('are three', async () => {
    const refused = refusalOfServe('boss', { DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/none' });
    expect(await refused).toEqual({ code: 1, said: 'There is no role boss; there is: all, api, engine.\n' });
  });
});

describe('a stream of one process', () => {
  it('tells what an engine elsewhere did, each once and in order, also when nobody is told that something came', async () => {
    const database = await createDatabase();
    const { sql } = database;
    const venue = await openVenue(sql);
    const [api] = [await serve('api', database), await serve('engine', database)];
    const client = connectTo(`${api.origin}/graphql`, null);
    const stream = listen(client, 'subscription { forcedTrades { node { id } } }');
    const entries = listen(client, 'subscription($after: String) { ledgerEntries(after: $after) { node { id } } }', {
      after: encodeCursor('ledgerEntries', '0'),
    });
    const desk = connectTo(`${api.origin}/graphql`, await bearer({ scopes: ['read:risk'] }));
    const longs = Array.from({ length: 20 }, (_, long) => `long-${String(long).padStart(2, '0')}`);
    const calls = listen(desk, 'subscription($ids: [String!]) { marginCallChanged(accountIds: $ids) { id status } }', {
      ids: longs,
    });
    const idsOf = async (count: number): Promise<string[]> => {
      const ids: string[] = [];
      while (ids.length < count) {
        const { forcedTrades } = (await stream.next()) as { forcedTrades: { node: { id: string } } };
        ids.push(forcedTrades.node.id);
      }
      return ids;
    };
    // The stream goes on from what was there when it began: nothing must come before that.
    await listen(client, 'subscription { marketAdlChanged(marketSymbols: ["BTCUSDT"]) { symbol } }').next();
    let seen = 0;
    for (const price of ['97', '94']) {
      await tellPrice(venue, sql, price);
      const trades = async (): Promise<string[]> =>
        (await sql<{ id: string }[]>`select id from forced_trade order by id`).map(({ id }) => `ForcedTrade:${id}`);
      while ((await trades()).length === seen) await sleep(20);
      const expected = (await trades()).slice(seen);
      expect(await idsOf(expected.length)).toEqual(expected);
      seen += expected.length;
      // Whoever listens is cut off: what comes before he is back is found by looking.
      await sql`select pg_terminate_backend(pid) from pg_stat_activity
        where query ilike 'listen%' and datname = current_database()`;
    }
    const sealed = async (): Promise<string[]> =>
      (
        await sql<{ id: string }[]>`select row_id as id from chain_link where chain = 'FUND_LEDGER' order by sequence`
      ).map(({ id }) => `LedgerEntry:${id}`);
    const waits = async (): Promise<boolean> =>
      (await sql`select from chain_due where chain = 'FUND_LEDGER'`).length > 0;
    await settled(sql);
    while (await waits()) await sleep(20);
    expect((await sealed()).length).toBeGreaterThan(3);
    for (const id of await sealed()) expect(await entries.next()).toEqual({ ledgerEntries: { node: { id } } });
    const told = (): Map<string, string> =>
      new Map(
        (calls.told as { marginCallChanged: { id: string; status: string } }[]).map(({ marginCallChanged: call }) => [
          call.id,
          call.status,
        ]),
      );
    const stored = async (): Promise<Map<string, string>> =>
      new Map(
        (
          await sql<{ id: string; status: string }[]>`
            select concat('MarginCall:', id) as id, status from margin_call where account_id like 'long-%' order by id`
        ).map(({ id, status }) => [id, status]),
      );
    expect((await stored()).size).toBeGreaterThan(1);
    const inOrder = (calls: Map<string, string>): string => [...calls].map(String).sort().join();
    while (inOrder(told()) !== inOrder(await stored())) await sleep(20);
    await Promise.all([client.dispose(), desk.dispose()]);
  });
});
