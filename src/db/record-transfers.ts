import { dec, type Decimal } from '../risk/decimal.js';
import type { Instant } from '../risk/instant.js';
import type { Reader, Tx } from './connect.js';

export interface TransferFact {
  readonly externalId: string;
  readonly accountId: string;
  readonly assetId: string;
  /** Positive: paid in. */
  readonly amount: Decimal;
  readonly at: Instant;
}

export async function loadTransfers(reader: Reader, externalIds: readonly string[]): Promise<TransferFact[]> {
  const rows = await reader<
    { external_id: string; account_id: string; asset_id: string; amount: string; at: Instant }[]
  >`
    select external_id, account_id, asset_id, amount, at from transfer where external_id = any(${[...externalIds]}::text[])`;
  return rows.map((row) => ({
    externalId: row.external_id,
    accountId: row.account_id,
    assetId: row.asset_id,
    amount: dec(row.amount),
    at: row.at,
  }));
}

/** Ids by external id of those stored now; one that another transaction has just stored is left out. */
export async function insertTransfers(tx: Tx, transfers: readonly TransferFact[]): Promise<Map<string, string>> {
  const rows = await tx<{ id: string; external_id: string }[]>`
    insert into transfer (external_id, account_id, asset_id, amount, at)
    select external_id, account_id, asset_id, amount, at
    from unnest(${transfers.map((t) => t.externalId)}::text[], ${transfers.map((t) => t.accountId)}::text[],
      ${transfers.map((t) => t.assetId)}::text[], ${transfers.map((t) => t.amount.toFixed())}::numeric[],
      ${transfers.map((t) => t.at)}::timestamptz[]) with ordinality
      as n (external_id, account_id, asset_id, amount, at, place)
    order by place
    on conflict (external_id) do nothing
    returning id, external_id`;
  return new Map(rows.map((row) => [row.external_id, row.id]));
}

export async function loadAssetIds(reader: Reader, ids: Iterable<string>): Promise<Set<string>> {
  const rows = await reader<{ id: string }[]>`select id from asset where id = any(${[...new Set(ids)]}::text[])`;
  return new Set(rows.map((row) => row.id));
}
