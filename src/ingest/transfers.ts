import type { Sql, Tx } from '../db/connect.js';
import { lockAccounts } from '../db/locks.js';
import { appendLedger } from '../db/record-ledger.js';
import { announce, readClock } from '../db/record-notice.js';
import { loadParties, type Party } from '../db/record-parties.js';
import { insertTransfers, loadAssetIds, loadTransfers } from '../db/record-transfers.js';
import { inTransaction } from '../db/transaction.js';
import type { Decimal } from '../risk/decimal.js';
import { storeFresh } from './fresh-rows.js';
import { knownParty, refuseFundPayment, type FundRule } from './market-facts.js';
import { openRow, parseRows, readAmount, readId, readInstant, refuse, type Optional } from './parse.js';
import { refuseAhead, type KeyedFact } from './repeats.js';

export interface TransferInput {
  /** The exchange's id of this transfer. */
  readonly id: string;
  readonly accountId: string;
  readonly assetId: string;
  /** Positive: paid in from outside; negative: paid out. */
  readonly amount: string;
  readonly at?: Optional<string>;
}

export interface Recorded {
  readonly recorded: number;
  readonly duplicates: number;
}

interface TransferRow extends KeyedFact {
  readonly accountId: string;
  readonly assetId: string;
  readonly amount: Decimal;
}

/** Money that came or went. A trader's balance may fall below zero by it: that happened. A fund's may not. */
export async function recordTransfers(
  sql: Sql,
  input: readonly TransferInput[],
  options: FundRule = {},
): Promise<Recorded> {
  const rows = parseRows(input, 'transfers').map(parseTransfer);
  return inTransaction(sql, { isolation: 'read committed' }, (tx) => applyTransfers(tx, rows, options));
}

export function parseTransfer(value: unknown, rowIndex: number): TransferRow {
  const row = openRow(value, ['id', 'accountId', 'assetId', 'amount', 'at'], rowIndex);
  const key = readId(row, 'id');
  const accountId = readId(row, 'accountId');
  const assetId = readId(row, 'assetId');
  const amount = readAmount(row, 'amount', 'NOT_ZERO');
  return {
    key,
    accountId,
    assetId,
    amount,
    at: readInstant(row, 'at'),
    rowIndex,
    content: contentOf({ accountId, assetId, amount }),
  };
}

export async function applyTransfers(
  tx: Tx,
  rows: readonly TransferRow[],
  { fundsMayPay = true }: FundRule = {},
): Promise<Recorded> {
  const parties = await checkTransfers(tx, rows);
  const now = await readClock(tx);
  refuseAhead(rows, now);
  const { fresh, duplicates } = await storeFresh(rows, {
    load: async (keys) =>
      new Map((await loadTransfers(tx, keys)).map((t) => [t.externalId, { content: contentOf(t), at: t.at }])),
    insert: (some) =>
      insertTransfers(
        tx,
        some.map((row) => ({ ...row, externalId: row.key, at: row.at ?? now })),
      ),
  });
  if (!fundsMayPay) {
    for (const { row } of fresh) refuseFundPayment(parties, row, 'amount', row);
  }
  if (fresh.length === 0) return { recorded: 0, duplicates };
  await lockAccounts(
    tx,
    fresh.map(({ row }) => row.accountId),
  );
  await appendLedger(
    tx,
    fresh.map(({ row, id }) => ({
      accountId: row.accountId,
      assetId: row.assetId,
      amount: row.amount,
      kind: 'TRANSFER',
      cause: 'TRANSFER',
      causeId: id,
      marketId: null,
      lapId: null,
      at: row.at ?? now,
      rowIndex: row.rowIndex,
    })),
  );
  await announce(tx, 'transfers');
  return { recorded: fresh.length, duplicates };
}

async function checkTransfers(tx: Tx, rows: readonly TransferRow[]): Promise<ReadonlyMap<string, Party>> {
  const parties = await loadParties(
    tx,
    rows.map((row) => row.accountId),
  );
  const assetIds = await loadAssetIds(
    tx,
    rows.map((row) => row.assetId),
  );
  for (const row of rows) {
    const party = knownParty(parties, row, 'accountId', row.accountId);
    if (!assetIds.has(row.assetId)) refuse(row, 'assetId', `no asset ${row.assetId}`, 'UNKNOWN_ASSET');
    if (party.marginAssetId !== row.assetId) {
      refuse(row, 'assetId', `${row.accountId} holds ${party.marginAssetId} only`, 'OTHER_ASSET');
    }
  }
  return parties;
}

function contentOf(transfer: Pick<TransferRow, 'accountId' | 'assetId' | 'amount'>): string {
  return `${transfer.accountId} ${transfer.assetId} ${transfer.amount.toFixed()}`;
}
