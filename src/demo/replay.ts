import type { Sql } from '../db/connect.js';
import {
  countAccounts,
  findWidestEvent,
  loadAssetChecks,
  loadCallTotals,
  loadMarketTotals,
  loadSizeSums,
  loadViolations,
  setViewsClock,
} from '../db/replay-report.js';
import { importBookLines } from '../ingest/import-book.js';
import { demoBook } from './book.js';
import { CRASH_START } from './parameters.js';
import { crashPath, type Minute } from './path.js';
import { playMinute } from './play.js';
import { faultsOf, renderReport, type ReplayFacts } from './report.js';

/** The replays there are, each with its database beside the served one: made anew by each replay and kept after it. */
export const REPLAY_DATABASES: Readonly<Record<string, string>> = { '2025-10-10': 'backstop_replay_2025_10_10' };

/** Minutes of the path between two lines of progress. */
const TOLD_EVERY = 5;

/**
 * Plays the crash, at the times at which it happened, into an empty database. Returns what to print, the same from run
 * to run; `tell` hears of progress and durations. Throws when something is not conserved.
 */
export async function replay(sql: Sql, tell: (text: string) => void): Promise<string> {
  const path = crashPath(CRASH_START);
  const [first, last] = [path[0], path.at(-1)];
  if (first === undefined || last === undefined) throw new Error('the path is empty');
  const startedAt = performance.now();
  const elapsed = (): string => `${((performance.now() - startedAt) / 1000).toFixed(1)} s`;
  const book = demoBook(first);
  await importBookLines(sql, book, { at: first.at });
  tell(`book of ${book.length} lines imported, ${elapsed()}\n`);
  for (const [index, minute] of path.entries()) {
    await playMinute(sql, minute, index);
    const done = index + 1;
    if (done % TOLD_EVERY === 0 || done === path.length) tell(`minute ${done} of ${path.length}, ${elapsed()}\n`);
  }
  await setViewsClock(sql, last.at);
  const facts = await collect(sql, path);
  const report = renderReport(facts);
  const faults = faultsOf(facts);
  if (faults.length > 0) throw new Error(`the replay does not hold: ${faults.join('; ')}\n${report}`);
  return report;
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
