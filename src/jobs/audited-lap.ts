import type { Sql, Tx } from '../db/connect.js';
import { insertAuditEntry, toJson, type AdminAction } from '../db/record-audit.js';
import { lockKeyedLaps } from '../db/request-keys.js';
import type { LapCompany, LapResult } from '../engine/run-lap.js';
import { BackstopError } from '../errors.js';
import { DoneBefore, recordingRefusals, recordRefusal, refuseDone } from '../ingest/audited.js';

/** What is said of a lap that was asked for and did not run. */
export const NO_LAP = {
  BUSY: 'Another process is inside a lap; try again.',
  NOT_DUE: 'The job is not due.',
  PAUSED: 'The job is paused.',
  RAN_BEFORE: 'It was run before.',
} as const;

/**
 * A lap that somebody asked for, with its entry in the audit log: in the lap's own transaction, or, if it does not run, a
 * refusal. One that was run for the same request before ends in `DoneBefore`, like everything else that was.
 */
export async function auditedLap(
  sql: Sql,
  action: AdminAction,
  run: (company: LapCompany) => Promise<LapResult>,
): Promise<LapResult> {
  const result = await recordingRefusals(sql, action, () => runOnce(action, run));
  if (result.kind !== 'RAN') await recordRefusal(sql, action, new BackstopError('CONFLICT', NO_LAP[result.kind]));
  return result;
}

async function runOnce(action: AdminAction, run: (company: LapCompany) => Promise<LapResult>): Promise<LapResult> {
  let repeat: Error | undefined;
  const result = await run({
    async isDue(tx) {
      repeat = await findRepeat(tx, action);
      return repeat === undefined;
    },
    async store(tx, { round, at, digest, more, counts }) {
      const before = { round: (BigInt(round) - 1n).toString() };
      const after = { round, at, digest, more, counts };
      await insertAuditEntry(tx, action, { before: toJson(before), after: toJson(after) });
    },
  });
  if (result.kind === 'RAN_BEFORE') throw repeat ?? new Error('a lap that was run before is known by its key');
  return result;
}

/** What `refuseDone` says, as a value: a lap that is not run must not count as one that failed. */
async function findRepeat(tx: Tx, { actor }: AdminAction): Promise<Error | undefined> {
  if (actor.key === undefined) return undefined;
  await lockKeyedLaps(tx);
  try {
    await refuseDone(tx, actor);
    return undefined;
  } catch (error) {
    if (error instanceof DoneBefore || error instanceof BackstopError) return error;
    throw error;
  }
}
