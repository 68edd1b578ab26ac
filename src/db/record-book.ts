import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Instant } from '../risk/instant.js';
import type { Reader, Tx } from './connect.js';

/**
 * Everything that must stand still while a book is taken over. Readers go on; whoever writes waits at its first lock or
 * foreign key, before it holds any row. In the order of locks.ts.
 */
export async function lockBook(tx: Tx): Promise<void> {
  await tx`lock table market, account, trader, balance, position in exclusive mode`;
}

const COPY = {
  trader: 'copy trader (id, verification_level) from stdin',
  account: 'copy account (id, trader_id, kind, mode, margin_asset_id) from stdin',
  balance: 'copy import_balance (account_id, amount) from stdin',
  position: 'copy opening_position (account_id, market_id, size, cost, at) from stdin',
} as const;

export type CopiedTable = keyof typeof COPY;

export async function prepareImport(tx: Tx): Promise<void> {
  await tx`create temporary table import_balance (account_id text collate "C", amount numeric(38, 18)) on commit drop`;
}

/**
 * Bulk load of rows whose values are ids, amounts and other texts that ingest has checked: none holds a tab, a line
 * end or a backslash, which COPY's text form would read as its own.
 */
export async function copyRows(tx: Tx, table: CopiedTable, rows: readonly (readonly string[])[]): Promise<void> {
  if (rows.length === 0) return;
  const text = rows.map((row) => `${row.join('\t')}\n`).join('');
  await pipeline(Readable.from([text]), await tx.unsafe(COPY[table]).writable());
}

/** The newest opening position before an import, by which its own are told. */
export async function lastOpeningId(tx: Tx): Promise<string> {
  const [row] = await tx<{ id: string }[]>`select coalesce(max(id), 0) as id from opening_position`;
  return row?.id ?? '0';
}

/** Positions and their first change, from the openings that were copied after `lastId`. */
export async function openPositions(tx: Tx, lastId: string): Promise<void> {
  await tx`
    insert into position (account_id, market_id, settlement_asset_id, account_kind, account_mode, size, cost)
    select o.account_id, o.market_id, m.settlement_asset_id, a.kind, a.mode, o.size, o.cost
    from opening_position o join market m on m.id = o.market_id join account a on a.id = o.account_id
    where o.id > ${lastId}::bigint`;
  await tx`
    insert into position_change
      (account_id, market_id, cause, cause_id, size_change, cost_change, realized_pnl, size_after, cost_after, at)
    select account_id, market_id, 'OPENING', id, size, cost, 0, size, cost, at
    from opening_position where id > ${lastId}::bigint order by id`;
}

/** Balances and their first ledger entry. An opening balance has no row of its own that caused it: its cause id is 0. */
export async function openBalances(tx: Tx, at: Instant): Promise<void> {
  await tx`
    insert into balance (account_id, asset_id, account_kind, account_mode, amount, sequence)
    select a.id, a.margin_asset_id, a.kind, a.mode, n.amount, case when n.amount = 0 then 0 else 1 end
    from import_balance n join account a on a.id = n.account_id
    on conflict (account_id, asset_id) do update set amount = excluded.amount, sequence = excluded.sequence`;
  await tx`
    insert into ledger_entry (account_id, asset_id, sequence, amount, balance_after, kind, cause, cause_id, at)
    select a.id, a.margin_asset_id, 1, n.amount, n.amount, 'OPENING', 'OPENING', 0, ${at}::timestamptz
    from import_balance n join account a on a.id = n.account_id
    where n.amount <> 0 order by a.id`;
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
