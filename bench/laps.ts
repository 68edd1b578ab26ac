import { performance } from 'node:perf_hooks';
import { closeSql, openSql, type Sql } from '../src/db/connect.js';
import type { EmbeddedServer } from '../src/db/embedded.js';
import { runLap, type LapMemory, type LapRan } from '../src/engine/run-lap.js';
import { importBookLines } from '../src/ingest/import-book.js';
import { recordPrices } from '../src/ingest/prices.js';
import { makeBenchBook, type BenchSize } from './book.js';
import { summarize, time, type Times } from './timing.js';

export interface LapTimes {
  readonly accountIds: readonly string[];
  /** A lap with nothing to do: nothing moved since the last, or the price did and nobody is in trouble. */
  readonly idle: Times;
  readonly moving: Times;
  readonly crash: Times;
  readonly bankruptcies: number;
  readonly legs: number;
  readonly legsPerSecond: number;
}

const IDLE_RUNS = 20;
const CRASH_RUNS = 5;

/** Leaves the database `bench_idle` behind, in which nothing is in trouble. */
export async function measureLaps(server: EmbeddedServer, size: BenchSize): Promise<LapTimes> {
  const book = makeBenchBook(size);
  const sql = openSql(server.url, { max: 1 });
  await importBookLines(sql, book.lines);
  await sql`analyze`;
  // The first lap publishes every level; the state after it is what both measurements begin with.
  const first = await lap(sql);
  if (first.counts.transitions > 0) throw new Error('the bench book begins in trouble');
  await closeSql(sql);
  const admin = openSql(server.urlOf('postgres'), { max: 1 });
  await admin`create database bench_idle template bench`;
  const idleSql = openSql(server.urlOf('bench_idle'), { max: 2 });
  const memory: LapMemory = {};
  const quietLap = async (): Promise<void> => {
    const { counts } = await lap(idleSql, memory);
    if (counts.transitions + counts.liquidations + counts.events > 0) throw new Error('an idle lap did something');
  };
  const idle = await time(IDLE_RUNS, quietLap);
  let tick = 0;
  const moving = await time(IDLE_RUNS, quietLap, async () => {
    // A tick up and down in turn: every account's margin and every rank has to be found anew.
    const price = String(100_000 + 10 * (tick++ % 2));
    await recordPrices(idleSql, [{ id: `tick-${String(tick)}`, marketId: 'BTCUSDT', price }]);
  });
  await closeSql(idleSql);

  const crashes: number[] = [];
  let crashed: LapRan | undefined;
  for (let i = 0; i < CRASH_RUNS; i++) {
    await admin`drop database if exists bench_crash`;
    await admin`create database bench_crash template bench`;
    const crashSql = openSql(server.urlOf('bench_crash'), { max: 2 });
    // As in service, the process has run a lap before.
    const memory: LapMemory = {};
    await lap(crashSql, memory);
    await recordPrices(crashSql, [{ id: 'crash', marketId: 'BTCUSDT', price: book.crashPrice }]);
    const start = performance.now();
    crashed = await lap(crashSql, memory);
    crashes.push(performance.now() - start);
    await check(crashSql, crashed, size);
    await closeSql(crashSql);
  }
  await closeSql(admin);
  if (crashed === undefined) throw new Error('nothing crashed');
  const crash = summarize(crashes);
  const { events, legs } = crashed.counts;
  return {
    accountIds: book.accountIds,
    idle,
    moving,
    crash,
    bankruptcies: events,
    legs,
    legsPerSecond: (legs / crash.medianMs) * 1000,
  };
}

async function lap(sql: Sql, memory?: LapMemory): Promise<LapRan> {
  const result = await runLap(sql, { worker: 'bench', memory });
  if (result.kind !== 'RAN') throw new Error(`the lap did not run: ${result.kind}`);
  return result;
}

/** A fast wrong answer is no answer. */
async function check(sql: Sql, { counts }: LapRan, { doomed }: BenchSize): Promise<void> {
  if (counts.events !== doomed)
    throw new Error(`${String(counts.events)} accounts were deleveraged, not ${String(doomed)}`);
  const violations = await sql`select * from invariant_violations`;
  if (violations.length > 0) throw new Error(`invariants broken: ${JSON.stringify(violations[0])}`);
}
