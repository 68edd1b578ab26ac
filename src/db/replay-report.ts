import type { Instant } from '../risk/instant.js';
import type { Reader } from './connect.js';

/** What happened in one market, in contracts and in its settlement asset; amounts as plain text without idle zeros. */
export interface MarketTotals {
  readonly marketId: string;
  readonly assetId: string;
  readonly partialLiquidations: string;
  readonly fullLiquidations: string;
  readonly liquidatedContracts: string;
  readonly surplusToFund: string;
  readonly drawnFromFund: string;
  readonly fundLowest: string;
  readonly fundAtEnd: string;
  readonly events: string;
  readonly legs: string;
  readonly deleveragedContracts: string;
  readonly conceded: string;
  readonly legsAtMark: string;
  readonly contractsAtMark: string;
  readonly skippedBankrupt: string;
  readonly skippedBreach: string;
  readonly badDebt: string;
  readonly openContracts: string;
}

export async function loadMarketTotals(reader: Reader): Promise<MarketTotals[]> {
  return reader<MarketTotals[]>`
    select m.id as "marketId", m.settlement_asset_id as "assetId",
      l.partial as "partialLiquidations", l.whole as "fullLiquidations", trim_scale(l.closed) as "liquidatedContracts",
      trim_scale(f.surplus) as "surplusToFund", trim_scale(f.drawn) as "drawnFromFund", trim_scale(f.lowest) as "fundLowest",
      trim_scale(b.amount) as "fundAtEnd", e.events, g.legs, trim_scale(g.contracts) as "deleveragedContracts",
      trim_scale(g.conceded) as conceded, g.legs_at_mark as "legsAtMark", trim_scale(g.at_mark) as "contractsAtMark",
      s.bankrupt as "skippedBankrupt", s.breach as "skippedBreach", trim_scale(d.bad_debt) as "badDebt",
      trim_scale(p.long) as "openContracts"
    from market m
    join balance b on b.account_id = m.insurance_fund_id and b.asset_id = m.settlement_asset_id
    cross join lateral (
      select count(*) filter (where kind = 'PARTIAL') as partial, count(*) filter (where kind = 'FULL') as whole,
        coalesce(sum(closed), 0) as closed
      from liquidation where market_id = m.id and closed > 0) l
    cross join lateral (
      select coalesce(sum(amount) filter (where kind = 'LIQUIDATION_FEE'), 0) as surplus,
        coalesce(-sum(amount) filter (where kind = 'FUND_PAYMENT'), 0) as drawn, min(balance_after) as lowest
      from ledger_entry where account_id = m.insurance_fund_id) f
    cross join lateral (select count(*) as events from deleverage_event where market_id = m.id) e
    cross join lateral (
      select count(*) filter (where stage = 'DELEVERAGE') as legs,
        coalesce(sum(size_closed) filter (where stage = 'DELEVERAGE'), 0) as contracts,
        coalesce(sum(concession), 0) as conceded, count(*) filter (where stage = 'CLOSE_AT_MARK') as legs_at_mark,
        coalesce(sum(size_closed) filter (where stage = 'CLOSE_AT_MARK'), 0) as at_mark
      from deleverage_leg g join deleverage_event e on e.id = g.event_id where e.market_id = m.id) g
    cross join lateral (
      select count(*) filter (where reason = 'NON_OVERLAPPING_BANKRUPTCY') as bankrupt,
        count(*) filter (where reason = 'WOULD_BREACH_MARGIN') as breach
      from deleverage_skip s join deleverage_event e on e.id = s.event_id where e.market_id = m.id) s
    cross join lateral (
      select coalesce(sum(amount), 0) as bad_debt from ledger_entry where market_id = m.id and kind = 'BAD_DEBT') d
    cross join lateral (select coalesce(sum(size) filter (where size > 0), 0) as long from position where market_id = m.id) p
    order by m.id`;
}

export interface CallTotals {
  readonly met: string;
  readonly lapsedByDeadline: string;
  readonly lapsedByLiquidation: string;
  readonly open: string;
}

export async function loadCallTotals(reader: Reader): Promise<CallTotals> {
  const [row] = await reader<CallTotals[]>`
    select count(*) filter (where status = 'MET') as met,
      count(*) filter (where lapse_reason = 'DEADLINE') as "lapsedByDeadline",
      count(*) filter (where lapse_reason = 'LIQUIDATABLE') as "lapsedByLiquidation",
      count(*) filter (where status = 'OPEN') as open
    from margin_call`;
  if (row === undefined) throw new Error('a count without its row');
  return row;
}

/** The auto-deleveraging with the most counterparties. */
export interface WidestEvent {
  readonly marketId: string;
  readonly accountId: string;
  readonly at: Instant;
  readonly size: string;
  readonly mark: string;
  readonly price: string;
  readonly deficit: string;
  readonly fundPaid: string;
  readonly counterparties: string;
  readonly lastAccountId: string;
  readonly lastClosed: string;
  readonly lastSize: string;
  readonly isLastPartial: boolean;
}

/** Of those whose last counterparty was closed in part, if there is one. */
export async function findWidestEvent(reader: Reader): Promise<WidestEvent | undefined> {
  const [row] = await reader<WidestEvent[]>`
    select e.market_id as "marketId", e.account_id as "accountId", e.at, trim_scale(e.size_before) as size, trim_scale(e.mark) as mark,
      trim_scale(e.price) as price, trim_scale(e.deficit) as deficit, trim_scale(e.fund_paid) as "fundPaid", l.counterparties,
      last.account_id as "lastAccountId", trim_scale(last.size_closed) as "lastClosed", trim_scale(abs(last.size_before)) as "lastSize",
      last.size_after <> 0 as "isLastPartial"
    from deleverage_event e
    cross join lateral (
      select count(*) as counterparties, max(ordinal) as last from deleverage_leg where event_id = e.id and stage = 'DELEVERAGE') l
    join deleverage_leg last on last.event_id = e.id and last.ordinal = l.last
    order by "isLastPartial" desc, l.counterparties desc, e.id limit 1`;
  return row;
}

/** What must be conserved, of one asset. */
export interface AssetCheck {
  readonly assetId: string;
  readonly balances: string;
  readonly costs: string;
  /** Balances − costs: at the opening, now, and what of the difference is bad debt. */
  readonly atOpening: string;
  readonly now: string;
  readonly badDebt: string;
}

export async function loadAssetChecks(reader: Reader): Promise<AssetCheck[]> {
  return reader<AssetCheck[]>`
    select a.id as "assetId", trim_scale(b.balances) as balances, trim_scale(p.costs) as costs,
      trim_scale(e.opened - o.costs) as "atOpening", trim_scale(b.balances - p.costs) as now, trim_scale(e.bad_debt) as "badDebt"
    from asset a
    cross join lateral (select coalesce(sum(amount), 0) as balances from balance where asset_id = a.id) b
    cross join lateral (select coalesce(sum(cost), 0) as costs from position where settlement_asset_id = a.id) p
    cross join lateral (
      select coalesce(sum(amount) filter (where kind = 'OPENING'), 0) as opened,
        coalesce(sum(amount) filter (where kind = 'BAD_DEBT'), 0) as bad_debt
      from ledger_entry where asset_id = a.id) e
    cross join lateral (
      select coalesce(sum(o.cost), 0) as costs from opening_position o join market m on m.id = o.market_id
      where m.settlement_asset_id = a.id) o
    order by a.id`;
}

export async function loadSizeSums(reader: Reader): Promise<{ readonly marketId: string; readonly sum: string }[]> {
  return reader<{ marketId: string; sum: string }[]>`
    select m.id as "marketId", trim_scale(coalesce(sum(p.size), 0)) as sum
    from market m left join position p on p.market_id = m.id group by m.id order by m.id`;
}

/** What the monitoring view finds wrong; empty is good. */
export async function loadViolations(reader: Reader): Promise<string[]> {
  const rows = await reader<{ text: string }[]>`
    select format('invariant %s: %s %s', invariant, subject, detail) as text from invariant_violations order by 1 limit 20`;
  return rows.map((row) => row.text);
}

export async function countAccounts(reader: Reader): Promise<string> {
  const [row] = await reader<{ count: string }[]>`select count(*) from account where kind = 'TRADER'`;
  return row?.count ?? '0';
}
