import { hostname } from 'node:os';
import process from 'node:process';
import type { Sql } from '../db/connect.js';
import { readDuty, type JobDuty } from '../db/read-duty.js';
import { WATERFALL_JOB } from '../engine/run-lap.js';

/** How the names begin that engines sign their rounds with. */
const ENGINES = 'engine/';
/** Nobody waits longer than this for an engine that has died. */
const LONGEST_GRACE_MS = 500;

const here = `${hostname()}/${String(process.pid)}`;
/** Who runs the job on its schedule, and who ran a lap by hand: whose round it was is told apart by it. */
export const engineName = `${ENGINES}${here}`;
export const handName = `hand/${here}`;

export const lookAtDuty = (sql: Sql): Promise<JobDuty> => readDuty(sql, WATERFALL_JOB, ENGINES);

/** True when another engine is at work. One at work keeps its memory of the last lap, which makes the next one cheap. */
export function standsBy({ worker }: JobDuty, name: string): boolean {
  return worker !== null && worker !== name;
}

/**
 * Of an engine that stands by: the one at work has let a lap wait for longer than it ever should. It need not be dead:
 * the lap's own lock lets in one of the two.
 */
export function mustTakeOver({ overdueMs, intervalMs }: JobDuty, hintedForMs: number): boolean {
  const grace = Math.min(LONGEST_GRACE_MS, intervalMs / 2);
  return overdueMs > grace || hintedForMs > grace;
}
