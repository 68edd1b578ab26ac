import { dec } from '../risk/decimal.js';
import type { PositionPast } from '../risk/position-past.js';
import type { Tx } from './connect.js';

export interface PositionKey {
  readonly accountId: string;
  readonly marketId: string;
}

export const pastKey = ({ accountId, marketId }: PositionKey): string => `${accountId} ${marketId}`;

interface PairRow extends PositionKey {
  readonly original: string;
  /** Null: it is stored, and not booked yet. */
  readonly correction: string | null;
  readonly originalTrade: string;
  readonly correctionTrade: string;
}

/**
 * Of each position what came since the trades that are to be taken back, by `pastKey`; the accounts must be locked. At most
 * `limit` changes of all together; undefined: there are more.
 */
export async function loadPasts(
  tx: Tx,
  positions: readonly PositionKey[],
  limit: number,
): Promise<Map<string, PositionPast> | undefined> {
  const pairs = await loadPairs(tx, positions);
  const starts = positions.flatMap((position) => {
    const start = startOf(pairs.filter((pair) => pastKey(pair) === pastKey(position)));
    return start === null ? [] : [{ ...position, start: start.toString() }];
  });
  const pasts = new Map<string, PositionPast>();
  for (const row of await loadChanges(tx, starts, limit + 1)) {
    const past = pasts.get(pastKey(row)) ?? {
      before: { size: dec(row.sizeBefore), cost: dec(row.costBefore) },
      fills: [],
      corrected: new Set<string>(),
    };
    pasts.set(pastKey(row), past);
    past.fills.push({ tradeId: row.tradeId, size: dec(row.size), filled: dec(row.filled) });
  }
  for (const pair of pairs) {
    if (pair.correction !== null) pasts.get(pastKey(pair))?.corrected.add(pair.originalTrade).add(pair.correctionTrade);
  }
  const changes = [...pasts.values()].reduce((sum, { fills }) => sum + fills.length, 0);
  return changes > limit ? undefined : pasts;
}

/** Trades of these positions that are corrected, each with the change of the position by it and by its correction. */
async function loadPairs(tx: Tx, positions: readonly PositionKey[]): Promise<PairRow[]> {
  // The time finds the block of history that a change is in.
  return tx<PairRow[]>`
    select n.account_id as "accountId", n.market_id as "marketId", o.id as original, c.id as correction,
      t.external_id as "originalTrade", k.external_id as "correctionTrade"
    from unnest(${positions.map((p) => p.accountId)}::text[], ${positions.map((p) => p.marketId)}::text[])
      as n (account_id, market_id)
    join trade k on k.corrects is not null and k.market_id = n.market_id and n.account_id in (k.buyer_id, k.seller_id)
    join trade t on t.external_id = k.corrects
    join position_change o on o.account_id = n.account_id and o.market_id = n.market_id and o.cause = 'TRADE'
      and o.cause_id = t.id and o.at = t.at
    left join position_change c on c.account_id = n.account_id and c.market_id = n.market_id and c.cause = 'TRADE'
      and c.cause_id = k.id and c.at = k.at`;
}

/**
 * The first change to be booked anew: the earliest trade that is corrected now, or one before it whose correction came after
 * that, since what stood between those two counted it still. Null: none was booked before.
 */
function startOf(pairs: readonly PairRow[]): bigint | null {
  const places = pairs.map(({ original, correction }) => ({
    original: BigInt(original),
    correction: correction === null ? null : BigInt(correction),
  }));
  const earliest = (some: typeof places): bigint | null =>
    some.reduce<bigint | null>((least, { original }) => (least === null || original < least ? original : least), null);
  let start = earliest(places.filter(({ correction }) => correction === null));
  for (;;) {
    const from = start;
    if (from === null) return null;
    const before = earliest(
      places.filter(({ original, correction }) => original < from && correction !== null && correction > from),
    );
    if (before === null) return from;
    start = before;
  }
}

interface ChangeRow extends PositionKey {
  readonly tradeId: string | null;
  readonly size: string;
  readonly filled: string;
  readonly sizeBefore: string;
  readonly costBefore: string;
}

async function loadChanges(
  tx: Tx,
  starts: readonly (PositionKey & { readonly start: string })[],
  limit: number,
): Promise<ChangeRow[]> {
  if (starts.length === 0) return [];
  return tx<ChangeRow[]>`
    select c.account_id as "accountId", c.market_id as "marketId", t.external_id as "tradeId", c.size_change as size,
      c.cost_change - c.realized_pnl as filled, c.size_after - c.size_change as "sizeBefore",
      c.cost_after - c.cost_change as "costBefore"
    from unnest(${starts.map((s) => s.accountId)}::text[], ${starts.map((s) => s.marketId)}::text[],
      ${starts.map((s) => s.start)}::bigint[]) as n (account_id, market_id, start)
    join position_change c on c.account_id = n.account_id and c.market_id = n.market_id and c.id >= n.start
    left join trade t on c.cause = 'TRADE' and t.id = c.cause_id
    order by c.account_id, c.market_id, c.id limit ${limit}`;
}
