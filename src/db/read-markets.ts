import type { Instant } from '../risk/instant.js';
import type { Policy } from '../risk/margin.js';
import type { Reader } from './connect.js';
import { byId, byParent } from './read-page.js';

export interface MarketRow {
  readonly id: string;
  readonly payoff: 'LINEAR' | 'INVERSE';
  readonly expiresAt: Instant | null;
  readonly status: 'ACTIVE' | 'HALTED' | 'SETTLED';
  readonly settlementAssetId: string;
  readonly contractSize: string;
  readonly priceTick: string;
  readonly sizeStep: string;
  readonly insuranceFundId: string;
  readonly liquidityProviderId: string;
  readonly maxFeeRate: string;
  readonly maxDeviation: string;
  readonly priceBand: string;
  readonly staleAfterMs: number;
  readonly badDebtLimit: string;
}

function marketColumns(reader: Reader): ReturnType<Reader> {
  return reader`id, payoff, expires_at as "expiresAt", status, settlement_asset_id as "settlementAssetId",
    contract_size as "contractSize", price_tick as "priceTick", size_step as "sizeStep",
    insurance_fund_id as "insuranceFundId", liquidity_provider_id as "liquidityProviderId",
    max_fee_rate as "maxFeeRate", max_deviation as "maxDeviation", price_band as "priceBand",
    stale_after_ms as "staleAfterMs", bad_debt_limit as "badDebtLimit"`;
}

/** In the order of `ids`; null where there is none. */
export async function readMarkets(reader: Reader, ids: readonly string[]): Promise<(MarketRow | null)[]> {
  const rows = await reader<MarketRow[]>`
    select ${marketColumns(reader)} from market where id = any(${[...ids]}::text[])`;
  return byId(ids, rows, (row) => row.id);
}

/** All of them, by id. */
export async function readAllMarkets(reader: Reader): Promise<MarketRow[]> {
  return reader<MarketRow[]>`select ${marketColumns(reader)} from market order by id`;
}

export interface BracketRow {
  readonly marketId: string;
  readonly floor: string;
  readonly maintenanceRate: string;
  readonly initialRate: string;
}

/** The brackets in force of each market, by floor. */
export async function readBrackets(reader: Reader, marketIds: readonly string[]): Promise<BracketRow[][]> {
  const rows = await reader<BracketRow[]>`
    select b.market_id as "marketId", b.floor, b.maintenance_rate as "maintenanceRate", b.initial_rate as "initialRate"
    from bracket b
    where b.market_id = any(${[...marketIds]}::text[])
      and b.version = (select max(version) from bracket_version v where v.market_id = b.market_id)
    order by b.market_id, b.floor`;
  return byParent(marketIds, rows, (row) => row.marketId);
}

export interface PolicyRow {
  readonly marketId: string;
  readonly version: number;
  readonly score: Policy['score'];
  readonly allocation: Policy['allocation'];
  readonly priceBasis: Policy['priceBasis'];
  readonly trigger: Policy['trigger'];
  readonly changedBy: string;
  readonly reason: string;
  readonly createdAt: Instant;
}

/** Null version: the one in force. */
export interface PolicyKey {
  readonly marketId: string;
  readonly version: number | null;
}

/** In the order of `keys`; null where there is none. */
export async function readPolicies(reader: Reader, keys: readonly PolicyKey[]): Promise<(PolicyRow | null)[]> {
  const rows = await reader<(PolicyRow & { place: string })[]>`
    select k.place, p.market_id as "marketId", p.version, p.score, p.allocation, p.price_basis as "priceBasis",
      p.trigger, p.changed_by as "changedBy", p.reason, p.created_at as "createdAt"
    from unnest(${keys.map((key) => key.marketId)}::text[], ${keys.map((key) => key.version)}::integer[])
      with ordinality as k (market_id, version, place)
    cross join lateral (
      select * from policy_version
      where market_id = k.market_id and (k.version is null or version = k.version)
      order by version desc limit 1) p`;
  return byId(
    keys.map((_, k) => String(k + 1)),
    rows,
    (row) => row.place,
  );
}

export interface PriceRow {
  readonly marketId: string;
  readonly externalId: string;
  readonly price: string;
  readonly indexPrice: string | null;
  readonly at: Instant;
}

/** The newest price of each market that is in force; null where none was ever accepted. */
export async function readPricesInForce(reader: Reader, marketIds: readonly string[]): Promise<(PriceRow | null)[]> {
  const rows = await reader<PriceRow[]>`
    select p.market_id as "marketId", p.external_id as "externalId", p.price, p.index_price as "indexPrice", p.at
    from unnest(${[...marketIds]}::text[]) as m (id) cross join lateral (
      select * from price_mark where market_id = m.id and state in ('ACCEPTED', 'CONFIRMED')
      order by at desc, id desc limit 1) p`;
  return byId(marketIds, rows, (row) => row.marketId);
}

/** The newest suspect price of each market, if no newer one is in force. */
export async function readSuspectPrices(reader: Reader, marketIds: readonly string[]): Promise<(PriceRow | null)[]> {
  const rows = await reader<PriceRow[]>`
    select p.market_id as "marketId", p.external_id as "externalId", p.price, p.index_price as "indexPrice", p.at
    from unnest(${[...marketIds]}::text[]) as m (id) cross join lateral (
      select * from price_mark where market_id = m.id and state not in ('LATE', 'AHEAD')
      order by at desc, id desc limit 1) p
    where p.state = 'SUSPECT'`;
  return byId(marketIds, rows, (row) => row.marketId);
}
