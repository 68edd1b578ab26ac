import type { Instant } from '../risk/instant.js';
import type { Reader } from './connect.js';
import { byId, startOf, type PageRequest } from './read-page.js';

export type ChangeKind =
  | 'BRACKETS_CHANGE'
  | 'POLICY_CHANGE'
  | 'FUND_WITHDRAWAL'
  | 'MARKET_RESUME'
  | 'ENGINE_START'
  | 'EXEMPTION_GRANT'
  | 'EXEMPTION_END';
export type ChangeStatus = 'PROPOSED' | 'APPLIED' | 'REJECTED' | 'EXPIRED';

/** A dangerous change with what became of it. */
export interface ProposedChange {
  readonly id: string;
  readonly kind: ChangeKind;
  readonly targetType: 'Market' | 'InsuranceFund' | 'Job' | 'Account';
  readonly targetId: string;
  /** JSON text. */
  readonly payload: string;
  readonly digest: string;
  readonly reason: string;
  readonly proposedBy: string;
  readonly proposedAt: Instant;
  readonly expiresAt: Instant;
  readonly status: ChangeStatus;
  readonly decidedBy: string | null;
  readonly decidedAt: Instant | null;
  readonly decisionReason: string | null;
}

function changeColumns(reader: Reader): ReturnType<Reader> {
  return reader`c.id, c.kind, c.target_type as "targetType", c.target_id as "targetId", c.payload::text, c.digest, c.reason,
    c.proposed_by as "proposedBy", c.proposed_at as "proposedAt", c.expires_at as "expiresAt", c.status,
    c.decided_by as "decidedBy", c.decided_at as "decidedAt", c.decision_reason as "decisionReason"`;
}

/** Newest first; of these statuses, or all. */
export async function readAllChanges(
  reader: Reader,
  statuses: readonly ChangeStatus[] | null,
  page: PageRequest,
): Promise<ProposedChange[]> {
  return reader<ProposedChange[]>`
    select ${changeColumns(reader)} from change_status c
    where c.id < ${startOf(page, 'DOWN')}::bigint
      ${statuses === null ? reader`` : reader`and c.status = any(${[...statuses]}::text[])`}
    order by c.id desc limit ${page.limit}`;
}

/** In the order of `ids`; null where there is none. */
export async function readChanges(reader: Reader, ids: readonly string[]): Promise<(ProposedChange | null)[]> {
  const rows = await reader<ProposedChange[]>`
    select ${changeColumns(reader)} from change_status c where c.id = any(${[...ids]}::bigint[])`;
  return byId(ids, rows, (row) => row.id);
}
