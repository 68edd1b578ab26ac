import { dec, type Decimal } from '../risk/decimal.js';
import type { Instant } from '../risk/instant.js';
import type { Reader, Tx } from './connect.js';

export interface TradeFact {
  readonly externalId: string;
  readonly marketId: string;
  readonly buyerId: string;
  readonly sellerId: string;
  readonly size: Decimal;
  readonly price: Decimal;
  /** Positive: paid; negative: a rebate. In the settlement asset. */
  readonly buyerFee: Decimal;
  readonly sellerFee: Decimal;
  readonly at: Instant;
}

interface TradeRow {
  external_id: string;
  market_id: string;
  buyer_id: string;
  seller_id: string;
  size: string;
  price: string;
  buyer_fee: string;
  seller_fee: string;
  at: Instant;
}

export async function loadTrades(reader: Reader, externalIds: readonly string[]): Promise<TradeFact[]> {
  const rows = await reader<TradeRow[]>`
    select external_id, market_id, buyer_id, seller_id, size, price, buyer_fee, seller_fee, at
    from trade where external_id = any(${[...externalIds]}::text[])`;
  return rows.map((row) => ({
    externalId: row.external_id,
    marketId: row.market_id,
    buyerId: row.buyer_id,
    sellerId: row.seller_id,
    size: dec(row.size),
    price: dec(row.price),
    buyerFee: dec(row.buyer_fee),
    sellerFee: dec(row.seller_fee),
    at: row.at,
  }));
}

/** Ids by external id of those stored now; one that another transaction has just stored is left out. */
export async function insertTrades(tx: Tx, trades: readonly TradeFact[]): Promise<Map<string, string>> {
  const rows = await tx<{ id: string; external_id: string }[]>`
    insert into trade (external_id, market_id, buyer_id, seller_id, size, price, buyer_fee, seller_fee, at)
    select external_id, market_id, buyer_id, seller_id, size, price, buyer_fee, seller_fee, at
    from unnest(${trades.map((t) => t.externalId)}::text[], ${trades.map((t) => t.marketId)}::text[],
      ${trades.map((t) => t.buyerId)}::text[], ${trades.map((t) => t.sellerId)}::text[],
      ${trades.map((t) => t.size.toFixed())}::numeric[], ${trades.map((t) => t.price.toFixed())}::numeric[],
      ${trades.map((t) => t.buyerFee.toFixed())}::numeric[], ${trades.map((t) => t.sellerFee.toFixed())}::numeric[],
      ${trades.map((t) => t.at)}::timestamptz[]) with ordinality
      as n (external_id, market_id, buyer_id, seller_id, size, price, buyer_fee, seller_fee, at, place)
    order by place
    on conflict (external_id) do nothing
    returning id, external_id`;
  return new Map(rows.map((row) => [row.external_id, row.id]));
}
