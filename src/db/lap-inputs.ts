import { dec, type Decimal } from '../risk/decimal.js';
import type { Instant } from '../risk/instant.js';
import type { Tx } from './connect.js';

/** Held by the one lap that runs, in whatever process, until its transaction ends. */
const LAP_LOCK = 4_207_315_889n;

export interface JobState {
  /** Of the last run; the next one is this + 1. */
  readonly round: string;
  readonly paused: boolean;
  readonly isDue: boolean;
}

/** First statement of a lap. False: another process is inside one. */
export async function claimLap(tx: Tx): Promise<boolean> {
  const [row] = await tx<
    { claimed: boolean }[]
  >`select pg_try_advisory_xact_lock(${LAP_LOCK.toString()}::bigint) as claimed`;
  return row?.claimed === true;
}

/**
 * The job's row, locked. A lap that ended between this transaction's snapshot and its claim has changed the row, so
 * locking it fails to serialize and the whole lap is tried anew on what that one left.
 */
export async function lockJob(tx: Tx, jobId: string): Promise<JobState> {
  const [row] = await tx<{ round: string; paused: boolean; is_due: boolean }[]>`
    select round, paused, due_at <= clock_timestamp() as is_due from job where id = ${jobId} for update`;
  if (row === undefined) throw new Error(`no job ${jobId}`);
  return { round: row.round, paused: row.paused, isDue: row.is_due };
}

/** Keeps every writer of accounts and positions waiting until this transaction ends; readers go on. */
export async function lockWriters(tx: Tx): Promise<void> {
  // A utility statement takes no snapshot: what the writers before us committed is in the one that follows.
  await tx`lock table account, position, balance in share row exclusive mode`;
}

/** From now on this transaction may last so long; then the server ends it, and its locks, whatever its process does. */
export async function limitTransaction(tx: Tx, milliseconds: number): Promise<void> {
  await tx`select set_config('transaction_timeout', ${`${String(milliseconds)}ms`}, true)`;
}

export interface CallRow {
  readonly id: string;
  readonly accountId: string;
  readonly transitionId: string;
  readonly status: 'OPEN' | 'LAPSED';
  readonly deadline: Instant;
  readonly onLapse: 'REDUCE_ONLY' | 'LIQUIDATE';
}

/** Calls that are open, or lapsed and not yet released, by account. */
export async function loadStandingCalls(tx: Tx): Promise<Map<string, CallRow[]>> {
  const rows = await tx<CallRow[]>`
    select id, account_id as "accountId", transition_id as "transitionId", status, deadline, on_lapse as "onLapse"
    from margin_call where status = 'OPEN' or (status = 'LAPSED' and released_at is null)
    order by id`;
  const calls = new Map<string, CallRow[]>();
  for (const row of rows) calls.set(row.accountId, [...(calls.get(row.accountId) ?? []), row]);
  return calls;
}

export interface PositionName {
  readonly accountId: string;
  readonly marketId: string;
}

export interface ShownRow extends PositionName {
  readonly level: number;
  readonly at: Instant;
}

/** The accounts to which a level was last published of a market. */
export interface ShownTo {
  readonly marketId: string;
  readonly level: number;
  readonly accountIds: readonly string[];
}

/** All published levels, a few at a time. */
export async function readShownLevels(tx: Tx, onRow: (row: ShownTo) => void): Promise<void> {
  const rows = tx<ShownTo[]>`
    select market_id as "marketId", level, array_agg(account_id::text) as "accountIds"
    from adl_level group by market_id, level`.cursor(1);
  for await (const fetched of rows) for (const row of fetched) onRow(row);
}

/** By `positionKey`: the level last published of each of these positions, where one was. */
export type ShownLevels = ReadonlyMap<string, ShownRow>;

export function positionKey({ accountId, marketId }: PositionName): string {
  return `${accountId} ${marketId}`;
}

export async function loadShownLevels(tx: Tx, names: readonly PositionName[]): Promise<ShownLevels> {
  if (names.length === 0) return new Map();
  const rows = await tx<ShownRow[]>`
    select l.account_id as "accountId", l.market_id as "marketId", l.level, l.shown_at as at
    from unnest(${names.map((n) => n.accountId)}::text[], ${names.map((n) => n.marketId)}::text[]) as t (account, market)
      join adl_level l on l.account_id = t.account and l.market_id = t.market`;
  return new Map(rows.map((row) => [positionKey(row), row]));
}

export interface DepthLevelRow {
  readonly price: Decimal;
  readonly size: Decimal;
  readonly place: number;
}

export interface DepthRow {
  readonly marketId: string;
  readonly snapshotId: string;
  readonly bids: readonly DepthLevelRow[];
  readonly asks: readonly DepthLevelRow[];
}

/**
 * What earlier fills left of the newest depth of each market, best first, in whole steps of the market. Depth dated
 * further after its arrival than a price may be old does not count.
 */
export async function loadDepthLeft(tx: Tx): Promise<DepthRow[]> {
  const rows = await tx<
    { market_id: string; id: string; side: 'BID' | 'ASK'; place: number; price: string; size: string }[]
  >`
    with newest as (
      select m.id as market_id, m.size_step, d.*
      from market m cross join lateral (
        select id, bid_prices, bid_sizes, ask_prices, ask_sizes from depth_snapshot
        where market_id = m.id and at <= received_at + m.stale_after_ms * interval '1 millisecond'
        order by at desc, id desc limit 1) d
    ), levels as (
      select market_id, size_step, id, 'BID' as side, l.* from newest,
        unnest(bid_prices, bid_sizes) with ordinality as l (price, size, place)
      union all
      select market_id, size_step, id, 'ASK', l.* from newest,
        unnest(ask_prices, ask_sizes) with ordinality as l (price, size, place)
    ), used as (
      select f.depth_snapshot_id, f.depth_side, f.depth_level, sum(f.size) as size
      from liquidation_fill f join newest n on n.id = f.depth_snapshot_id group by 1, 2, 3
    )
    select l.market_id, l.id, l.side, l.place::int as place, l.price,
           div(l.size - coalesce(u.size, 0), l.size_step) * l.size_step as size
    from levels l left join used u on u.depth_snapshot_id = l.id and u.depth_side = l.side and u.depth_level = l.place
    where l.size - coalesce(u.size, 0) >= l.size_step
    order by l.market_id, l.side, l.place`;
  const byMarket = new Map<string, { snapshotId: string; bids: DepthLevelRow[]; asks: DepthLevelRow[] }>();
  for (const row of rows) {
    const depth = byMarket.get(row.market_id) ?? { snapshotId: row.id, bids: [], asks: [] };
    byMarket.set(row.market_id, depth);
    const level = { price: dec(row.price), size: dec(row.size), place: row.place };
    (row.side === 'BID' ? depth.bids : depth.asks).push(level);
  }
  return [...byMarket].map(([marketId, depth]) => ({ marketId, ...depth }));
}
