import { dec, type Decimal } from '../risk/decimal.js';
import type { Instant } from '../risk/instant.js';
import type { Reader, Sql, Tx } from './connect.js';

/** Held by the process that loads the demonstration, from its look at the database to the last row. */
const DEMO_LOCK = 4_207_315_890n;

/** Runs `work` while no other process loads the demonstration. */
export async function withDemoLock<T>(sql: Sql, work: () => Promise<T>): Promise<T> {
  // A lock of a session: the work has transactions of its own, on other connections.
  const holder = await sql.reserve();
  try {
    await holder`select pg_advisory_lock(${DEMO_LOCK.toString()}::bigint)::text`;
    return await work();
  } finally {
    await holder`select pg_advisory_unlock(${DEMO_LOCK.toString()}::bigint)`.catch(() => undefined);
    holder.release();
  }
}

export async function hasAccount(reader: Reader, accountId: string): Promise<boolean> {
  return (await reader`select from account where id = ${accountId}`).length > 0;
}

export async function hasTrade(reader: Reader, externalId: string): Promise<boolean> {
  return (await reader`select from trade where external_id = ${externalId}`).length > 0;
}

/** When each recorded price of a market was, by the id it came with. */
export async function loadPriceTimes(reader: Reader, marketId: string): Promise<Map<string, Instant>> {
  const rows = await reader<{ id: string; at: Instant }[]>`
    select external_id as id, at from price_mark where market_id = ${marketId}`;
  return new Map(rows.map((row) => [row.id, row.at]));
}

/** The newest price that counts, of each of these markets that has one. */
export async function loadMarkPrices(reader: Reader, marketIds: readonly string[]): Promise<Map<string, Decimal>> {
  const rows = await reader<{ market_id: string; price: string }[]>`
    select m.id as market_id, p.price
    from market m cross join lateral (
      select price from price_mark where market_id = m.id and state in ('ACCEPTED', 'CONFIRMED')
      order by at desc, id desc limit 1) p
    where m.id = any(${[...marketIds]}::text[])`;
  return new Map(rows.map((row) => [row.market_id, dec(row.price)]));
}

/** Keeps everyone else from recording an order book until this transaction ends. */
export async function lockDepth(tx: Tx): Promise<void> {
  await tx`lock table depth_snapshot in share row exclusive mode`;
}

export async function loadMarketIds(reader: Reader): Promise<string[]> {
  const rows = await reader<{ id: string }[]>`select id from market where status <> 'SETTLED' order by id`;
  return rows.map((row) => row.id);
}

export interface NewestPrice {
  readonly marketId: string;
  readonly price: string;
  /** Of the newest price of any kind that came in time. */
  readonly newestAt: Instant;
  /** That one is suspect: somebody is to confirm it. */
  readonly isSuspect: boolean;
}

/** The newest price that counts of each market, and what came after it. */
export async function loadNewestPrices(tx: Tx): Promise<NewestPrice[]> {
  return tx<NewestPrice[]>`
    select m.id as "marketId", trim_scale(p.price) as price, n.at as "newestAt", n.state = 'SUSPECT' as "isSuspect"
    from market m
    cross join lateral (
      select price from price_mark where market_id = m.id and state in ('ACCEPTED', 'CONFIRMED')
      order by at desc, id desc limit 1) p
    cross join lateral (
      select at, state from price_mark where market_id = m.id and state not in ('LATE', 'AHEAD')
      order by at desc, id desc limit 1) n
    where m.status <> 'SETTLED' order by m.id`;
}

export interface NewestDepth {
  readonly marketId: string;
  readonly bids: readonly (readonly [price: string, size: string])[];
  readonly asks: readonly (readonly [price: string, size: string])[];
}

interface DepthRow {
  market_id: string;
  bid_prices: string[];
  bid_sizes: string[];
  ask_prices: string[];
  ask_sizes: string[];
}

/** The newest order book of each market, if it is of `before` or earlier; if fills took some of it, of `usedBefore`. */
export async function loadDueDepths(tx: Tx, before: Instant, usedBefore: Instant): Promise<NewestDepth[]> {
  const rows = await tx<DepthRow[]>`
    select n.market_id, n.bid_prices::text[], n.bid_sizes::text[], n.ask_prices::text[], n.ask_sizes::text[]
    from market m cross join lateral (
      select * from depth_snapshot where market_id = m.id order by at desc, id desc limit 1) n
    where m.status <> 'SETTLED' and (n.at <= ${before}::timestamptz or n.at <= ${usedBefore}::timestamptz
      and exists (select from liquidation_fill f where f.depth_snapshot_id = n.id))
    order by m.id`;
  return rows.map((row) => ({
    marketId: row.market_id,
    bids: levelsOf(row.bid_prices, row.bid_sizes),
    asks: levelsOf(row.ask_prices, row.ask_sizes),
  }));
}

function levelsOf(prices: readonly string[], sizes: readonly string[]): (readonly [string, string])[] {
  return prices.map((price, place) => [price, sizes[place] ?? '0'] as const);
}
