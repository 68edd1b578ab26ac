import { finished } from 'node:stream/promises';
import type { Instant } from '../risk/instant.js';
import type { Reader, Tx } from './connect.js';

/**
 * Everything that must stand still while a book is taken over. Readers go on; whoever writes waits at its first lock or
 * foreign key, before it holds any row. In the order of locks.ts.
 */
export async function lockBook(tx: Tx): Promise<void> {
  await tx`lock table market, account, trader, balance, position in exclusive mode`;
}

/** Nobody has stored anything here yet. */
export async function hasNothing(reader: Reader): Promise<boolean> {
  const [row] = await reader<{ is_empty: boolean }[]>`
    select not exists (select from market) and not exists (select from account) and not exists (select from asset) as is_empty`;
  return row?.is_empty === true;
}

const COPY = {
  trader: 'copy trader (id, verification_level) from stdin',
  account: 'copy account (id, trader_id, kind, mode, margin_asset_id) from stdin',
  balance: 'copy import_balance (account_id, asset_id, account_kind, account_mode, amount) from stdin',
  position:
    'copy import_position (account_id, market_id, settlement_asset_id, account_kind, account_mode, size, cost) from stdin',
} as const;

export type CopiedTable = keyof typeof COPY;

/**
 * Where balances and positions wait until they are opened. Of the same types as the tables they go to, so that nothing
 * is judged twice; what kind, mode and asset are said to be there, the foreign keys judge.
 */
export async function prepareImport(tx: Tx): Promise<void> {
  await tx`
    create temporary table import_balance (
      account_id exchange_id, asset_id exchange_id, account_kind text, account_mode text, amount amount) on commit drop`;
  await tx`
    create temporary table import_position (
      account_id exchange_id, market_id exchange_id, settlement_asset_id exchange_id, account_kind text, account_mode text,
      size amount, cost amount) on commit drop`;
}

/**
 * Bulk load of rows whose values are ids, amounts and other texts that ingest has checked: none holds a tab, a line
 * end or a backslash, which COPY's text form would read as its own.
 */
export async function copyRows(tx: Tx, table: CopiedTable, rows: readonly string[]): Promise<void> {
  if (rows.length === 0) return;
  const copy = await tx.unsafe(COPY[table]).writable();
  copy.end(rows.join(''));
  await finished(copy);
}

/** A row in COPY's text form. */
export function copyRow(...values: readonly string[]): string {
  return `${values.join('\t')}\n`;
}

/** The positions that wait, as openings; each with its first change. Sent together: none waits for an answer to the other. */
export async function openPositions(tx: Tx, at: Instant): Promise<void> {
  await Promise.all([
    tx`
      with opened as (
        insert into opening_position (account_id, market_id, size, cost, at)
        select account_id, market_id, size, cost, ${at}::timestamptz from import_position
        returning id, account_id, market_id, size, cost, at)
      insert into position_change
        (account_id, market_id, cause, cause_id, size_change, cost_change, realized_pnl, size_after, cost_after, at)
      select account_id, market_id, 'OPENING', id, size, cost, 0, size, cost, at from opened`,
    tx`
      insert into position (account_id, market_id, settlement_asset_id, account_kind, account_mode, size, cost)
      select account_id, market_id, settlement_asset_id, account_kind, account_mode, size, cost from import_position`,
    tx`truncate import_position`,
  ]);
}

/** The balances that wait and their first ledger entry. An opening balance has no row of its own that caused it: its cause id is 0. */
export async function openBalances(tx: Tx, at: Instant): Promise<void> {
  await Promise.all([
    tx`
      with opened as (
        insert into balance (account_id, asset_id, account_kind, account_mode, amount, sequence)
        select account_id, asset_id, account_kind, account_mode, amount, case when amount = 0 then 0 else 1 end
        from import_balance
        on conflict (account_id, asset_id) do update set amount = excluded.amount, sequence = excluded.sequence)
      insert into ledger_entry (account_id, asset_id, sequence, amount, balance_after, kind, cause, cause_id, at)
      select account_id, asset_id, 1, amount, amount, 'OPENING', 'OPENING', 0, ${at}::timestamptz
      from import_balance where amount <> 0`,
    tx`truncate import_balance`,
  ]);
}

/** Accounts whose balance or positions have ever changed: nothing can be opened in them any more. */
export async function loadUsedAccountIds(reader: Reader): Promise<Set<string>> {
  const rows = await reader<{ id: string }[]>`
    select account_id as id from balance where sequence > 0 union select account_id from position_change`;
  return new Set(rows.map((row) => row.id));
}

export async function loadTraderLevels(reader: Reader): Promise<Map<string, number>> {
  const rows = await reader<{ id: string; verification_level: number }[]>`select id, verification_level from trader`;
  return new Map(rows.map((row) => [row.id, row.verification_level]));
}

export async function loadAllAccountFacts(
  reader: Reader,
): Promise<{ id: string; traderId: string; kind: string; mode: string; marginAssetId: string }[]> {
  return await reader<{ id: string; traderId: string; kind: string; mode: string; marginAssetId: string }[]>`
    select id, trader_id as "traderId", kind, mode, margin_asset_id as "marginAssetId" from account`;
}
