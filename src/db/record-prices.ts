import { dec, type Decimal } from '../risk/decimal.js';
import type { Instant } from '../risk/instant.js';
import type { Reader, Tx } from './connect.js';

export interface StoredPrice {
  readonly marketId: string;
  readonly externalId: string;
  readonly price: Decimal;
  readonly indexPrice: Decimal | null;
  readonly at: Instant;
  readonly state: 'ACCEPTED' | 'SUSPECT' | 'CONFIRMED' | 'LATE' | 'AHEAD';
}

/** `confirmedBy`: the external id of the later price that agreed. */
export interface NewPrice extends StoredPrice {
  readonly confirmedBy: string | null;
}

export interface PriceTail {
  readonly accepted: Decimal | null;
  readonly newestAt: Instant | null;
  readonly suspect: { readonly id: string; readonly price: Decimal } | null;
}

interface StoredRow {
  market_id: string;
  external_id: string;
  price: string;
  index_price: string | null;
  at: Instant;
  state: StoredPrice['state'];
}

export async function loadPrices(
  reader: Reader,
  marketIds: readonly string[],
  externalIds: readonly string[],
): Promise<StoredPrice[]> {
  const rows = await reader<StoredRow[]>`
    select p.market_id, p.external_id, p.price, p.index_price, p.at, p.state
    from unnest(${[...marketIds]}::text[], ${[...externalIds]}::text[]) as n (market_id, external_id)
    join price_mark p on p.market_id = n.market_id and p.external_id = n.external_id`;
  return rows.map((row) => ({
    marketId: row.market_id,
    externalId: row.external_id,
    price: dec(row.price),
    indexPrice: row.index_price === null ? null : dec(row.index_price),
    at: row.at,
    state: row.state,
  }));
}

interface TailRow {
  market_id: string;
  accepted: string | null;
  newest_at: Instant | null;
  suspect_id: string | null;
  suspect_price: string | null;
}

/** Lock the markets (CHANGE) first: the next price of a market is judged by the one before. */
export async function loadPriceTails(tx: Tx, marketIds: readonly string[]): Promise<Map<string, PriceTail>> {
  const rows = await tx<TailRow[]>`
    select m.id as market_id, a.price as accepted, n.at as newest_at, s.id as suspect_id, s.price as suspect_price
    from unnest(${[...marketIds]}::text[]) as m (id)
    left join lateral (
      select id, price, at from price_mark
      where market_id = m.id and state in ('ACCEPTED', 'CONFIRMED') order by at desc, id desc limit 1) a on true
    left join lateral (
      select at from price_mark
      where market_id = m.id and state not in ('LATE', 'AHEAD') order by at desc, id desc limit 1) n on true
    left join lateral (
      select id, price from price_mark
      where market_id = m.id and state = 'SUSPECT' and (a.id is null or (at, id) > (a.at, a.id))
      order by at desc, id desc limit 1) s on true`;
  return new Map(
    rows.map((row) => [
      row.market_id,
      {
        accepted: row.accepted === null ? null : dec(row.accepted),
        newestAt: row.newest_at,
        suspect:
          row.suspect_id === null || row.suspect_price === null
            ? null
            : { id: row.suspect_id, price: dec(row.suspect_price) },
      },
    ]),
  );
}

export async function insertPrices(tx: Tx, prices: readonly NewPrice[], now: Instant): Promise<void> {
  if (prices.length === 0) return;
  await tx`
    insert into price_mark (market_id, external_id, price, index_price, at, state, confirmed_by, confirmed_at)
    select market_id, external_id, price, index_price, at, state, confirmed_by,
      case when confirmed_by is not null then ${now}::timestamptz end
    from unnest(${prices.map((p) => p.marketId)}::text[], ${prices.map((p) => p.externalId)}::text[],
      ${prices.map((p) => p.price.toFixed())}::numeric[], ${prices.map((p) => p.indexPrice?.toFixed() ?? null)}::numeric[],
      ${prices.map((p) => p.at)}::timestamptz[], ${prices.map((p) => p.state)}::text[],
      ${prices.map((p) => p.confirmedBy)}::text[]) with ordinality
      as n (market_id, external_id, price, index_price, at, state, confirmed_by, place)
    order by place`;
}

export interface Confirmation {
  readonly id: string;
  readonly by: string;
}

export async function confirmPrices(tx: Tx, confirmations: readonly Confirmation[], now: Instant): Promise<void> {
  if (confirmations.length === 0) return;
  await tx`
    update price_mark p set state = 'CONFIRMED', confirmed_by = n.by, confirmed_at = ${now}::timestamptz
    from unnest(${confirmations.map((c) => c.id)}::bigint[], ${confirmations.map((c) => c.by)}::text[]) as n (id, by)
    where p.id = n.id and p.state = 'SUSPECT'`;
}

export interface FoundPrice {
  readonly id: string;
  readonly state: StoredPrice['state'];
  readonly confirmedBy: string | null;
  /** A price accepted after it makes its confirmation pointless. */
  readonly isPassed: boolean;
}

export async function findPrice(tx: Tx, marketId: string, externalId: string): Promise<FoundPrice | undefined> {
  const [row] = await tx<FoundPrice[]>`
    select p.id, p.state, p.confirmed_by as "confirmedBy",
      exists (select from price_mark a where a.market_id = p.market_id and a.state in ('ACCEPTED', 'CONFIRMED')
        and (a.at, a.id) > (p.at, p.id)) as "isPassed"
    from price_mark p where p.market_id = ${marketId} and p.external_id = ${externalId}`;
  return row;
}
