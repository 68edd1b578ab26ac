import type { Instant } from '../risk/instant.js';
import type { Tx } from './connect.js';
import { storable } from './record-audit.js';
import type { ChangeKind, ProposedChange } from './read-changes.js';
import { readChanges } from './read-changes.js';

export interface NewChange {
  readonly kind: ChangeKind;
  readonly targetType: ProposedChange['targetType'];
  readonly targetId: string;
  /** JSON text. */
  readonly payload: string;
  readonly reason: string;
  readonly proposedBy: string;
  readonly validForMs: number;
}

/** Its id. */
export async function insertChange(tx: Tx, change: NewChange): Promise<string> {
  const [row] = await tx<{ id: string }[]>`
    insert into change (kind, target_type, target_id, payload, reason, proposed_by, proposed_at, expires_at)
    select ${change.kind}, ${change.targetType}, ${change.targetId}, ${change.payload}::text::jsonb, ${change.reason},
      ${storable(change.proposedBy)}, now, now + ${change.validForMs} * interval '1 millisecond'
    from (select clock_timestamp() as now) clock
    returning id`;
  if (row === undefined) throw new Error('no change was proposed');
  return row.id;
}

/** The change, which nobody else decides on until the transaction ends. */
export async function lockChange(tx: Tx, id: string): Promise<ProposedChange | null> {
  await tx`select from change where id = ${id}::bigint for no key update`;
  const [change] = await readChanges(tx, [id]);
  return change ?? null;
}

export interface Decision {
  readonly changeId: string;
  readonly decision: 'APPROVE' | 'REJECT';
  readonly digest: string;
  readonly decidedBy: string;
  readonly reason: string | null;
}

export async function insertDecision(tx: Tx, decision: Decision): Promise<void> {
  await tx`
    insert into change_decision (change_id, decision, digest, decided_by, reason)
    values (${decision.changeId}::bigint, ${decision.decision}, ${decision.digest}, ${storable(decision.decidedBy)},
      ${decision.reason})`;
}

/** Whether another change of the same kind and target has been applied since this instant. */
export async function wasApplied(
  tx: Tx,
  { id, kind, targetType, targetId }: ProposedChange,
  since: Instant,
): Promise<boolean> {
  const rows = await tx`
    select from change c join change_decision d on d.change_id = c.id
    where c.kind = ${kind} and c.target_type = ${targetType} and c.target_id = ${targetId} and c.id <> ${id}::bigint
      and d.decision = 'APPROVE' and d.decided_at > ${since}::timestamptz
    limit 1`;
  return rows.length > 0;
}

/** Stops or starts a job. False: it was so already. A lap that is running is waited for: it holds the row. */
export async function setPaused(tx: Tx, jobId: string, paused: boolean): Promise<boolean> {
  const rows = await tx`update job set paused = ${paused} where id = ${jobId} and paused <> ${paused} returning id`;
  return rows.length > 0;
}
