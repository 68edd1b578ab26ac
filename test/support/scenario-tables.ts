import type { Sql } from '../../src/db/connect.js';
import type { LapRan } from '../../src/engine/run-lap.js';
import { Decimal } from '../../src/risk/decimal.js';
import { joined } from './scenario-text.js';

export interface TableContext {
  readonly sql: Sql;
  /** The last lap that ran. */
  readonly lap: LapRan;
}

type Row = Readonly<Record<string, string>>;

export function isTableName(word: string): boolean {
  return word === 'accounts' || Object.hasOwn(TABLES, word);
}

/**
 * Rows of a table as text, with the columns asked for. `accounts` and `funds` tell of those alone that the expected
 * rows name first; every other table tells all that it has.
 */
export async function readTable(
  name: string,
  columns: readonly string[],
  expected: readonly string[],
  context: TableContext,
): Promise<string[]> {
  const rows = name === 'accounts' ? accountRows(context, expected) : await storedRows(name, context);
  return rows.map((row) =>
    joined(
      columns.map((column) => {
        const cell = row[column];
        if (cell === undefined) throw new Error(`${name} has no column ${column}, but ${Object.keys(row).join(', ')}`);
        return cell;
      }),
    ),
  );
}

/** As the lap left them, in the order in which they are named. */
function accountRows({ lap }: TableContext, expected: readonly string[]): Row[] {
  return expected.map((row) => {
    const id = row.split(' | ')[0] ?? '';
    const margin = lap.book.margin(id);
    if (margin === undefined) throw new Error(`no account ${id}`);
    const { account, valuation, status, held } = margin;
    return {
      account: id,
      balance: plain(account.balance),
      equity: valuation === null ? '-' : plain(valuation.equity),
      maintenance: valuation === null ? '-' : plain(valuation.maintenance),
      positions: [...account.positions].map(([marketId, { size }]) => `${plain(size)} ${marketId}`).join(', ') || '-',
      status: `${status ?? '-'}${held ? ' held' : ''}`,
    };
  });
}

/** An amount as a reader would write it. */
function plain(amount: Decimal): string {
  return amount.toFixed();
}

async function storedRows(name: string, { sql, lap }: TableContext): Promise<Row[]> {
  const query = TABLES[name];
  if (query === undefined) throw new Error(`no table ${name}`);
  const rows = await sql.unsafe<Record<string, string | number | boolean | null>[]>(query, [lap.round]);
  return rows.map((row) => Object.fromEntries(Object.entries(row).map(([column, cell]) => [column, shown(cell)])));
}

function shown(cell: string | number | boolean | null): string {
  if (cell === null) return '-';
  if (typeof cell === 'boolean') return cell ? 'yes' : 'no';
  return typeof cell === 'string' && /^-?\d+\.\d+$/.test(cell) ? plain(new Decimal(cell)) : String(cell);
}

/** Each takes the lap's id; state is told whole and tells nothing of the lap. */
const TABLES: Readonly<Record<string, string>> = {
  transitions: `
    select account_id as account, from_status as from, to_status as to, held, equity, maintenance
    from margin_status_transition where lap_id = $1 order by id`,
  calls: `
    select account_id as account, status, amount_required as required, on_lapse as "on lapse", lapse_reason as lapsed,
      to_char(deadline at time zone 'UTC', 'HH24:MI:SS') as deadline, released_at is not null as released
    from margin_call where $1::bigint > 0 order by id`,
  liquidations: `
    select account_id as account, market_id as market, reason, kind, stopped_by as "stopped by", mark,
      size_before as size, bankruptcy_value as "bankruptcy value", target, closed, close_value as value,
      realized_pnl as pnl, fund_delta as fund, fund_may_pay as "may pay", equity_before as "equity before", equity_after as "equity after",
      maintenance_after as "maintenance after", best_price as best, depth_size as depth
    from liquidation where lap_id = $1 order by id`,
  fills: `
    select l.account_id as account, l.market_id as market, f.depth_level as level, f.price, f.size, f.value
    from liquidation_fill f join liquidation l on l.id = f.liquidation_id
    where l.lap_id = $1 order by l.id, f.ordinal`,
  events: `
    select e.account_id as account, e.market_id as market, e.side, e.price_basis as basis, e.mark,
      e.bankruptcy_value as "bankruptcy value", e.bankruptcy_price as "bankruptcy price", e.deficit,
      e.fund_may_pay as "may pay", e.fund_allowance_before as allowance, e.fund_paid as paid, e.price, e.price_value as value, e.clamped,
      e.size_before as size, e.size_deleveraged as deleveraged, e.size_closed_at_mark as "at mark", e.realized_pnl as pnl,
      e.equity_before as equity, e.liquidation_id is not null as tried
    from deleverage_event e where e.lap_id = $1 order by e.id`,
  legs: `
    select e.account_id as bankrupt, e.market_id as market, l.stage, l.account_id as account, l.rank, l.score,
      l.profit_ratio as return, l.leverage, l.size_before as before, l.size_closed as closed, l.size_after as left,
      l.price, l.value, l.realized_pnl as pnl, l.concession, l.level_shown as shown, l.equity_before as "equity before",
      l.equity_after as "equity after"
    from deleverage_leg l join deleverage_event e on e.id = l.event_id
    where e.lap_id = $1 order by e.id, l.ordinal`,
  skips: `
    select e.account_id as bankrupt, e.market_id as market, s.account_id as account, s.rank, s.reason, s.size, s.equity
    from deleverage_skip s join deleverage_event e on e.id = s.event_id
    where e.lap_id = $1 order by e.id, s.rank nulls last, s.account_id`,
  covers: `
    select account_id as account, market_id as market, fund_id as fund, shortfall, fund_may_pay as "may pay", fund_paid as paid,
      bad_debt as "bad debt"
    from deficit_cover where lap_id = $1 order by id`,
  funds: `
    select f.account_id as fund, coalesce(b.amount, 0) as balance
    from insurance_fund f left join balance b on b.account_id = f.account_id where $1::bigint > 0 order by 1`,
  markets: `select id as market, status from market where $1::bigint > 0 order by id`,
  levels: `
    select market_id as market, account_id as account, level, rank from adl_level where $1::bigint > 0 order by 1, 4, 2`,
  prices: `
    select market_id as market, price, state from price_mark where $1::bigint > 0 order by id`,
};
