import { readSystem } from '../db/read-jobs.js';
import { WATERFALL_JOB } from '../engine/run-lap.js';
import type { MarginStatus } from '../generated/graphql.js';
import type { Context } from './context.js';
import { freshnessOf } from './freshness.js';

const STATUSES: readonly MarginStatus[] = ['HEALTHY', 'WARNING', 'MARGIN_CALL', 'LIQUIDATABLE', 'BANKRUPT'];

export async function systemStatus({ sql, book, loaders }: Context) {
  const [{ now, lastLap }, engine] = await Promise.all([readSystem(sql), loaders.job.load(WATERFALL_JOB)]);
  if (engine === null) throw new Error(`no job ${WATERFALL_JOB}`);
  const counts = new Map<MarginStatus, number>();
  let heldAccounts = 0;
  for (const { status, held } of book.margins()) {
    if (held) heldAccounts++;
    else if (status !== null) counts.set(status, (counts.get(status) ?? 0) + 1);
  }
  return {
    now,
    book: freshnessOf(book, []),
    accounts: STATUSES.map((status) => ({ status, count: counts.get(status) ?? 0 })),
    heldAccounts,
    lastLap,
    engine,
  };
}
