import type { Sql } from '../db/connect.js';
import { insertAuditEntry, toJson, type AdminAction } from '../db/record-audit.js';
import type { AlsoStore, LapResult } from '../engine/run-lap.js';
import { BackstopError } from '../errors.js';
import { recordingRefusals, recordRefusal } from '../ingest/audited.js';

/** What is said of a lap that was asked for and did not run. */
export const NO_LAP = {
  BUSY: 'Another process is inside a lap; try again.',
  NOT_DUE: 'The job is not due.',
  PAUSED: 'The job is paused.',
} as const;

/** A lap that somebody asked for, with its entry in the audit log: in the lap's own transaction, or, if it does not run, a refusal. */
export async function auditedLap(
  sql: Sql,
  action: AdminAction,
  run: (alsoStore: AlsoStore) => Promise<LapResult>,
): Promise<LapResult> {
  const result = await recordingRefusals(sql, action, () =>
    run(async (tx, { round, at, digest, more, counts }) => {
      const before = { round: (BigInt(round) - 1n).toString() };
      const after = { round, at, digest, more, counts };
      await insertAuditEntry(tx, action, { before: toJson(before), after: toJson(after) });
    }),
  );
  if (result.kind !== 'RAN') await recordRefusal(sql, action, new BackstopError('CONFLICT', NO_LAP[result.kind]));
  return result;
}
