import type { Sql } from '../db/connect.js';
import { runLap } from '../engine/run-lap.js';
import { recordDepth } from '../ingest/depth.js';
import { recordPrices } from '../ingest/prices.js';
import { depthOf } from './depth.js';
import type { Instant } from '../risk/instant.js';
import type { Minute } from './path.js';
import { MARKET_IDS } from './venue-lines.js';

/** One minute: its marks and its order books as an exchange would send them, then laps until nobody waits for one. */
export async function playMinute(sql: Sql, minute: Minute, index: number): Promise<void> {
  const id = minuteId(index);
  await recordPrices(
    sql,
    MARKET_IDS.map((marketId) => ({ id, marketId, price: minute.marks[marketId].toFixed(), at: minute.at })),
  );
  await recordDepth(
    sql,
    depthOf(minute, () => id),
  );
  await runLaps(sql, minute.at);
}

/** Until a lap leaves nobody for the next one. */
export async function runLaps(sql: Sql, at: Instant): Promise<void> {
  for (;;) {
    const lap = await runLap(sql, { worker: 'demo', at });
    if (lap.kind !== 'RAN') throw new Error(`the demonstration cannot be played: the job is ${lap.kind}`);
    if (!lap.more) return;
  }
}

/** Of the price and the depth of a minute. */
export function minuteId(index: number): string {
  return `crash-${String(index).padStart(2, '0')}`;
}
