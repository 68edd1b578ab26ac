import type { Instant } from '../risk/instant.js';
import type { Decimal } from '../risk/decimal.js';
import { amounts, texts } from './columns.js';
import type { Tx } from './connect.js';

/** Rows of a lap as they are stored. Each function writes its rows set-based, whatever their number. */

export async function insertLap(tx: Tx, lap: { id: string; at: Instant; digest: string; more: boolean }): Promise<void> {
  await tx`insert into lap (id, at, outcome_digest, more) values (${lap.id}, ${lap.at}, ${lap.digest}, ${lap.more})`;
}

export interface LapPriceRow {
  readonly marketId: string;
  readonly priceMarkId: string;
  readonly price: Decimal;
  readonly live: boolean;
}

export async function insertLapPrices(tx: Tx, lapId: string, rows: readonly LapPriceRow[]): Promise<void> {
  await tx`
    insert into lap_price (lap_id, market_id, price_mark_id, price, live)
    select ${lapId}::bigint, * from unnest(${texts(rows, (r) => r.marketId)}::text[], ${texts(rows, (r) => r.priceMarkId)}::bigint[],
      ${amounts(rows, (r) => r.price)}::numeric[], ${texts(rows, (r) => r.live)}::boolean[])`;
}

export interface TransitionRow {
  readonly accountId: string;
  readonly from: string | null;
  readonly to: string | null;
  readonly held: boolean;
  readonly equity: Decimal | null;
  readonly maintenance: Decimal | null;
}

/** Returns the id of each account's first transition in the rows: the one that step 1 made. */
export async function insertTransitions(tx: Tx, lapId: string, at: Instant, rows: readonly TransitionRow[]): Promise<Map<string, string>> {
  const stored = await tx<{ id: string; account_id: string }[]>`
    insert into margin_status_transition (lap_id, account_id, from_status, to_status, held, equity, maintenance, at)
    select ${lapId}::bigint, account, source, target, held, equity, maintenance, ${at}::timestamptz
    from unnest(${texts(rows, (r) => r.accountId)}::text[], ${texts(rows, (r) => r.from)}::text[], ${texts(rows, (r) => r.to)}::text[],
      ${texts(rows, (r) => r.held)}::boolean[], ${amounts(rows, (r) => r.equity)}::numeric[],
      ${amounts(rows, (r) => r.maintenance)}::numeric[]) with ordinality
      as t (account, source, target, held, equity, maintenance, place)
    order by place
    returning id, account_id`;
  const first = new Map<string, string>();
  for (const { id, account_id } of stored) {
    const known = first.get(account_id);
    if (known === undefined || BigInt(id) < BigInt(known)) first.set(account_id, id);
  }
  return first;
}

export interface CallOpenedRow {
  readonly accountId: string;
  readonly transitionId: string;
  readonly amountRequired: Decimal;
  readonly equity: Decimal;
  readonly maintenance: Decimal;
}

export interface CallTerms {
  readonly calledAt: Instant;
  readonly deadline: Instant;
  readonly latestDeadline: Instant;
  readonly onLapse: string;
}

export async function insertCalls(tx: Tx, lapId: string, terms: CallTerms, rows: readonly CallOpenedRow[]): Promise<void> {
  await tx`
    insert into margin_call (account_id, lap_id, transition_id, amount_required, equity, maintenance, called_at, deadline, latest_deadline, on_lapse)
    select account, ${lapId}::bigint, transition, required, equity, maintenance, ${terms.calledAt}::timestamptz,
      ${terms.deadline}::timestamptz, ${terms.latestDeadline}::timestamptz, ${terms.onLapse}
    from unnest(${texts(rows, (r) => r.accountId)}::text[], ${texts(rows, (r) => r.transitionId)}::bigint[],
      ${amounts(rows, (r) => r.amountRequired)}::numeric[], ${amounts(rows, (r) => r.equity)}::numeric[],
      ${amounts(rows, (r) => r.maintenance)}::numeric[]) with ordinality as t (account, transition, required, equity, maintenance, place)
    order by place`;
}

export interface CallEndedRow {
  readonly callId: string;
  readonly status: string;
  readonly lapseReason: string | null;
}

export async function endCalls(tx: Tx, lapId: string, at: Instant, rows: readonly CallEndedRow[]): Promise<void> {
  await tx`
    update margin_call c set status = t.status, lapse_reason = t.reason, ended_at = ${at}::timestamptz, ended_lap_id = ${lapId}::bigint
    from unnest(${texts(rows, (r) => r.callId)}::bigint[], ${texts(rows, (r) => r.status)}::text[],
      ${texts(rows, (r) => r.lapseReason)}::text[]) as t (id, status, reason)
    where c.id = t.id`;
}

export async function releaseCalls(tx: Tx, at: Instant, callIds: readonly string[]): Promise<void> {
  await tx`update margin_call set released_at = ${at}::timestamptz where id = any(${[...callIds]}::bigint[])`;
}

export interface HaltRow {
  readonly marketId: string;
  readonly reason: string;
}

export async function haltMarkets(tx: Tx, lapId: string, at: Instant, rows: readonly HaltRow[]): Promise<void> {
  await tx`
    with halted as (
      select m.id, m.status, t.reason from market m
      join unnest(${texts(rows, (r) => r.marketId)}::text[], ${texts(rows, (r) => r.reason)}::text[]) as t (id, reason) on t.id = m.id
      where m.status <> 'HALTED'
    ), changed as (
      insert into market_status_change (market_id, from_status, to_status, changed_by, reason, lap_id, at)
      select id, status, 'HALTED', 'backstop', reason, ${lapId}::bigint, ${at}::timestamptz from halted
    )
    update market set status = 'HALTED' where id in (select id from halted)`;
}

export interface LevelRow {
  readonly accountId: string;
  readonly marketId: string;
  readonly level: number;
  readonly rank: number;
  readonly rankingDigest: string;
}

/** Replaces the published levels that changed, and drops those of positions that are gone. */
export async function publishLevels(
  tx: Tx,
  lapId: string,
  at: Instant,
  rows: readonly LevelRow[],
  gone: readonly { accountId: string; marketId: string }[],
): Promise<void> {
  if (rows.length > 0) {
    await tx`
      insert into adl_level (account_id, market_id, level, rank, ranking_digest, lap_id, shown_at)
      select account, market, level, rank, digest, ${lapId}::bigint, ${at}::timestamptz
      from unnest(${texts(rows, (r) => r.accountId)}::text[], ${texts(rows, (r) => r.marketId)}::text[],
        ${texts(rows, (r) => r.level)}::smallint[], ${texts(rows, (r) => r.rank)}::integer[],
        ${texts(rows, (r) => r.rankingDigest)}::text[]) as t (account, market, level, rank, digest)
      on conflict (account_id, market_id) do update
        set level = excluded.level, rank = excluded.rank, ranking_digest = excluded.ranking_digest,
            lap_id = excluded.lap_id, shown_at = excluded.shown_at`;
  }
  if (gone.length > 0) {
    await tx`
      delete from adl_level l using unnest(${texts(gone, (r) => r.accountId)}::text[], ${texts(gone, (r) => r.marketId)}::text[]) as t (account, market)
      where l.account_id = t.account and l.market_id = t.market`;
  }
}

export interface RunRow {
  readonly jobId: string;
  readonly round: string;
  readonly worker: string;
  readonly startedAt: Instant;
  readonly attempts: number;
  readonly counts: Record<string, number>;
  readonly failure: string | null;
}

/** The record of a run, and the job's next due time. A round happens once: it is the key. */
export async function recordRun(tx: Tx, run: RunRow): Promise<void> {
  await tx`
    with advanced as (
      update job set round = ${run.round}::bigint, due_at = clock_timestamp() + interval_ms * interval '1 millisecond'
      where id = ${run.jobId} returning id
    )
    insert into job_run (job_id, round, status, worker, started_at, ended_at, attempts, counts, failure)
    select id, ${run.round}::bigint, ${run.failure === null ? 'SUCCEEDED' : 'FAILED'}, ${run.worker}, ${run.startedAt}::timestamptz,
      clock_timestamp(), ${run.attempts}::integer, ${JSON.stringify(run.counts)}::text::jsonb, ${run.failure}::text from advanced`;
}

/** Tells every process, at commit, that there is something new to read. */
export async function notifyChanged(tx: Tx, what: string): Promise<void> {
  await tx`select pg_notify('backstop_changed', ${what})`;
}
