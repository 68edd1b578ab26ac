import type { Instant } from '../risk/instant.js';
import type { Reader } from './connect.js';
import { byId, byParent, startOf, type PageRequest } from './read-page.js';

export interface LiquidationRow {
  readonly id: string;
  readonly accountId: string;
  readonly marketId: string;
  readonly reason: 'LIQUIDATABLE' | 'BANKRUPT' | 'CALL_LAPSED';
  readonly kind: 'PARTIAL' | 'FULL';
  readonly stoppedBy: 'TARGET' | 'DEPTH' | 'DEVIATION' | 'FUND';
  readonly markPrice: string;
  readonly sizeBefore: string;
  readonly target: string;
  readonly closed: string;
  readonly closeValue: string;
  readonly bankruptcyValue: string;
  readonly realizedPnl: string;
  readonly fundDelta: string;
  readonly fundBalanceBefore: string;
  readonly fundMayPay: string;
  readonly bestPrice: string | null;
  readonly depthSize: string;
  readonly equityBefore: string;
  readonly equityAfter: string;
  readonly maintenanceBefore: string;
  readonly maintenanceAfter: string;
  readonly at: Instant;
}

function columns(reader: Reader): ReturnType<Reader> {
  return reader`l.id, l.account_id as "accountId", l.market_id as "marketId", l.reason, l.kind, l.stopped_by as "stoppedBy",
    l.mark as "markPrice", l.size_before as "sizeBefore", l.target, l.closed, l.close_value as "closeValue",
    l.bankruptcy_value as "bankruptcyValue", l.realized_pnl as "realizedPnl", l.fund_delta as "fundDelta",
    l.fund_balance_before as "fundBalanceBefore", l.fund_may_pay as "fundMayPay", l.best_price as "bestPrice",
    l.depth_size as "depthSize", l.equity_before as "equityBefore", l.equity_after as "equityAfter",
    l.maintenance_before as "maintenanceBefore", l.maintenance_after as "maintenanceAfter", l.at`;
}

/** In the order of `ids`; null where there is none. */
export async function readLiquidations(reader: Reader, ids: readonly string[]): Promise<(LiquidationRow | null)[]> {
  const rows = await reader<LiquidationRow[]>`
    select ${columns(reader)} from liquidation l where l.id = any(${[...ids]}::bigint[])`;
  return byId(ids, rows, (row) => row.id);
}

/** Newest first, of each account its own page. */
export async function readLiquidationsOfAccounts(
  reader: Reader,
  ids: readonly string[],
  page: PageRequest,
): Promise<LiquidationRow[][]> {
  const rows = await reader<LiquidationRow[]>`
    select ${columns(reader)} from unnest(${[...ids]}::text[]) as p (id) cross join lateral (
      select * from liquidation where account_id = p.id and id < ${startOf(page, 'DOWN')}::bigint
      order by id desc limit ${page.limit}) l
    order by l.account_id, l.id desc`;
  return byParent(ids, rows, (row) => row.accountId);
}

/** Newest first, of each market its own page. */
export async function readLiquidationsOfMarkets(
  reader: Reader,
  ids: readonly string[],
  page: PageRequest,
): Promise<LiquidationRow[][]> {
  const rows = await reader<LiquidationRow[]>`
    select ${columns(reader)} from unnest(${[...ids]}::text[]) as p (id) cross join lateral (
      select * from liquidation where market_id = p.id and id < ${startOf(page, 'DOWN')}::bigint
      order by id desc limit ${page.limit}) l
    order by l.market_id, l.id desc`;
  return byParent(ids, rows, (row) => row.marketId);
}

/** Newest first. */
export async function readAllLiquidations(reader: Reader, page: PageRequest): Promise<LiquidationRow[]> {
  return reader<LiquidationRow[]>`
    select ${columns(reader)} from liquidation l where l.id < ${startOf(page, 'DOWN')}::bigint
    order by l.id desc limit ${page.limit}`;
}

export interface LiquidationFillRow {
  readonly liquidationId: string;
  readonly ordinal: number;
  readonly depthLevel: number;
  readonly price: string;
  readonly size: string;
  readonly value: string;
}

/** All fills of each liquidation, in their order. */
export async function readFills(reader: Reader, liquidationIds: readonly string[]): Promise<LiquidationFillRow[][]> {
  const rows = await reader<LiquidationFillRow[]>`
    select liquidation_id as "liquidationId", ordinal, depth_level as "depthLevel", price, size, value
    from liquidation_fill where liquidation_id = any(${[...liquidationIds]}::bigint[])
    order by liquidation_id, ordinal`;
  return byParent(liquidationIds, rows, (row) => row.liquidationId);
}

export interface ForcedTradeRow {
  readonly id: string;
  readonly marketId: string;
  readonly kind: 'LIQUIDATION' | 'DELEVERAGE' | 'CLOSE_AT_MARK';
  readonly accountId: string;
  readonly counterpartyId: string;
  readonly side: 'LONG' | 'SHORT';
  readonly size: string;
  readonly value: string;
  readonly price: string | null;
  readonly liquidationId: string | null;
  readonly legId: string | null;
  readonly at: Instant;
}

function tradeColumns(reader: Reader): ReturnType<Reader> {
  return reader`t.id, t.market_id as "marketId", t.kind, t.account_id as "accountId", t.counterparty_id as "counterpartyId",
    t.side, t.size, t.value, t.price, t.liquidation_id as "liquidationId", t.leg_id as "legId", t.at`;
}

/** In the order of `ids`; null where there is none. */
export async function readForcedTrades(reader: Reader, ids: readonly string[]): Promise<(ForcedTradeRow | null)[]> {
  const rows = await reader<ForcedTradeRow[]>`
    select ${tradeColumns(reader)} from forced_trade t where t.id = any(${[...ids]}::bigint[])`;
  return byId(ids, rows, (row) => row.id);
}

/**
 * Oldest first. Only laps write forced trades, one lap at a time from its first statement to its commit, so ids
 * ascend in commit order: a reader that goes on from the last id that it saw misses none.
 */
export async function readAllForcedTrades(reader: Reader, page: PageRequest): Promise<ForcedTradeRow[]> {
  return reader<ForcedTradeRow[]>`
    select ${tradeColumns(reader)} from forced_trade t where t.id > ${startOf(page, 'UP')}::bigint
    order by t.id limit ${page.limit}`;
}

/** Oldest first, of each market its own page. */
export async function readForcedTradesOf(
  reader: Reader,
  marketIds: readonly string[],
  page: PageRequest,
): Promise<ForcedTradeRow[][]> {
  const rows = await reader<ForcedTradeRow[]>`
    select ${tradeColumns(reader)} from unnest(${[...marketIds]}::text[]) as p (id) cross join lateral (
      select * from forced_trade where market_id = p.id and id > ${startOf(page, 'UP')}::bigint
      order by id limit ${page.limit}) t
    order by t.market_id, t.id`;
  return byParent(marketIds, rows, (row) => row.marketId);
}
