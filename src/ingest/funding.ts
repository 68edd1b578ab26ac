import { BackstopError } from '../errors.js';
import type { Sql, Tx } from '../db/connect.js';
import { lockAccounts } from '../db/locks.js';
import { insertFundings, loadFundings, type FundingPayment } from '../db/record-funding.js';
import { appendLedger } from '../db/record-ledger.js';
import { announce, readClock } from '../db/record-notice.js';
import { loadParties, loadTradedMarkets } from '../db/record-parties.js';
import { inTransaction } from '../db/transaction.js';
import { ZERO } from '../risk/decimal.js';
import { storeFresh } from './fresh-rows.js';
import { checkHolds, knownMarket, knownParty, refuseFundPayment, type FundRule } from './market-facts.js';
import {
  MAX_ROWS,
  openRow,
  parseRows,
  readAmount,
  readId,
  readInstant,
  readList,
  refuse,
  type Optional,
  type Row,
} from './parse.js';
import { refuseAhead, type KeyedFact } from './repeats.js';
import type { Recorded } from './transfers.js';

export interface FundingInput {
  /** The exchange's id of this funding of a market. */
  readonly id: string;
  readonly marketId: string;
  readonly at?: Optional<string>;
  /** Each account once; positive: received, negative: paid; together exactly nothing. */
  readonly payments: readonly { readonly accountId: string; readonly amount: string }[];
}

interface FundingRow extends KeyedFact {
  readonly marketId: string;
  readonly payments: readonly FundingPayment[];
}

/** Funding as the exchange computed it, in the settlement asset of the market. */
export async function recordFunding(sql: Sql, input: readonly FundingInput[], rule: FundRule = {}): Promise<Recorded> {
  const rows: FundingRow[] = [];
  let payments = 0;
  for (const [index, value] of parseRows(input, 'funding').entries()) {
    const row = parseFunding(value, index);
    rows.push(row);
    payments += row.payments.length;
    if (payments > MAX_ROWS) {
      const place = { rowIndex: index, field: 'payments' };
      throw new BackstopError('BATCH_TOO_LARGE', `payments: more than ${MAX_ROWS} in the batch`, place);
    }
  }
  return inTransaction(sql, { isolation: 'read committed' }, (tx) => applyFunding(tx, rows, rule));
}

function parseFunding(value: unknown, rowIndex: number): FundingRow {
  const row = openRow(value, ['id', 'marketId', 'at', 'payments'], rowIndex);
  const key = readId(row, 'id');
  const marketId = readId(row, 'marketId');
  const payments = readPayments(row);
  return { key, marketId, payments, at: readInstant(row, 'at'), rowIndex, content: contentOf({ marketId, payments }) };
}

function readPayments(row: Row): FundingPayment[] {
  const list = readList(row, 'payments');
  if (list.length > MAX_ROWS)
    refuse(row, 'payments', `${list.length} at once, at most ${MAX_ROWS} are taken`, 'BATCH_TOO_LARGE');
  const paid = new Set<string>();
  let total = ZERO;
  const payments = list.map((each) => {
    const payment = openRow(each, ['accountId', 'amount'], row.rowIndex);
    const accountId = readId(payment, 'accountId');
    const amount = readAmount(payment, 'amount', 'NOT_ZERO');
    if (paid.has(accountId)) refuse(row, 'payments', `${accountId} appears twice`);
    paid.add(accountId);
    total = total.plus(amount);
    return { accountId, amount };
  });
  if (payments.length === 0) refuse(row, 'payments', 'must not be empty');
  if (!total.isZero()) refuse(row, 'payments', `what is received and paid differs by ${total.toFixed()}`);
  return payments;
}

async function applyFunding(tx: Tx, rows: readonly FundingRow[], { fundsMayPay = true }: FundRule): Promise<Recorded> {
  const markets = await loadTradedMarkets(
    tx,
    rows.map((row) => row.marketId),
  );
  const parties = await loadParties(
    tx,
    rows.flatMap((row) => row.payments.map((payment) => payment.accountId)),
  );
  for (const row of rows) {
    const market = knownMarket(markets, row);
    for (const { accountId } of row.payments)
      checkHolds(knownParty(parties, row, 'payments', accountId), market, row, 'payments');
  }
  const now = await readClock(tx);
  refuseAhead(rows, now);
  const { fresh, duplicates } = await storeFresh(rows, {
    load: async (keys) =>
      new Map((await loadFundings(tx, keys)).map((f) => [f.externalId, { content: contentOf(f), at: f.at }])),
    insert: (some) =>
      insertFundings(
        tx,
        some.map((row) => ({ ...row, externalId: row.key, at: row.at ?? now })),
      ),
  });
  if (!fundsMayPay) {
    for (const { row } of fresh)
      for (const payment of row.payments) refuseFundPayment(parties, row, 'payments', payment);
  }
  if (fresh.length === 0) return { recorded: 0, duplicates };
  await lockAccounts(
    tx,
    fresh.flatMap(({ row }) => row.payments.map((payment) => payment.accountId)),
  );
  await appendLedger(
    tx,
    fresh.flatMap(({ row, id }) =>
      row.payments.map(({ accountId, amount }) => ({
        accountId,
        assetId: knownMarket(markets, row).settlementAssetId,
        amount,
        kind: 'FUNDING' as const,
        cause: 'FUNDING' as const,
        causeId: id,
        marketId: row.marketId,
        lapId: null,
        at: row.at ?? now,
        rowIndex: row.rowIndex,
      })),
    ),
  );
  await announce(tx, 'funding');
  return { recorded: fresh.length, duplicates };
}

/** Whose payment is named first says nothing. */
function contentOf({ marketId, payments }: Pick<FundingRow, 'marketId' | 'payments'>): string {
  const lines = payments.map((payment) => `${payment.accountId}:${payment.amount.toFixed()}`);
  return [marketId, ...lines.sort()].join(' ');
}
