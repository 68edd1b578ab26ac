import type { Instant } from '../risk/instant.js';
import type { Account } from '../risk/margin.js';
import type { ExemptionEnded } from '../risk/outcome.js';
import type { Tx } from './connect.js';
import { insertMany, type Column } from './insert-many.js';
import type { LapKey } from './lap-history.js';
import { lockAccounts } from './locks.js';
import type { Change } from './venue.js';

/** An account that is locked until the transaction ends. */
export interface LockedAccount {
  readonly kind: Account['kind'];
  readonly exempt: boolean;
  /** Of its newest exemption; 0: it never had one. */
  readonly version: number;
}

export async function lockAccount(tx: Tx, accountId: string): Promise<LockedAccount | null> {
  await lockAccounts(tx, [accountId]);
  const [row] = await tx<LockedAccount[]>`
    select kind, exempt, coalesce((select max(version) from exemption where account_id = a.id), 0) as version
    from account a where id = ${accountId}`;
  return row ?? null;
}

export interface NewExemption extends Change {
  readonly accountId: string;
  readonly version: number;
  readonly changeId: string;
  /** Null: until it is ended. */
  readonly until: Instant | null;
}

/** False: its time is over already, and nothing was done. The flag of the account follows by itself. */
export async function insertExemption(tx: Tx, row: NewExemption): Promise<boolean> {
  const { accountId, version, until, changedBy, reason, changeId } = row;
  const rows = await tx`
    insert into exemption (account_id, version, until, changed_by, reason, change_id, first_lap, granted_at)
    select ${accountId}, ${version}, ${until}::timestamptz, ${changedBy}, ${reason}, ${changeId}::bigint, j.round + 1, c.now
    from job j, (select clock_timestamp() as now) c
    where j.id = 'waterfall' and (${until}::timestamptz is null or ${until}::timestamptz > c.now)
    returning version`;
  return rows.length > 0;
}

/** By a change. */
export async function insertExemptionEnd(tx: Tx, row: Omit<NewExemption, 'until'>): Promise<void> {
  const { accountId, version, changedBy, reason, changeId } = row;
  await tx`
    insert into exemption_end (account_id, version, cause, changed_by, reason, change_id, last_lap)
    select ${accountId}, ${version}, 'CHANGE', ${changedBy}, ${reason}, ${changeId}::bigint, round from job where id = 'waterfall'`;
}

/** Of these accounts, by id: exemptions whose time is over at an instant. */
export async function loadExpiredExemptions(
  tx: Tx,
  exemptIds: readonly string[],
  at: Instant,
): Promise<ExemptionEnded[]> {
  if (exemptIds.length === 0) return [];
  return tx<ExemptionEnded[]>`
    select account_id as "accountId", version from exemption_status
    where account_id = any(${[...exemptIds]}::text[]) and ended_at is null and until <= ${at}::timestamptz
    order by account_id`;
}

/** By a lap, in which they count no more. */
export async function insertExpired(tx: Tx, lap: LapKey, rows: readonly ExemptionEnded[]): Promise<void> {
  const columns: Column<ExemptionEnded>[] = [
    ['account_id', 'text', (r) => r.accountId],
    ['version', 'integer', (r) => r.version],
    ['cause', 'text', () => 'EXPIRED'],
    ['lap_id', 'bigint', () => lap.id],
    ['last_lap', 'bigint', () => (BigInt(lap.id) - 1n).toString()],
    ['ended_at', 'timestamptz', () => lap.at],
  ];
  await insertMany(tx, 'exemption_end', columns, rows);
}

/**
 * What the transaction does from here on lies between two laps: one that runs is waited for, and one that began before this
 * commits finds the job's row changed and begins anew. So a row can say by its number from which lap on it counts.
 */
export async function standBetweenLaps(tx: Tx): Promise<void> {
  await tx`update job set round = round where id = 'waterfall'`;
}
