import { BookFollower } from '../src/book/follower.js';
import { createLog } from '../src/telemetry.js';
import { closeSql, openSql, type Sql } from '../src/db/connect.js';
import { runLap, type LapMemory, type LapRan } from '../src/engine/run-lap.js';
import { recordPrices } from '../src/ingest/prices.js';
import { pricesOf } from './prices.js';
import { time, type Times } from './timing.js';

export interface LapTimes {
  /** A lap with nothing to do: nothing moved since the last, or one price did and nobody is in trouble. */
  readonly idle: Times;
  readonly moving: Times;
}

const RUNS = 20;

/** On a venue in which nothing is in trouble. */
export async function measureLaps(url: string): Promise<LapTimes> {
  const sql = openSql(url, { max: 2 });
  const memory: LapMemory = { books: new BookFollower({ sql, log: createLog('silent') }) };
  const quietLap = async (): Promise<void> => {
    const { counts } = await lap(sql, memory);
    if (counts.liquidations + counts.events > 0) throw new Error('an idle lap did something');
  };
  // The first one publishes every level.
  await quietLap();
  const idle = await time(RUNS, quietLap);
  const prices = await pricesOf(sql);
  let tick = 0;
  const moving = await time(RUNS, quietLap, async () => {
    // A tick up and down in turn.
    const price = prices.ticked('BTCUSDT', tick++ % 2);
    await recordPrices(sql, [{ id: `lap-${String(tick)}`, marketId: 'BTCUSDT', price }]);
  });
  await closeSql(sql);
  return { idle, moving };
}

/** Longer than a lap may take in service: here the time it takes is the answer. */
const LIMIT_MS = 120_000;

export async function lap(sql: Sql, memory?: LapMemory): Promise<LapRan> {
  const result = await runLap(sql, { worker: 'bench', memory, limitMs: LIMIT_MS });
  if (result.kind !== 'RAN') throw new Error(`the lap did not run: ${result.kind}`);
  return result;
}
