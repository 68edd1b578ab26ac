import { setTimeout as sleep } from 'node:timers/promises';
import type { Sql, Tx } from '../db/connect.js';
import { loadDueDepths, loadMarketIds, loadNewestPrices, lockDepth } from '../db/demo-state.js';
import { lockMarkets } from '../db/locks.js';
import { readClock } from '../db/record-notice.js';
import { inTransaction } from '../db/transaction.js';
import { messageOf } from '../errors.js';
import { applyDepth, parseDepth } from '../ingest/depth.js';
import { applyPrices, parsePrice } from '../ingest/prices.js';
import { addMilliseconds, isOlderThan, type Instant } from '../risk/instant.js';
import type { Log } from '../telemetry.js';

export interface DemoFeed {
  stop(): Promise<void>;
}

const EVERY_MS = 3000;
/** A price or a used order book younger than this was just brought, by us, by another process's feed, or by somebody. */
const YOUNG_MS = 2000;
/** An order book that nobody took from is the same a minute later: it is repeated as seldom as the crash refilled it. */
const UNUSED_DEPTH_MS = 60_000;
/** A suspect price is left alone so long: repeating the last good one would settle what a person is to confirm. */
const SUSPECT_MS = 60_000;

/**
 * Instead of an exchange: repeats the last prices and order books of every market, whoever brought them, so that
 * nothing goes stale and liquidations find depth again.
 */
export function startDemoFeed(sql: Sql, log: Log): DemoFeed {
  const stopping = new AbortController();
  const running = (async () => {
    while (!stopping.signal.aborted) {
      await repeatLast(sql).catch((error: unknown) => {
        log.warn(`demo feed: ${messageOf(error)}`);
      });
      await sleep(EVERY_MS, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  })();
  return {
    stop: () => {
      stopping.abort();
      return running;
    },
  };
}

export interface Repeated {
  readonly prices: number;
  readonly depths: number;
}

/**
 * One turn. What is newest is read under the locks that a recorder of prices or of depth needs, so that nothing newer
 * can slip in between the reading and the repeating, and be overtaken by it.
 */
export async function repeatLast(sql: Sql): Promise<Repeated> {
  return inTransaction(sql, { isolation: 'read committed' }, async (tx) => {
    await lockMarkets(tx, await loadMarketIds(tx), 'CHANGE');
    await lockDepth(tx);
    const now = await readClock(tx);
    const id = `repeat-${now.replace(/\D/g, '')}`;
    return { prices: await repeatPrices(tx, id, now), depths: await repeatDepths(tx, id, now) };
  });
}

async function repeatPrices(tx: Tx, id: string, now: Instant): Promise<number> {
  const due = (await loadNewestPrices(tx)).filter(({ newestAt, isSuspect }) =>
    isOlderThan(newestAt, isSuspect ? SUSPECT_MS : YOUNG_MS, now),
  );
  if (due.length === 0) return 0;
  const rows = due.map(({ marketId, price }, index) => parsePrice({ id, marketId, price, at: now }, index));
  return (await applyPrices(tx, rows)).recorded;
}

async function repeatDepths(tx: Tx, id: string, now: Instant): Promise<number> {
  const due = await loadDueDepths(tx, addMilliseconds(now, -UNUSED_DEPTH_MS), addMilliseconds(now, -YOUNG_MS));
  if (due.length === 0) return 0;
  const rows = due.map(({ marketId, bids, asks }, index) => parseDepth({ id, marketId, bids, asks, at: now }, index));
  return (await applyDepth(tx, rows)).recorded;
}
