import { gridSteps, gridStepsOfText } from '../risk/decimal.js';
import type { Account } from '../risk/margin.js';
import type { Reader, Sql } from './connect.js';

/** An account with amounts in whole steps of the money grid, exact and cheaper than decimals. Positions by market id. */
export interface AccountRow extends Pick<Account, 'id' | 'kind' | 'mode' | 'marginAssetId' | 'exempt'> {
  readonly balance: bigint;
  readonly positions: readonly { readonly marketId: string; readonly size: bigint; readonly cost: bigint }[];
}

export function rowOfAccount({ balance, positions, ...identity }: Account): AccountRow {
  const rows = [...positions].map(([marketId, { size, cost }]) => ({
    marketId,
    size: gridSteps(size),
    cost: gridSteps(cost),
  }));
  rows.sort((a, b) => (a.marketId < b.marketId ? -1 : 1));
  return { ...identity, balance: gridSteps(balance), positions: rows };
}

interface Line {
  id: string;
  kind: Account['kind'];
  mode: Account['mode'];
  margin_asset_id: string;
  exempt: boolean;
  balance: string | null;
  market_id: string | null;
  size: string | null;
  cost: string | null;
}

/**
 * A dump that is restored on another server brings the numbers of the old one's transactions, which the new one has yet to
 * give out: until then every reader would find these accounts changed, each time. Returns how many had such a mark.
 */
export async function renewForeignMarks(sql: Sql): Promise<number> {
  const { count } = await sql`
    update account set changed_in = pg_current_xact_id()
    where changed_in >= pg_snapshot_xmax(pg_current_snapshot())`;
  return count;
}

/** Lines that are fetched at once. */
const FETCHED = 5000;

/**
 * Streams accounts with their balance and positions, by id: all, or those that a transaction numbered `since` or later
 * has written. Whatever a snapshot with that xmin did not see yet is among them, however late it committed.
 */
export async function* readAccountRows(reader: Reader, since: string | null): AsyncIterable<AccountRow> {
  const wanted = since === null ? reader`` : reader`where a.changed_in >= ${since}::text::xid8`;
  const lines = reader<Line[]>`
    select a.id, a.kind, a.mode, a.margin_asset_id, a.exempt, b.amount as balance, p.market_id, p.size, p.cost
    from account a
      left join balance b on b.account_id = a.id and b.asset_id = a.margin_asset_id
      left join position p on p.account_id = a.id
    ${wanted}
    order by a.id, p.market_id`.cursor(FETCHED);
  let open: AccountRow | undefined;
  let positions: AccountRow['positions'][number][] = [];
  for await (const fetched of lines) {
    for (const line of fetched) {
      if (open?.id !== line.id) {
        if (open !== undefined) yield open;
        positions = [];
        open = {
          id: line.id,
          kind: line.kind,
          mode: line.mode,
          marginAssetId: line.margin_asset_id,
          exempt: line.exempt,
          balance: gridStepsOfText(line.balance ?? '0'),
          positions,
        };
      }
      const { market_id: marketId, size, cost } = line;
      if (marketId !== null && size !== null && cost !== null) {
        positions.push({ marketId, size: gridStepsOfText(size), cost: gridStepsOfText(cost) });
      }
    }
  }
  if (open !== undefined) yield open;
}
