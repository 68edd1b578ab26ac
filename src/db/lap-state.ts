import type { Instant } from '../risk/instant.js';
import type { LapKey } from './lap-history.js';
import { insertMany, type Column } from './insert-many.js';
import type { Tx } from './connect.js';

/** State that a lap leaves beside its history: halted markets, published levels, the job's round. */

export interface Halt {
  readonly marketId: string;
  readonly reason: string;
}

export async function haltMarkets(tx: Tx, lap: LapKey, rows: readonly Halt[]): Promise<void> {
  if (rows.length === 0) return;
  const columns: Column<Halt>[] = [
    ['lap_id', 'bigint', () => lap.id],
    ['at', 'timestamptz', () => lap.at],
    ['market_id', 'text', (r) => r.marketId],
    ['from_status', 'text', () => 'ACTIVE'],
    ['to_status', 'text', () => 'HALTED'],
    ['changed_by', 'text', () => 'backstop'],
    ['reason', 'text', (r) => r.reason],
  ];
  await tx`update market set status = 'HALTED' where id = any(${rows.map((r) => r.marketId)}::text[])`;
  await insertMany(tx, 'market_status_change', columns, rows);
}

export interface PublishedLevel {
  readonly accountId: string;
  readonly marketId: string;
  readonly level: number;
  readonly rank: number;
  readonly rankingId: string;
}

/** Replaces the published levels that changed, and drops those of positions that are gone. */
export async function publishLevels(
  tx: Tx,
  lap: LapKey,
  rows: readonly PublishedLevel[],
  gone: readonly Pick<PublishedLevel, 'accountId' | 'marketId'>[],
): Promise<void> {
  if (rows.length > 0) {
    await tx`
      insert into adl_level (account_id, market_id, level, rank, ranking_digest, lap_id, shown_at)
      select account, market, level, rank, digest, ${lap.id}::bigint, ${lap.at}::timestamptz
      from unnest(${rows.map((r) => r.accountId)}::text[], ${rows.map((r) => r.marketId)}::text[], ${rows.map((r) => r.level)}::integer[],
        ${rows.map((r) => r.rank)}::integer[], ${rows.map((r) => r.rankingId)}::text[]) as t (account, market, level, rank, digest)
      on conflict (account_id, market_id) do update
        set level = excluded.level, rank = excluded.rank, ranking_digest = excluded.ranking_digest,
            lap_id = excluded.lap_id, shown_at = excluded.shown_at`;
  }
  if (gone.length > 0) {
    await tx`
      delete from adl_level l
      using unnest(${gone.map((r) => r.accountId)}::text[], ${gone.map((r) => r.marketId)}::text[]) as t (account, market)
      where l.account_id = t.account and l.market_id = t.market`;
  }
}

export interface Run {
  readonly jobId: string;
  readonly round: string;
  readonly worker: string;
  readonly startedAt: Instant;
  readonly attempts: number;
  readonly counts: Readonly<Record<string, number>>;
  /** Null: it succeeded. */
  readonly failure: string | null;
}

/** The record of a run, and the job's next due time. A round happens once: it is the key. */
export async function recordRun(tx: Tx, run: Run): Promise<void> {
  await tx`
    with advanced as (
      update job set round = ${run.round}::bigint, due_at = clock_timestamp() + interval_ms * interval '1 millisecond'
      where id = ${run.jobId} returning id
    )
    insert into job_run (job_id, round, status, worker, started_at, ended_at, attempts, counts, failure)
    select id, ${run.round}::bigint, ${run.failure === null ? 'SUCCEEDED' : 'FAILED'}, ${run.worker}, ${run.startedAt}::timestamptz,
      clock_timestamp(), ${run.attempts}::integer, ${JSON.stringify(run.counts)}::text::jsonb, ${run.failure}::text from advanced`;
}
