import { dec, type Decimal } from '../risk/decimal.js';
import type { Instant } from '../risk/instant.js';
import type { Reader } from './connect.js';

/** An insurance fund; its balance is its account's. Null caps: none. */
export interface FundState {
  readonly accountId: string;
  readonly perEventCap: Decimal | null;
  readonly windowAllowance: Decimal | null;
  /** Σ of the net payments of the fund's events inside the window that ends at the state's instant. */
  readonly windowPaid: Decimal;
}

interface FundRow {
  account_id: string;
  per_event_cap: string | null;
  window_allowance: string | null;
  window_paid: string;
}

/** One event of a fund is one account and market in one lap, net; an event that earned is no payment. */
export async function loadFunds(reader: Reader, at: Instant): Promise<Map<string, FundState>> {
  const rows = await reader<FundRow[]>`
    select f.account_id, f.per_event_cap, f.window_allowance,
      case when f.window_allowance is null then 0 else (
        select coalesce(sum(greatest(net, 0)), 0) from (
          select sum(paid) as net from (
            select l.lap_id, l.account_id, l.market_id, -l.fund_delta as paid, l.at from liquidation l
            union all select e.lap_id, e.account_id, e.market_id, e.fund_paid, e.at from deleverage_event e
            union all select c.lap_id, c.account_id, c.market_id, c.fund_paid, c.at from deficit_cover c
          ) x join market m on m.id = x.market_id and m.insurance_fund_id = f.account_id
          where x.at > ${at}::timestamptz - f.allowance_window_ms * interval '1 millisecond' and x.at <= ${at}::timestamptz
          group by x.lap_id, x.account_id, x.market_id) events) end as window_paid
    from insurance_fund f order by f.account_id`;
  return new Map(
    rows.map((row) => [
      row.account_id,
      {
        accountId: row.account_id,
        perEventCap: row.per_event_cap === null ? null : dec(row.per_event_cap),
        windowAllowance: row.window_allowance === null ? null : dec(row.window_allowance),
        windowPaid: dec(row.window_paid),
      },
    ]),
  );
}
