import type { Sql } from '../db/connect.js';
import type { ChangeKind } from '../db/read-changes.js';
import { insertAuditEntry, lockTarget, readTarget, toJson, type Actor, type AdminAction } from '../db/record-audit.js';
import { insertChange } from '../db/record-changes.js';
import { inTransaction, rehearse } from '../db/transaction.js';
import { recordingRefusals, refuseRepeat } from '../ingest/audited.js';
import { readChange } from '../ingest/market-terms.js';
import { openRow } from '../ingest/parse.js';
import { KINDS, type Terms } from './kinds.js';

export interface Proposal {
  readonly kind: ChangeKind;
  readonly targetId: string;
  readonly terms: Terms;
  readonly reason: string;
  /** As it was given, for the audit log. */
  readonly input: unknown;
}

/** Long enough for somebody of another shift, too short for what was seen in the preview to be forgotten. */
const VALID_FOR_MS = 24 * 60 * 60 * 1000;

/** Of a trial, which is taken back before the change has its number. */
const NO_CHANGE = '0';

/**
 * Stores what somebody wants to be done, for somebody else to decide on, and does nothing of it. It is tried and taken back:
 * what could not be applied now is refused now. Returns the id of the change.
 */
export async function proposeChange(
  sql: Sql,
  actor: Actor,
  { kind, targetId, terms, reason, input }: Proposal,
  validForMs = VALID_FOR_MS,
): Promise<string> {
  const { action: name, targetType, open } = KINDS[kind];
  const action: AdminAction = { actor, name, target: { type: targetType, id: targetId }, input, reason };
  return recordingRefusals(sql, action, async () => {
    const by = readChange(openRow({ changedBy: actor.subject, reason }, ['changedBy', 'reason']));
    const opened = open(targetId, terms, by);
    return inTransaction(sql, { isolation: 'read committed' }, async (tx) => {
      await refuseRepeat(tx, actor);
      // Held while the change is dated: nothing that it overlooks can have been applied before it.
      await lockTarget(tx, { type: targetType, id: targetId });
      const version = await rehearse(tx, (trial) => opened.apply(trial, NO_CHANGE));
      const payload = toJson(version === null ? opened.terms : { ...opened.terms, version });
      const proposedBy = actor.subject;
      const id = await insertChange(tx, { kind, targetType, targetId, payload, reason, proposedBy, validForMs });
      // Only now it has a name: the entry is that of the change, which was not there before.
      const target = { type: 'Change', id } as const;
      await insertAuditEntry(tx, { ...action, target }, { before: null, after: await readTarget(tx, target) });
      return id;
    });
  });
}
