import { readSystem } from '../db/read-jobs.js';
import { WATERFALL_JOB } from '../engine/run-lap.js';
import type { MarginStatus } from '../generated/graphql.js';
import type { Context } from './context.js';
import { freshnessOf } from './freshness.js';

const STATUSES: readonly MarginStatus[] = ['HEALTHY', 'WARNING', 'MARGIN_CALL', 'LIQUIDATABLE', 'BANKRUPT'];

export async function systemStatus({ sql, book, loaders, parts }: Context) {
  const [{ now, lastLap }, engine] = await Promise.all([readSystem(sql), loaders.job.load(WATERFALL_JOB)]);
  if (engine === null) throw new Error(`no job ${WATERFALL_JOB}`);
  const { byStatus, held } = book.counts();
  return {
    now,
    book: freshnessOf(book, []),
    accounts: STATUSES.map((status) => ({ status, count: byStatus[status] })),
    heldAccounts: held,
    lastLap,
    engine,
    selfCheck: parts.selfCheck.status(),
  };
}
