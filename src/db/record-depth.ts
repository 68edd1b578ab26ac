import { dec, type Decimal } from '../risk/decimal.js';
import type { Instant } from '../risk/instant.js';
import type { Reader, Tx } from './connect.js';

export interface DepthLevel {
  readonly price: Decimal;
  readonly size: Decimal;
}

/** Both sides best level first. */
export interface DepthFact {
  readonly marketId: string;
  readonly externalId: string;
  readonly at: Instant;
  readonly bids: readonly DepthLevel[];
  readonly asks: readonly DepthLevel[];
}

interface DepthRow {
  market_id: string;
  external_id: string;
  at: Instant;
  bid_prices: string[];
  bid_sizes: string[];
  ask_prices: string[];
  ask_sizes: string[];
}

export async function loadDepths(
  reader: Reader,
  marketIds: readonly string[],
  externalIds: readonly string[],
): Promise<DepthFact[]> {
  const rows = await reader<DepthRow[]>`
    select d.market_id, d.external_id, d.at, d.bid_prices::text[], d.bid_sizes::text[], d.ask_prices::text[], d.ask_sizes::text[]
    from unnest(${[...marketIds]}::text[], ${[...externalIds]}::text[]) as n (market_id, external_id)
    join depth_snapshot d on d.market_id = n.market_id and d.external_id = n.external_id`;
  return rows.map((row) => ({
    marketId: row.market_id,
    externalId: row.external_id,
    at: row.at,
    bids: levelsOf(row.bid_prices, row.bid_sizes),
    asks: levelsOf(row.ask_prices, row.ask_sizes),
  }));
}

function levelsOf(prices: readonly string[], sizes: readonly string[]): DepthLevel[] {
  return prices.map((price, index) => ({ price: dec(price), size: dec(sizes[index] ?? '0') }));
}

/** Market and external id of those stored now; one that another transaction has just stored is left out. */
export async function insertDepths(
  tx: Tx,
  depths: readonly DepthFact[],
): Promise<{ readonly id: string; readonly marketId: string; readonly externalId: string }[]> {
  // Lists of different lengths make no array of arrays: each travels as the text of an array.
  return await tx<{ id: string; marketId: string; externalId: string }[]>`
    insert into depth_snapshot (market_id, external_id, at, bid_prices, bid_sizes, ask_prices, ask_sizes)
    select market_id, external_id, at, bid_prices::numeric[], bid_sizes::numeric[], ask_prices::numeric[], ask_sizes::numeric[]
    from unnest(${depths.map((d) => d.marketId)}::text[], ${depths.map((d) => d.externalId)}::text[],
      ${depths.map((d) => d.at)}::timestamptz[],
      ${depths.map((d) => arrayText(d.bids, 'price'))}::text[], ${depths.map((d) => arrayText(d.bids, 'size'))}::text[],
      ${depths.map((d) => arrayText(d.asks, 'price'))}::text[], ${depths.map((d) => arrayText(d.asks, 'size'))}::text[])
      with ordinality as n (market_id, external_id, at, bid_prices, bid_sizes, ask_prices, ask_sizes, place)
    order by place
    on conflict (market_id, external_id) do nothing
    returning id, market_id as "marketId", external_id as "externalId"`;
}

function arrayText(levels: readonly DepthLevel[], of: 'price' | 'size'): string {
  return `{${levels.map((level) => level[of].toFixed()).join(',')}}`;
}
