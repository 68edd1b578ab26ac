import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Instant } from '../risk/instant.js';
import type { Reader } from './connect.js';

/** How far the data of a server go. */
export interface DataInstant {
  /** By the primary's clock: all that was committed before it is there. */
  readonly at: Instant;
  /** How long ago that is; 0 on a primary. */
  readonly lagMs: number;
}

const POLL_MS = 20;

/**
 * Ask before the snapshot is taken: then what the snapshot holds is at least so new. A standby's own clock goes on while
 * its data stand still, so there the last transaction that it replayed says how far it is; laps commit one an interval,
 * which makes this go on while nothing is missing. A standby that was just started has replayed none: then the last lap
 * that it holds says it.
 */
export async function readDataInstant(reader: Reader): Promise<DataInstant> {
  const [row] = await reader<{ at: Instant; lag: number }[]>`
    select at, extract(epoch from now - at)::double precision * 1000 as lag
    from (
      select now, case when not pg_is_in_recovery() then now else coalesce(
        pg_last_xact_replay_timestamp(),
        (select max(r.ended_at) from job j join job_run r on r.job_id = j.id and r.round = j.round),
        'epoch') end as at
      from (select clock_timestamp() as now) clock
    ) data`;
  if (row === undefined) throw new Error('the database tells no time');
  // Clocks of two machines differ: a lag below zero is theirs.
  return { at: row.at, lagMs: Math.max(0, Math.floor(row.lag)) };
}

/** False: the two are not one cluster's, so what is written to one will never be read from the other. */
export async function isSameCluster(primary: Reader, standby: Reader): Promise<boolean> {
  const [ours, theirs] = await Promise.all([readClusterId(primary), readClusterId(standby)]);
  return ours === theirs;
}

async function readClusterId(reader: Reader): Promise<string | undefined> {
  const [row] = await reader<{ id: string }[]>`
    select system_identifier::text || ' ' || current_database() as id from pg_control_system()`;
  return row?.id;
}

/** Waits until the standby shows what the primary holds now. False: it does not, within so long. */
export async function catchUp(primary: Reader, standby: Reader, limitMs: number): Promise<boolean> {
  const until = performance.now() + limitMs;
  const [end] = await primary<{ lsn: string }[]>`select pg_current_wal_insert_lsn()::text as lsn`;
  if (end === undefined) throw new Error('the database has no log');
  for (;;) {
    const [row] = await standby<{ isShown: boolean }[]>`
      select not pg_is_in_recovery() or coalesce(pg_last_wal_replay_lsn() >= ${end.lsn}::pg_lsn, false) as "isShown"`;
    if (row?.isShown === true) return true;
    if (performance.now() > until) return false;
    await sleep(POLL_MS);
  }
}
