import { dec, type Decimal } from '../risk/decimal.js';
import type { Instant } from '../risk/instant.js';
import type { Holding } from '../risk/position.js';
import type { Reader, Tx } from './connect.js';

export type PositionCause = 'OPENING' | 'TRADE' | 'LIQUIDATION' | 'DELEVERAGE';

export interface PositionChange {
  readonly accountId: string;
  readonly marketId: string;
  readonly cause: PositionCause;
  /** Id of the row that caused it: opening_position, trade, liquidation or deleverage_leg / deleverage_event. */
  readonly causeId: string;
  readonly sizeChange: Decimal;
  readonly costChange: Decimal;
  readonly realizedPnl: Decimal;
  readonly sizeAfter: Decimal;
  readonly costAfter: Decimal;
  readonly at: Instant;
}

/** Positions by account, then market. An account without any is not in it. */
export async function loadHoldings(
  reader: Reader,
  accountIds: Iterable<string>,
): Promise<Map<string, Map<string, Holding>>> {
  const rows = await reader<{ account_id: string; market_id: string; size: string; cost: string }[]>`
    select account_id, market_id, size, cost from position where account_id = any(${[...new Set(accountIds)]}::text[])`;
  const holdings = new Map<string, Map<string, Holding>>();
  for (const row of rows) {
    const own = holdings.get(row.account_id) ?? new Map<string, Holding>();
    own.set(row.market_id, { size: dec(row.size), cost: dec(row.cost) });
    holdings.set(row.account_id, own);
  }
  return holdings;
}

/**
 * Appends the changes in the order given and leaves each position as its last change says. The accounts must be
 * locked (locks.ts) by an earlier statement.
 */
export async function writePositions(tx: Tx, changes: readonly PositionChange[]): Promise<void> {
  if (changes.length === 0) return;
  const last = new Map<string, PositionChange>();
  for (const change of changes) last.set(`${change.accountId} ${change.marketId}`, change);
  const states = [...last.values()];
  // Closed ones first: an isolated account that left one market may have entered another in the same batch.
  await deleteClosed(
    tx,
    states.filter((state) => state.sizeAfter.isZero()),
  );
  await upsertOpen(
    tx,
    states.filter((state) => !state.sizeAfter.isZero()),
  );
  await insertChanges(tx, changes);
}

async function deleteClosed(tx: Tx, closed: readonly PositionChange[]): Promise<void> {
  if (closed.length === 0) return;
  await tx`
    delete from position p
    using unnest(${closed.map((c) => c.accountId)}::text[], ${closed.map((c) => c.marketId)}::text[])
      as n (account_id, market_id)
    where p.account_id = n.account_id and p.market_id = n.market_id`;
}

async function upsertOpen(tx: Tx, open: readonly PositionChange[]): Promise<void> {
  if (open.length === 0) return;
  await tx`
    insert into position (account_id, market_id, settlement_asset_id, account_kind, account_mode, size, cost)
    select a.id, m.id, m.settlement_asset_id, a.kind, a.mode, n.size, n.cost
    from unnest(${open.map((c) => c.accountId)}::text[], ${open.map((c) => c.marketId)}::text[],
      ${open.map((c) => c.sizeAfter.toFixed())}::numeric[], ${open.map((c) => c.costAfter.toFixed())}::numeric[])
      as n (account_id, market_id, size, cost)
    join account a on a.id = n.account_id join market m on m.id = n.market_id
    on conflict (account_id, market_id) do update set size = excluded.size, cost = excluded.cost`;
}

async function insertChanges(tx: Tx, changes: readonly PositionChange[]): Promise<void> {
  await tx`
    insert into position_change
      (account_id, market_id, cause, cause_id, size_change, cost_change, realized_pnl, size_after, cost_after, at)
    select account_id, market_id, cause, cause_id, size_change, cost_change, realized_pnl, size_after, cost_after, at
    from unnest(${changes.map((c) => c.accountId)}::text[], ${changes.map((c) => c.marketId)}::text[],
      ${changes.map((c) => c.cause)}::text[], ${changes.map((c) => c.causeId)}::bigint[],
      ${changes.map((c) => c.sizeChange.toFixed())}::numeric[], ${changes.map((c) => c.costChange.toFixed())}::numeric[],
      ${changes.map((c) => c.realizedPnl.toFixed())}::numeric[], ${changes.map((c) => c.sizeAfter.toFixed())}::numeric[],
      ${changes.map((c) => c.costAfter.toFixed())}::numeric[], ${changes.map((c) => c.at)}::timestamptz[]) with ordinality
      as n (account_id, market_id, cause, cause_id, size_change, cost_change, realized_pnl, size_after, cost_after, at, place)
    order by place`;
}
