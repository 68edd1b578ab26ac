import type { Sql } from '../db/connect.js';
import {
  countAccounts,
  findWidestEvent,
  loadAssetChecks,
  loadCallTotals,
  loadMarketTotals,
  loadSizeSums,
  loadViolations,
} from '../db/replay-report.js';
import { importBookLines } from '../ingest/import-book.js';
import type { Instant } from '../risk/instant.js';
import { demoBook } from './book.js';
import { CRASH_START } from './parameters.js';
import { crashPath, type Minute } from './path.js';
import { playMinute } from './play.js';
import { faultsOf, renderReport, type ReplayFacts } from './report.js';

/** The replays there are. */
export const REPLAYS = ['2025-10-10'] as const;
/** Beside the served database, made anew by each replay and kept after it. */
export const REPLAY_DATABASE = 'backstop_replay_2025_10_10';

export interface Replayed {
  /** For stdout: the same from run to run, to the last digit. */
  readonly report: string;
  /** What is not conserved; empty when all is well. */
  readonly faults: readonly string[];
  /** Time of the last minute. */
  readonly endedAt: Instant;
}

/** Plays the crash, at the times at which it happened, into an empty database. */
export async function replay(sql: Sql, onMinute?: (done: number, of: number) => void): Promise<Replayed> {
  const path = crashPath(CRASH_START);
  const [first, last] = [path[0], path.at(-1)];
  if (first === undefined || last === undefined) throw new Error('the path is empty');
  await importBookLines(sql, demoBook(first), { at: first.at });
  for (const [index, minute] of path.entries()) {
    await playMinute(sql, minute, index);
    onMinute?.(index + 1, path.length);
  }
  const facts = await collect(sql, path);
  return { report: renderReport(facts), faults: faultsOf(facts), endedAt: last.at };
}

async function collect(sql: Sql, path: readonly Minute[]): Promise<ReplayFacts> {
  return {
    path,
    accounts: await countAccounts(sql),
    calls: await loadCallTotals(sql),
    markets: await loadMarketTotals(sql),
    widest: await findWidestEvent(sql),
    assets: await loadAssetChecks(sql),
    sizes: await loadSizeSums(sql),
    violations: await loadViolations(sql),
  };
}
