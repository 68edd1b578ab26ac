import type { Instant } from '../risk/instant.js';
import type { Policy } from '../risk/margin.js';
import type { Reader } from './connect.js';
import { byId, byParent, startOf, type PageRequest } from './read-page.js';

export interface DeleverageEventRow {
  readonly id: string;
  readonly marketId: string;
  readonly accountId: string;
  readonly side: 'LONG' | 'SHORT';
  readonly liquidationId: string | null;
  readonly rankingId: string;
  readonly policyVersion: number;
  readonly priceBasis: Policy['priceBasis'];
  readonly triggerMetric: Policy['trigger'];
  readonly deficit: string;
  readonly fundBalanceBefore: string;
  readonly fundAllowanceBefore: string | null;
  readonly fundMayPay: string;
  readonly fundPaid: string;
  readonly bestPrice: string | null;
  readonly depthSize: string | null;
  readonly markPrice: string;
  readonly markValue: string;
  readonly bankruptcyValue: string;
  readonly bankruptcyPrice: string | null;
  readonly priceValue: string;
  readonly price: string | null;
  readonly clamped: boolean;
  /** Signed. */
  readonly sizeBefore: string;
  readonly equityBefore: string;
  readonly maintenanceBefore: string;
  readonly sizeDeleveraged: string;
  readonly sizeClosedAtMark: string;
  readonly realizedPnl: string;
  readonly at: Instant;
}

function eventColumns(reader: Reader): ReturnType<Reader> {
  return reader`e.id, e.market_id as "marketId", e.account_id as "accountId", e.side, e.liquidation_id as "liquidationId",
    (select digest from ranking r where r.id = e.ranking_id) as "rankingId", e.policy_version as "policyVersion",
    e.price_basis as "priceBasis", e.trigger_metric as "triggerMetric", e.deficit, e.fund_balance_before as "fundBalanceBefore",
    e.fund_allowance_before as "fundAllowanceBefore", e.fund_may_pay as "fundMayPay", e.fund_paid as "fundPaid",
    e.best_price as "bestPrice", e.depth_size as "depthSize", e.mark as "markPrice", e.mark_value as "markValue",
    e.bankruptcy_value as "bankruptcyValue", e.bankruptcy_price as "bankruptcyPrice", e.price_value as "priceValue",
    e.price, e.clamped, e.size_before as "sizeBefore", e.equity_before as "equityBefore",
    e.maintenance_before as "maintenanceBefore", e.size_deleveraged as "sizeDeleveraged",
    e.size_closed_at_mark as "sizeClosedAtMark", e.realized_pnl as "realizedPnl", e.at`;
}

/** In the order of `ids`; null where there is none. */
export async function readEvents(reader: Reader, ids: readonly string[]): Promise<(DeleverageEventRow | null)[]> {
  const rows = await reader<DeleverageEventRow[]>`
    select ${eventColumns(reader)} from deleverage_event e where e.id = any(${[...ids]}::bigint[])`;
  return byId(ids, rows, (row) => row.id);
}

/** Newest first. */
export async function readAllEvents(reader: Reader, page: PageRequest): Promise<DeleverageEventRow[]> {
  return reader<DeleverageEventRow[]>`
    select ${eventColumns(reader)} from deleverage_event e where e.id < ${startOf(page, 'DOWN')}::bigint
    order by e.id desc limit ${page.limit}`;
}

/** Newest first, of each market its own page. */
export async function readEventsOf(
  reader: Reader,
  marketIds: readonly string[],
  page: PageRequest,
): Promise<DeleverageEventRow[][]> {
  const rows = await reader<DeleverageEventRow[]>`
    select ${eventColumns(reader)} from unnest(${[...marketIds]}::text[]) as p (id) cross join lateral (
      select * from deleverage_event where market_id = p.id and id < ${startOf(page, 'DOWN')}::bigint
      order by id desc limit ${page.limit}) e
    order by e.market_id, e.id desc`;
  return byParent(marketIds, rows, (row) => row.marketId);
}

/** Those of the events in which an account of the trader took part, as the bankrupt or as a counterparty. */
export async function readEventsWith(reader: Reader, traderId: string, ids: readonly string[]): Promise<Set<string>> {
  const rows = await reader<{ id: string }[]>`
    select e.id from deleverage_event e where e.id = any(${[...ids]}::bigint[]) and exists (
      select 1 from account a where a.trader_id = ${traderId} and (a.id = e.account_id or exists (
        select 1 from deleverage_leg l where l.account_id = a.id and l.event_id = e.id)))`;
  return new Set(rows.map(({ id }) => id));
}

export interface LegTotals {
  readonly eventId: string;
  readonly legCount: number;
  /** Σ concession. */
  readonly concession: string;
}

export async function readLegTotals(reader: Reader, eventIds: readonly string[]): Promise<(LegTotals | null)[]> {
  const rows = await reader<LegTotals[]>`
    select event_id as "eventId", count(*)::integer as "legCount", sum(concession) as concession
    from deleverage_leg where event_id = any(${[...eventIds]}::bigint[]) group by event_id`;
  return byId(eventIds, rows, (row) => row.eventId);
}

export interface DeleverageLegRow {
  readonly id: string;
  readonly eventId: string;
  readonly ordinal: number;
  readonly stage: 'DELEVERAGE' | 'CLOSE_AT_MARK';
  readonly accountId: string;
  readonly rank: number | null;
  readonly queueLength: number | null;
  readonly sizeAhead: string | null;
  readonly scoreName: Policy['score'];
  readonly scoreValue: string | null;
  readonly profitRatio: string | null;
  readonly leverage: string | null;
  readonly levelShown: number | null;
  readonly levelShownAt: Instant | null;
  readonly sizeBefore: string;
  readonly sizeClosed: string;
  readonly sizeAfter: string;
  readonly value: string;
  readonly markValue: string;
  readonly price: string | null;
  readonly realizedPnl: string;
  readonly concession: string;
  readonly equityBefore: string | null;
  readonly equityAfter: string | null;
  readonly leverageBefore: string | null;
  readonly leverageAfter: string | null;
  readonly entryPriceBefore: string | null;
  readonly entryPriceAfter: string | null;
}

function legColumns(reader: Reader): ReturnType<Reader> {
  return reader`l.id, l.event_id as "eventId", l.ordinal, l.stage, l.account_id as "accountId", l.rank,
    l.queue_length as "queueLength", l.size_ahead as "sizeAhead",
    (select r.score_name from deleverage_event e join ranking r on r.id = e.ranking_id where e.id = l.event_id) as "scoreName",
    l.score as "scoreValue", l.profit_ratio as "profitRatio", l.leverage, l.level_shown as "levelShown",
    l.level_shown_at as "levelShownAt", l.size_before as "sizeBefore", l.size_closed as "sizeClosed",
    l.size_after as "sizeAfter", l.value, l.mark_value as "markValue", l.price, l.realized_pnl as "realizedPnl",
    l.concession, l.equity_before as "equityBefore", l.equity_after as "equityAfter",
    l.leverage_before as "leverageBefore", l.leverage_after as "leverageAfter",
    l.entry_price_before as "entryPriceBefore", l.entry_price_after as "entryPriceAfter"`;
}

/** In the order of `ids`; null where there is none. */
export async function readLegs(reader: Reader, ids: readonly string[]): Promise<(DeleverageLegRow | null)[]> {
  const rows = await reader<DeleverageLegRow[]>`
    select ${legColumns(reader)} from deleverage_leg l where l.id = any(${[...ids]}::bigint[])`;
  return byId(ids, rows, (row) => row.id);
}

/** In the order in which they were made, of each event its own page; here `after` is the ordinal of the last leg seen. */
export async function readLegsOfEvents(
  reader: Reader,
  eventIds: readonly string[],
  page: PageRequest,
): Promise<DeleverageLegRow[][]> {
  const rows = await reader<DeleverageLegRow[]>`
    select ${legColumns(reader)} from unnest(${[...eventIds]}::bigint[]) as p (id) cross join lateral (
      select * from deleverage_leg where event_id = p.id and ordinal > ${page.after ?? '0'}::bigint
      order by ordinal limit ${page.limit}) l
    order by l.event_id, l.ordinal`;
  return byParent(eventIds, rows, (row) => row.eventId);
}

/** Newest first, of each counterparty its own page. */
export async function readLegsOfAccounts(
  reader: Reader,
  accountIds: readonly string[],
  page: PageRequest,
): Promise<DeleverageLegRow[][]> {
  const rows = await reader<DeleverageLegRow[]>`
    select ${legColumns(reader)} from unnest(${[...accountIds]}::text[]) as p (id) cross join lateral (
      select * from deleverage_leg where account_id = p.id and id < ${startOf(page, 'DOWN')}::bigint
      order by id desc limit ${page.limit}) l
    order by l.account_id, l.id desc`;
  return byParent(accountIds, rows, (row) => row.accountId);
}

/** Newest first, of all accounts of a trader. */
export async function readLegsOfTrader(
  reader: Reader,
  traderId: string,
  page: PageRequest,
): Promise<DeleverageLegRow[]> {
  return reader<DeleverageLegRow[]>`
    select ${legColumns(reader)} from account a cross join lateral (
      select * from deleverage_leg where account_id = a.id and id < ${startOf(page, 'DOWN')}::bigint
      order by id desc limit ${page.limit}) l
    where a.trader_id = ${traderId}
    order by l.id desc limit ${page.limit}`;
}

export interface DeleverageSkipRow {
  readonly eventId: string;
  readonly accountId: string;
  readonly rank: number | null;
  readonly reason: 'NON_OVERLAPPING_BANKRUPTCY' | 'WOULD_BREACH_MARGIN' | 'EXEMPT' | 'HELD';
  readonly size: string;
  readonly equity: string | null;
  readonly maintenance: string | null;
  readonly initial: string | null;
}

/** By rank, those without one last, then by account. */
export async function readSkips(reader: Reader, eventIds: readonly string[]): Promise<DeleverageSkipRow[][]> {
  const rows = await reader<DeleverageSkipRow[]>`
    select event_id as "eventId", account_id as "accountId", rank, reason, size, equity, maintenance, initial
    from deleverage_skip where event_id = any(${[...eventIds]}::bigint[])
    order by event_id, rank nulls last, account_id`;
  return byParent(eventIds, rows, (row) => row.eventId);
}
