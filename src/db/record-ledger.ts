import { BackstopError } from '../errors.js';
import { dec, ZERO, type Decimal } from '../risk/decimal.js';
import type { Instant } from '../risk/instant.js';
import type { Tx } from './connect.js';

export type LedgerKind =
  'OPENING' | 'TRANSFER' | 'TRADING_FEE' | 'REALIZED_PNL' | 'FUNDING' | 'LIQUIDATION_FEE' | 'FUND_PAYMENT' | 'BAD_DEBT';

export type LedgerCause = 'OPENING' | 'TRANSFER' | 'TRADE' | 'FUNDING' | 'LIQUIDATION' | 'DELEVERAGE' | 'COVER';

/** A change of a balance; the asset is the account's margin asset. Positive: the account gains. */
export interface LedgerEntry {
  readonly accountId: string;
  readonly assetId: string;
  readonly amount: Decimal;
  readonly kind: LedgerKind;
  readonly cause: LedgerCause;
  /** Id of the row that caused it, in the table that `cause` names. */
  readonly causeId: string;
  readonly marketId: string | null;
  readonly lapId: string | null;
  readonly at: Instant;
  /** Row of the batch to blame in a refusal. */
  readonly rowIndex?: number | undefined;
}

interface Balance {
  readonly assetId: string;
  readonly isFund: boolean;
  amount: Decimal;
  sequence: bigint;
}

interface Placed extends LedgerEntry {
  readonly sequence: string;
  readonly balanceAfter: string;
}

/** The least amount that NUMERIC(38,18) cannot hold. */
export const TOO_LARGE: Decimal = dec(`1${'0'.repeat(20)}`);

/**
 * Appends entries in the order given and moves the balances with them; entries of nothing are left out. The accounts
 * must be locked (locks.ts) by an earlier statement. Refuses what would take a fund below zero.
 */
export async function appendLedger(tx: Tx, entries: readonly LedgerEntry[]): Promise<void> {
  const moving = entries.filter((entry) => !entry.amount.isZero());
  if (moving.length === 0) return;
  const balances = await loadBalances(tx, [...new Set(moving.map((entry) => entry.accountId))]);
  const placed = moving.map((entry) => place(entry, balances));
  await writeTogether(tx, balances, placed);
}

async function loadBalances(tx: Tx, accountIds: readonly string[]): Promise<Map<string, Balance>> {
  const rows = await tx<
    { id: string; kind: string; asset_id: string; amount: string | null; sequence: string | null }[]
  >`
    select a.id, a.kind, a.margin_asset_id as asset_id, b.amount, b.sequence
    from account a left join balance b on b.account_id = a.id and b.asset_id = a.margin_asset_id
    where a.id = any(${[...accountIds]}::text[])`;
  return new Map(
    rows.map((row) => [
      row.id,
      {
        assetId: row.asset_id,
        isFund: row.kind === 'INSURANCE_FUND',
        amount: row.amount === null ? ZERO : dec(row.amount),
        sequence: BigInt(row.sequence ?? '0'),
      },
    ]),
  );
}

function place(entry: LedgerEntry, balances: ReadonlyMap<string, Balance>): Placed {
  const balance = balances.get(entry.accountId);
  if (balance === undefined) throw new Error(`ledger entry for an account that does not exist: ${entry.accountId}`);
  if (balance.assetId !== entry.assetId) throw new Error(`${entry.accountId} does not hold ${entry.assetId}`);
  balance.amount = balance.amount.plus(entry.amount);
  balance.sequence += 1n;
  const at = entry.rowIndex === undefined ? { field: 'amount' } : { field: 'amount', rowIndex: entry.rowIndex };
  if (balance.isFund && balance.amount.isNegative()) {
    const left = balance.amount.toFixed();
    throw new BackstopError('FUND_BELOW_ZERO', `amount: the fund ${entry.accountId} would be left with ${left}`, at);
  }
  if (balance.amount.abs().gte(TOO_LARGE)) {
    throw new BackstopError(
      'BAD_INPUT',
      `amount: the balance of ${entry.accountId} would have more than 20 digits`,
      at,
    );
  }
  return { ...entry, sequence: balance.sequence.toString(), balanceAfter: balance.amount.toFixed() };
}

/** Balances and entries by one statement, so that the guard judges them together when it ends, not each at commit. */
async function writeTogether(tx: Tx, balances: ReadonlyMap<string, Balance>, placed: readonly Placed[]): Promise<void> {
  const all = [...balances];
  await tx`
    with moved as (
      insert into balance (account_id, asset_id, account_kind, account_mode, amount, sequence)
      select a.id, a.margin_asset_id, a.kind, a.mode, n.amount, n.sequence
      from unnest(${all.map(([id]) => id)}::text[], ${all.map(([, b]) => b.amount.toFixed())}::numeric[],
        ${all.map(([, b]) => b.sequence.toString())}::bigint[]) as n (account_id, amount, sequence)
      join account a on a.id = n.account_id
      on conflict (account_id, asset_id) do update set amount = excluded.amount, sequence = excluded.sequence)
    insert into ledger_entry
      (account_id, asset_id, sequence, amount, balance_after, kind, cause, cause_id, market_id, lap_id, at)
    select account_id, asset_id, sequence, amount, balance_after, kind, cause, cause_id, market_id, lap_id, at
    from unnest(${placed.map((e) => e.accountId)}::text[], ${placed.map((e) => e.assetId)}::text[],
      ${placed.map((e) => e.sequence)}::bigint[], ${placed.map((e) => e.amount.toFixed())}::numeric[],
      ${placed.map((e) => e.balanceAfter)}::numeric[], ${placed.map((e) => e.kind)}::text[],
      ${placed.map((e) => e.cause)}::text[], ${placed.map((e) => e.causeId)}::bigint[],
      ${placed.map((e) => e.marketId)}::text[], ${placed.map((e) => e.lapId)}::bigint[],
      ${placed.map((e) => e.at)}::timestamptz[]) with ordinality
      as n (account_id, asset_id, sequence, amount, balance_after, kind, cause, cause_id, market_id, lap_id, at, place)
    order by place`;
}
