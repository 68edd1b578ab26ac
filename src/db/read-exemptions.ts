import type { Instant } from '../risk/instant.js';
import type { Reader } from './connect.js';
import { byId, byParent } from './read-page.js';

/** The exemption of an account that has not ended. */
export interface StandingExemption {
  readonly accountId: string;
  readonly reason: string;
  readonly changeId: string;
  readonly since: Instant;
  /** Null: until it is ended. */
  readonly until: Instant | null;
}

/** An exemption, and how it ended. */
export interface ExemptionFact extends StandingExemption {
  /** Null: it stands. */
  readonly endCause: 'CHANGE' | 'EXPIRED' | null;
  readonly endedAt: Instant | null;
  /** Null: it stands, or it expired. */
  readonly endChangeId: string | null;
}

/** Newest first, of each account so many. */
export async function readExemptionsOf(
  reader: Reader,
  accountIds: readonly string[],
  limit: number,
): Promise<ExemptionFact[][]> {
  const rows = await reader<ExemptionFact[]>`
    select e.account_id as "accountId", e.reason, e.change_id as "changeId", e.granted_at as since, e.until,
      e.end_cause as "endCause", e.ended_at as "endedAt", e.end_change_id as "endChangeId"
    from unnest(${[...accountIds]}::text[]) as a (id) cross join lateral (
      select * from exemption_status where account_id = a.id order by version desc limit ${limit}) e
    order by e.account_id, e.version desc`;
  return byParent(accountIds, rows, (row) => row.accountId);
}

/** In the order of the accounts; null where none stands. */
export async function readStandingExemptions(
  reader: Reader,
  accountIds: readonly string[],
): Promise<(StandingExemption | null)[]> {
  const rows = await reader<StandingExemption[]>`
    select account_id as "accountId", reason, change_id as "changeId", granted_at as since, until
    from exemption_status where account_id = any(${[...accountIds]}::text[]) and ended_at is null`;
  return byId(accountIds, rows, (row) => row.accountId);
}
