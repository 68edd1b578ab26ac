import type { Reader } from './connect.js';

/** A point in the history of one database that a follower has reached. */
export interface HistoryPlace {
  /** The cluster, its timeline and the database: a restored backup or a promoted standby has another. */
  readonly history: string;
  /** Every transaction below had ended, so its rows are known. */
  readonly xmin: string;
  /** The first transaction number that was not given out yet. */
  readonly xmax: string;
  /** Transactions below that had not ended; a standby does not tell them. */
  readonly running: number;
}

/**
 * Of the snapshot of a repeatable-read transaction. A promoted standby writes its new timeline into the log at once, into
 * its control file only with the next checkpoint; a standby has no log of its own to ask.
 */
export async function readHistoryPlace(reader: Reader): Promise<HistoryPlace> {
  const [place] = await reader<HistoryPlace[]>`
    select s.system_identifier || '/' || case when pg_is_in_recovery() then c.timeline_id
             else ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::integer end || '/' || d.oid as history,
           pg_snapshot_xmin(pg_current_snapshot())::text as xmin, pg_snapshot_xmax(pg_current_snapshot())::text as xmax,
           (select count(*)::integer from pg_snapshot_xip(pg_current_snapshot())) as running
    from pg_control_system() s, pg_control_checkpoint() c, pg_database d where d.datname = current_database()`;
  if (place === undefined) throw new Error('no snapshot');
  return place;
}

/** Whether a follower at `last` may go on with what changed, or must take everything anew because history is another. */
export function goesOn(last: HistoryPlace, now: HistoryPlace): boolean {
  // Transaction numbers only grow: fewer of them than before are those of an older backup.
  return last.history === now.history && BigInt(now.xmax) >= BigInt(last.xmax);
}

/** Whether less was committed at `one` than at `other`, of the same history: with time numbers grow and transactions end. */
export function isEarlier(one: HistoryPlace, other: HistoryPlace): boolean {
  const ahead = BigInt(one.xmax) - BigInt(other.xmax);
  return ahead < 0n || (ahead === 0n && one.running > other.running);
}
