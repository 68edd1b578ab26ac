import type { Reader } from '../db/connect.js';
import { readOverdueJob } from '../db/read-lag.js';

/** A lap that is due and does not come: nobody runs the job, or something keeps it from running. */
const LONGEST_WAIT_SECONDS = 60;

/** In a sentence, or null: no job is late. */
export async function findLateJob(reader: Reader): Promise<string | null> {
  const late = await readOverdueJob(reader, LONGEST_WAIT_SECONDS);
  return late === null ? null : `the job ${late.id} is overdue by ${late.overdueSeconds} s`;
}
