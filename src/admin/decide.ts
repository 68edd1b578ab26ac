import type { Sql, Tx } from '../db/connect.js';
import type { ProposedChange } from '../db/read-changes.js';
import type { Actor } from '../db/record-audit.js';
import { insertDecision, lockChange, wasApplied, type Decision } from '../db/record-changes.js';
import { standBetweenLaps } from '../db/record-exemptions.js';
import { inTransaction } from '../db/transaction.js';
import { BackstopError } from '../errors.js';
import { audited, recordAround } from '../ingest/audited.js';
import { isAbsent, openRow, readChoice, readText, refuse } from '../ingest/parse.js';
import { KINDS, type Terms } from './kinds.js';

/** As it was given. */
export interface DecisionInput {
  readonly changeId: string;
  readonly digest: string;
  readonly decision: string;
  readonly reason?: string | null | undefined;
}

/** What the audit log calls the target of a decision on nothing. */
const NO_CHANGE = 'none';

/**
 * Somebody else's decision on the change of this row (null: there is none such): it is stored, and what is approved is
 * applied, in one transaction, or nothing is.
 */
export async function decideChange(
  sql: Sql,
  actor: Actor,
  changeId: string | null,
  input: DecisionInput,
): Promise<void> {
  const target = { type: 'Change', id: changeId ?? NO_CHANGE } as const;
  const action = { actor, name: 'changeDecide', target, input, reason: input.reason ?? null };
  await audited(sql, action, async (recording) => {
    const decision = parseDecision(changeId, input, actor);
    await inTransaction(recording, { isolation: 'read committed' }, async (tx) => {
      const change = await lockChange(tx, decision.changeId);
      checkDecision(change, decision);
      if (decision.decision === 'APPROVE') await applyChange(tx, actor, change);
      // Last, so that it is dated while what was changed is locked: see `wasApplied`.
      await insertDecision(tx, decision);
    });
  });
}

function parseDecision(changeId: string | null, input: DecisionInput, actor: Actor): Decision {
  const row = openRow(input, ['changeId', 'digest', 'decision', 'reason']);
  if (changeId === null) refuse(row, 'changeId', 'there is no such change', 'NOT_FOUND');
  return {
    changeId,
    digest: readText(row, 'digest'),
    decision: readChoice(row, 'decision', ['APPROVE', 'REJECT']),
    decidedBy: actor.subject,
    reason: isAbsent(row, 'reason') ? null : readText(row, 'reason'),
  };
}

function checkDecision(change: ProposedChange | null, decision: Decision): asserts change is ProposedChange {
  const row = { rowIndex: undefined };
  if (change === null) refuse(row, 'changeId', 'there is no such change', 'NOT_FOUND');
  if (change.proposedBy === decision.decidedBy)
    refuse(row, 'changeId', `${change.proposedBy} proposed it, so another person decides`, 'SELF_APPROVAL');
  if (change.status === 'EXPIRED') refuse(row, 'changeId', `it expired at ${change.expiresAt}`, 'EXPIRED');
  if (change.status !== 'PROPOSED') refuse(row, 'changeId', `it is ${change.status} already`, 'CONFLICT');
  if (change.digest !== decision.digest)
    // Which it is, is not told: whoever decides has read the change.
    refuse(row, 'digest', 'it is not the digest of this change', 'DIGEST_MISMATCH');
}

/** In force it is the proposer's change; in the audit log it is the act of whoever let it come into force. */
async function applyChange(tx: Tx, actor: Actor, change: ProposedChange): Promise<void> {
  const { kind, targetType: type, targetId: id, reason } = change;
  const { action: name, endsState, betweenLaps = false, open } = KINDS[kind];
  const { version = null, ...terms } = JSON.parse(change.payload) as Terms;
  const input = { changeId: change.id, ...terms };
  const opened = open(id, terms, { changedBy: change.proposedBy, reason });
  // The key of the request is the decision's.
  const approver = { ...actor, key: undefined };
  // Before the target is locked: a lap takes them in this order.
  if (betweenLaps) await standBetweenLaps(tx);
  await recordAround(tx, { actor: approver, name, target: { type, id }, input, reason }, async (work) => {
    const made = await opened.apply(work, change.id);
    if (made !== version)
      throw new BackstopError('CONFLICT', `changeId: another version than ${String(version)} is due by now`, AT_CHANGE);
    if (endsState && (await wasApplied(work, change, change.proposedAt)))
      throw new BackstopError('CONFLICT', 'changeId: it was proposed for an earlier halt or stop', AT_CHANGE);
  });
}

const AT_CHANGE = { field: 'changeId' };
