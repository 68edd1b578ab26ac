import type { Instant } from '../risk/instant.js';
import type { Reader } from './connect.js';
import { byId, startOf, type PageRequest } from './read-page.js';

export interface AuditRow {
  readonly id: string;
  readonly at: Instant;
  readonly actor: string;
  readonly scopes: readonly string[];
  readonly action: string;
  readonly targetType: string | null;
  readonly targetId: string | null;
  /** JSON texts: a parser of JSON would lose digits of what was given as numbers. */
  readonly input: string;
  readonly before: string | null;
  readonly after: string | null;
  readonly reason: string | null;
  readonly requestId: string;
  readonly outcome: 'ACCEPTED' | 'REFUSED';
  readonly code: string | null;
  readonly message: string | null;
}

/** All that is given must hold. */
export interface AuditFilter {
  readonly actor?: string | null;
  readonly action?: string | null;
  readonly targetType?: string | null;
  readonly targetId?: string | null;
  readonly requestId?: string | null;
  readonly outcome?: AuditRow['outcome'] | null;
}

function auditColumns(reader: Reader): ReturnType<Reader> {
  return reader`a.id, a.at, a.actor, a.scopes, a.action, a.target_type as "targetType", a.target_id as "targetId",
    a.input::text, a.before::text, a.after::text, a.reason, a.request_id as "requestId", a.outcome, a.code, a.message`;
}

/** Newest first. */
export async function readAuditLog(reader: Reader, filter: AuditFilter, page: PageRequest): Promise<AuditRow[]> {
  const wanted = [
    ['actor', filter.actor],
    ['action', filter.action],
    ['target_type', filter.targetType],
    ['target_id', filter.targetId],
    ['request_id', filter.requestId],
    ['outcome', filter.outcome],
  ] as const;
  // Only what is given is in the statement, so that the plan is one by its index.
  const conditions = wanted.flatMap(([column, value]) =>
    value == null ? [] : [reader`and a.${reader(column)} = ${value}`],
  );
  return reader<AuditRow[]>`
    select ${auditColumns(reader)} from audit_entry a
    where a.id < ${startOf(page, 'DOWN')}::bigint ${conditions.length === 0 ? reader`` : conditions}
    order by a.id desc limit ${page.limit}`;
}

/** In the order of `ids`; null where there is none. */
export async function readAuditEntries(reader: Reader, ids: readonly string[]): Promise<(AuditRow | null)[]> {
  const rows = await reader<AuditRow[]>`
    select ${auditColumns(reader)} from audit_entry a where a.id = any(${[...ids]}::bigint[])`;
  return byId(ids, rows, (row) => row.id);
}
