import type { Reader } from '../db/connect.js';
import { readStaleMarkets } from '../db/read-gauges.js';
import { readOverdueJob } from '../db/read-lag.js';
import { messageOf } from '../errors.js';

export type ReasonCode = 'DATABASE' | 'BOOK_AGE' | 'JOB_LATE' | 'STALE_PRICE' | 'SELF_CHECK';

export interface Reason {
  readonly code: ReasonCode;
  readonly message: string;
}

export interface Readiness {
  /** False: send nothing here. */
  readonly ready: boolean;
  /** What is wrong. Of a process that is ready: it answers truly, and somebody should look. */
  readonly reasons: readonly Reason[];
}

/** A lap that is due and does not come: nobody runs the job, or something keeps it from running. */
const LONGEST_WAIT_SECONDS = 60;
const MOST_NAMED = 5;

/** `unready`: with which of the reasons the process should get nothing; the others degrade it. */
export function judge(reasons: readonly (Reason | null)[], unready: readonly ReasonCode[]): Readiness {
  const found = reasons.filter((reason) => reason !== null);
  return { ready: !found.some(({ code }) => unready.includes(code)), reasons: found };
}

/** What the database says of the whole service; that it says nothing, too. */
export async function findTroubles(reader: Reader): Promise<(Reason | null)[]> {
  try {
    const [late, stale] = await Promise.all([findLateJob(reader), findStalePrices(reader)]);
    return [late, stale];
  } catch (error) {
    return [{ code: 'DATABASE', message: messageOf(error) }];
  }
}

export async function findLateJob(reader: Reader): Promise<Reason | null> {
  const late = await readOverdueJob(reader, LONGEST_WAIT_SECONDS);
  if (late === null) return null;
  return { code: 'JOB_LATE', message: `the job ${late.id} is overdue by ${late.overdueSeconds} s` };
}

/** `differences`: figures that the process's book told otherwise than the database did. */
export function findDifference(differences: number): Reason | null {
  return differences > 0 ? { code: 'SELF_CHECK', message: `${differences} figures differed` } : null;
}

async function findStalePrices(reader: Reader): Promise<Reason | null> {
  const stale = await readStaleMarkets(reader);
  if (stale.length === 0) return null;
  const more = stale.length > MOST_NAMED ? ` and ${stale.length - MOST_NAMED} more` : '';
  return { code: 'STALE_PRICE', message: `no fresh price: ${stale.slice(0, MOST_NAMED).join(', ')}${more}` };
}
