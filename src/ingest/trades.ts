import type { Sql, Tx } from '../db/connect.js';
import { lockAccounts, lockMarkets } from '../db/locks.js';
import { appendLedger } from '../db/record-ledger.js';
import { announce, readClock } from '../db/record-notice.js';
import { loadParties, loadTradedMarkets, type Party, type TradedMarket } from '../db/record-parties.js';
import { loadHoldings, writePositions } from '../db/record-positions.js';
import { insertTrades, loadTrades } from '../db/record-trades.js';
import { inTransaction } from '../db/transaction.js';
import { ZERO, type Decimal } from '../risk/decimal.js';
import { storeFresh } from './fresh-rows.js';
import { checkHolds, checkPrice, checkSize, knownMarket, knownParty } from './market-facts.js';
import {
  isAbsent,
  openRow,
  parseRows,
  readAmount,
  readAmountOr,
  readId,
  readInstant,
  refuse,
  type Optional,
} from './parse.js';
import { refuseAhead, type KeyedFact } from './repeats.js';
import { bookTrades } from './trade-booking.js';
import { checkCorrections, loadPastsOf } from './trade-corrections.js';
import type { Recorded } from './transfers.js';

export interface TradeInput {
  /** The exchange's id of this trade. */
  readonly id: string;
  readonly marketId: string;
  readonly buyerId: string;
  readonly sellerId: string;
  /** Contracts, a multiple of the market's size step. */
  readonly size: string;
  readonly price: string;
  /** In the settlement asset. Positive: paid to the exchange; negative: a rebate. */
  readonly buyerFee?: Optional<string>;
  readonly sellerFee?: Optional<string>;
  readonly at?: Optional<string>;
  /** The exchange's id of the trade that this one takes back, being its exact opposite. */
  readonly corrects?: Optional<string>;
}

export interface TradeRow extends KeyedFact {
  readonly marketId: string;
  readonly buyerId: string;
  readonly sellerId: string;
  readonly size: Decimal;
  readonly price: Decimal;
  readonly buyerFee: Decimal;
  readonly sellerFee: Decimal;
  readonly corrects: string | null;
}

/** Trades as they happened, both sides at once. One after a halt, or against an advice, happened all the same. */
export async function recordTrades(sql: Sql, input: readonly TradeInput[]): Promise<Recorded> {
  const rows = parseRows(input, 'trades').map(parseTrade);
  return inTransaction(sql, { isolation: 'read committed' }, (tx) => applyTrades(tx, rows));
}

const FIELDS = ['id', 'marketId', 'buyerId', 'sellerId', 'size', 'price', 'buyerFee', 'sellerFee', 'at', 'corrects'];

function parseTrade(value: unknown, rowIndex: number): TradeRow {
  const row = openRow(value, FIELDS, rowIndex);
  const trade = {
    key: readId(row, 'id'),
    marketId: readId(row, 'marketId'),
    buyerId: readId(row, 'buyerId'),
    sellerId: readId(row, 'sellerId'),
    size: readAmount(row, 'size', 'POSITIVE'),
    price: readAmount(row, 'price', 'POSITIVE'),
    buyerFee: readAmountOr(row, 'buyerFee', 'ANY', ZERO),
    sellerFee: readAmountOr(row, 'sellerFee', 'ANY', ZERO),
    at: readInstant(row, 'at'),
    corrects: isAbsent(row, 'corrects') ? null : readId(row, 'corrects'),
    rowIndex,
  };
  if (trade.buyerId === trade.sellerId) refuse(row, 'sellerId', `${trade.sellerId} trades with itself`, 'SELF_TRADE');
  return { ...trade, content: contentOf(trade) };
}

async function applyTrades(tx: Tx, rows: readonly TradeRow[]): Promise<Recorded> {
  await lockMarkets(
    tx,
    rows.map((row) => row.marketId),
    'STEADY',
  );
  const markets = await loadTradedMarkets(
    tx,
    rows.map((row) => row.marketId),
  );
  const parties = await loadParties(
    tx,
    rows.flatMap((row) => [row.buyerId, row.sellerId]),
  );
  for (const row of rows) checkTrade(row, knownMarket(markets, row), parties);
  const now = await readClock(tx);
  refuseAhead(rows, now);
  const { fresh, duplicates } = await storeFresh(rows, {
    load: async (keys) =>
      new Map((await loadTrades(tx, keys)).map((t) => [t.externalId, { content: contentOf(t), at: t.at }])),
    insert: async (some) => {
      await checkCorrections(tx, some);
      return insertTrades(
        tx,
        some.map((row) => ({ ...row, externalId: row.key, at: row.at ?? now })),
      );
    },
  });
  if (fresh.length === 0) return { recorded: 0, duplicates };
  for (const { row } of fresh) {
    if (knownMarket(markets, row).status === 'SETTLED')
      refuse(row, 'marketId', `${row.marketId} is settled`, 'MARKET_SETTLED');
  }
  const accountIds = fresh.flatMap(({ row }) => [row.buyerId, row.sellerId]);
  await lockAccounts(tx, accountIds);
  const holdings = await loadHoldings(tx, accountIds);
  const pasts = await loadPastsOf(
    tx,
    fresh.map(({ row }) => row),
    holdings,
  );
  const booked = bookTrades(
    fresh.map(({ row, id }) => ({ ...row, id, at: row.at ?? now })),
    { markets, parties, holdings, pasts },
  );
  await writePositions(tx, booked.positionChanges);
  await appendLedger(tx, booked.ledger);
  await announce(tx, 'trades');
  return { recorded: fresh.length, duplicates };
}

function checkTrade(row: TradeRow, market: TradedMarket, parties: ReadonlyMap<string, Party>): void {
  checkSize(market, row.size, row, 'size');
  checkPrice(market, row.price, row, 'price');
  for (const [field, accountId] of [
    ['buyerId', row.buyerId],
    ['sellerId', row.sellerId],
  ] as const) {
    const party = knownParty(parties, row, field, accountId);
    if (party.kind === 'INSURANCE_FUND') refuse(row, field, `the fund ${accountId} holds no positions`, 'CONFLICT');
    checkHolds(party, market, row, field);
  }
}

function contentOf(trade: Omit<TradeRow, keyof KeyedFact>): string {
  const { marketId, buyerId, sellerId } = trade;
  const amounts = [trade.size, trade.price, trade.buyerFee, trade.sellerFee].map((amount) => amount.toFixed());
  const correction = trade.corrects === null ? [] : [trade.corrects];
  return [marketId, buyerId, sellerId, ...amounts, ...correction].join(' ');
}
