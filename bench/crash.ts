import { BookFollower } from '../src/book/follower.js';
import { createLog } from '../src/telemetry.js';
import { performance } from 'node:perf_hooks';
import { closeSql, openSql, type Sql } from '../src/db/connect.js';
import type { EmbeddedServer } from '../src/db/embedded.js';
import type { LapMemory, LapRan } from '../src/engine/run-lap.js';
import { importBookLines } from '../src/ingest/import-book.js';
import { recordPrices } from '../src/ingest/prices.js';
import { makeBenchBook, type BenchSize } from './book.js';
import { lap } from './laps.js';
import { summarize, type Times } from './timing.js';

export interface CrashTimes {
  readonly positions: number;
  readonly times: Times;
  readonly bankruptcies: number;
  readonly legs: number;
  readonly legsPerSecond: number;
}

const RUNS = 5;
/** Of a large venue, whose copies take longer to make than its laps. */
const FEW_RUNS = 2;
/** The view of the invariants looks at all history of all accounts; beyond this size only what the lap left is checked. */
const LARGEST_CHECKED_WHOLE = 20_000;

/** One lap that has to close all of the doomed, of a process that has run a lap before, as in service. */
export async function measureCrash(server: EmbeddedServer, url: string, size: BenchSize): Promise<CrashTimes> {
  const book = makeBenchBook(size);
  const sql = openSql(url, { max: 1 });
  await importBookLines(sql, book.lines);
  await sql`analyze`;
  // The first lap publishes every level; the state after it is what each run begins with.
  const first = await lap(sql);
  if (first.counts.transitions > 0) throw new Error('the bench book begins in trouble');
  await closeSql(sql);
  const admin = openSql(server.urlOf('postgres'), { max: 1 });
  const taken: number[] = [];
  let crashed: LapRan | undefined;
  for (let i = 0; i < (size.positions > LARGEST_CHECKED_WHOLE ? FEW_RUNS : RUNS); i++) {
    await admin`drop database if exists crash_run`;
    await admin`create database crash_run template crash`;
    const run = openSql(server.urlOf('crash_run'), { max: 2 });
    const memory: LapMemory = { books: new BookFollower({ sql: run, log: createLog('silent') }) };
    await lap(run, memory);
    await recordPrices(run, [{ id: 'crash', marketId: 'BTCUSDT', price: book.crashPrice }]);
    const start = performance.now();
    crashed = await lap(run, memory);
    taken.push(performance.now() - start);
    await check(run, crashed, size);
    await closeSql(run);
  }
  await admin`drop database crash_run`;
  await closeSql(admin);
  if (crashed === undefined) throw new Error('nothing crashed');
  const times = summarize(taken);
  const { events, legs } = crashed.counts;
  return {
    positions: size.positions,
    times,
    bankruptcies: events,
    legs,
    legsPerSecond: (legs / times.medianMs) * 1000,
  };
}

/** A fast wrong answer is no answer. */
async function check(sql: Sql, { counts }: LapRan, { doomed, positions }: BenchSize): Promise<void> {
  if (counts.events !== doomed)
    throw new Error(`${String(counts.events)} accounts were deleveraged, not ${String(doomed)}`);
  const [left] = await sql<{ unequal: number; bankrupt: number }[]>`
    select (select count(*)::integer from (select from position group by market_id having sum(size) <> 0) m) as unequal,
           (select count(*)::integer from position where account_id like 'doomed%') as bankrupt`;
  if (left?.unequal !== 0 || left.bankrupt !== 0) throw new Error(`the lap left ${JSON.stringify(left)}`);
  if (positions > LARGEST_CHECKED_WHOLE) return;
  const violations = await sql`select * from invariant_violations`;
  if (violations.length > 0) throw new Error(`invariants broken: ${JSON.stringify(violations[0])}`);
}
