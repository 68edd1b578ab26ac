import type { Instant } from '../risk/instant.js';
import type { Reader, Tx } from './connect.js';

/** An account in the view margin_status; amounts in the margin asset, null while a price is missing. */
export interface MarginRow {
  readonly accountId: string;
  readonly exempt: boolean;
  readonly balance: string;
  readonly equity: string | null;
  readonly maintenance: string | null;
  readonly initial: string | null;
  /** Null also when held. */
  readonly status: string | null;
  readonly held: boolean;
}

/** A position in the view position_margin. */
export interface PositionMarginRow {
  readonly accountId: string;
  readonly marketId: string;
  readonly size: string;
  readonly cost: string;
  readonly unrealizedPnl: string | null;
}

export interface OpenInterestRow {
  readonly marketId: string;
  readonly size: string;
  readonly longPositions: number;
  readonly shortPositions: number;
}

/** Puts the views of this transaction at an instant. */
export async function setViewInstant(tx: Tx, at: Instant): Promise<void> {
  await tx`select set_config('backstop.now', ${at}, true)`;
}

/** Ids of the next accounts behind `after`, in the order of their ids. */
export async function readAccountIds(reader: Reader, after: string, limit: number): Promise<string[]> {
  const rows = await reader<{ id: string }[]>`select id from account where id > ${after} order by id limit ${limit}`;
  return rows.map(({ id }) => id);
}

// One account after the other: a list of ids would not reach through the sums of the views, and each question would
// value every account. `offset 0` keeps the planner from joining the views before it filters them.

export async function readMargins(reader: Reader, accountIds: readonly string[]): Promise<MarginRow[]> {
  return reader<MarginRow[]>`
    select m.account_id as "accountId", m.exempt, m.balance, m.equity, m.maintenance, m.initial, m.status, m.held
    from unnest(${[...accountIds]}::text[]) as wanted (id)
      cross join lateral (select * from margin_status where account_id = wanted.id offset 0) m`;
}

export async function readPositionMargins(reader: Reader, accountIds: readonly string[]): Promise<PositionMarginRow[]> {
  return reader<PositionMarginRow[]>`
    select p.account_id as "accountId", p.market_id as "marketId", p.size, p.cost, p.unrealized_pnl as "unrealizedPnl"
    from unnest(${[...accountIds]}::text[]) as wanted (id)
      cross join lateral (select * from position_margin where account_id = wanted.id offset 0) p`;
}

/** Of all markets; reads every position. */
export async function readOpenInterest(reader: Reader): Promise<OpenInterestRow[]> {
  return reader<OpenInterestRow[]>`
    select market_id as "marketId", long_size as size, longs::integer as "longPositions", shorts::integer as "shortPositions"
    from open_interest`;
}
