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
  /** External id of the trade that it takes back. Null: an ordinary trade. */
  readonly corrects: string | null;
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
  corrects: string | null;
}

export async function loadTrades(reader: Reader, externalIds: readonly string[]): Promise<TradeFact[]> {
  const rows = await reader<TradeRow[]>`
    select external_id, market_id, buyer_id, seller_id, size, price, buyer_fee, seller_fee, at, corrects
    from trade where external_id = any(${[...externalIds]}::text[])`;
  return rows.map(toFact);
}

function toFact(row: TradeRow): TradeFact {
  return {
    externalId: row.external_id,
    marketId: row.market_id,
    buyerId: row.buyer_id,
    sellerId: row.seller_id,
    size: dec(row.size),
    price: dec(row.price),
    buyerFee: dec(row.buyer_fee),
    sellerFee: dec(row.seller_fee),
    at: row.at,
    corrects: row.corrects,
  };
}

/** Those that are there, with the ids of their corrections. Nobody else corrects them until the transaction ends. */
export async function loadCorrected(
  tx: Tx,
  externalIds: readonly string[],
): Promise<(TradeFact & { readonly correctedBy: string | null })[]> {
  const ids = [...externalIds];
  await tx`select from trade where external_id = any(${ids}::text[]) order by id for no key update`;
  // A statement of its own: it sees what whoever held them before us has stored.
  const rows = await tx<(TradeRow & { corrected_by: string | null })[]>`
    select t.*, c.external_id as corrected_by from trade t left join trade c on c.corrects = t.external_id
    where t.external_id = any(${ids}::text[])`;
  return rows.map((row) => ({ ...toFact(row), correctedBy: row.corrected_by }));
}

/** Ids by external id of those stored now; one that another transaction has just stored is left out. */
export async function insertTrades(tx: Tx, trades: readonly TradeFact[]): Promise<Map<string, string>> {
  const rows = await tx<{ id: string; external_id: string }[]>`
    insert into trade (external_id, market_id, buyer_id, seller_id, size, price, buyer_fee, seller_fee, at, corrects)
    select external_id, market_id, buyer_id, seller_id, size, price, buyer_fee, seller_fee, at, corrects
    from unnest(${trades.map((t) => t.externalId)}::text[], ${trades.map((t) => t.marketId)}::text[],
      ${trades.map((t) => t.buyerId)}::text[], ${trades.map((t) => t.sellerId)}::text[],
      ${trades.map((t) => t.size.toFixed())}::numeric[], ${trades.map((t) => t.price.toFixed())}::numeric[],
      ${trades.map((t) => t.buyerFee.toFixed())}::numeric[], ${trades.map((t) => t.sellerFee.toFixed())}::numeric[],
      ${trades.map((t) => t.at)}::timestamptz[], ${trades.map((t) => t.corrects)}::text[]) with ordinality
      as n (external_id, market_id, buyer_id, seller_id, size, price, buyer_fee, seller_fee, at, corrects, place)
    order by place
    on conflict (external_id) do nothing
    returning id, external_id`;
  return new Map(rows.map((row) => [row.external_id, row.id]));
}
