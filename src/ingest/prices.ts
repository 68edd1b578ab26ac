import { BackstopError } from '../errors.js';
import type { Sql, Tx } from '../db/connect.js';
import { lockMarkets } from '../db/locks.js';
import { announce, readClock } from '../db/record-notice.js';
import { loadTradedMarkets } from '../db/record-parties.js';
import {
  confirmPrices,
  findPrice,
  insertPrices,
  loadPrices,
  loadPriceTails,
  type Confirmation,
  type NewPrice,
  type PriceTail,
} from '../db/record-prices.js';
import { inTransaction } from '../db/transaction.js';
import type { Decimal } from '../risk/decimal.js';
import { addMilliseconds, type Instant } from '../risk/instant.js';
import { checkPrice, knownMarket } from './market-facts.js';
import { openRow, parseRows, readAmount, readAmountOr, readId, readInstant, readText, type Optional } from './parse.js';
import { judgePrice, type Bounds, type PriceHistory, type PriceState } from './price-state.js';
import { sortOutRepeats, type KeyedFact } from './repeats.js';

export interface PriceInput {
  /** The exchange's id of this price, unique within its market. */
  readonly id: string;
  readonly marketId: string;
  readonly price: string;
  readonly indexPrice?: Optional<string>;
  /** Left out: the database clock. */
  readonly at?: Optional<string>;
}

export interface RecordedPrices {
  readonly recorded: number;
  readonly duplicates: number;
  /** What became of each row, in the order of the batch; of a repeat, what became of it by now. */
  readonly states: readonly PriceState[];
}

export interface PriceRow extends KeyedFact {
  readonly id: string;
  readonly marketId: string;
  readonly price: Decimal;
  readonly indexPrice: Decimal | null;
}

export async function recordPrices(sql: Sql, input: readonly PriceInput[]): Promise<RecordedPrices> {
  const rows = parseRows(input, 'prices').map(parsePrice);
  return inTransaction(sql, { isolation: 'read committed' }, (tx) => applyPrices(tx, rows));
}

export function parsePrice(value: unknown, rowIndex: number): PriceRow {
  const row = openRow(value, ['id', 'marketId', 'price', 'indexPrice', 'at'], rowIndex);
  const id = readId(row, 'id');
  const marketId = readId(row, 'marketId');
  const price = readAmount(row, 'price', 'POSITIVE');
  const indexPrice = readAmountOr(row, 'indexPrice', 'POSITIVE', null);
  const at = readInstant(row, 'at');
  return {
    id,
    marketId,
    price,
    indexPrice,
    at,
    rowIndex,
    key: keyOf(marketId, id),
    content: contentOf(price, indexPrice),
  };
}

/** The part of recordPrices inside its transaction. */
export async function applyPrices(tx: Tx, rows: readonly PriceRow[]): Promise<RecordedPrices> {
  const marketIds = [...new Set(rows.map((row) => row.marketId))];
  await lockMarkets(tx, marketIds, 'CHANGE');
  const markets = await loadTradedMarkets(tx, marketIds);
  for (const row of rows) checkPrice(knownMarket(markets, row), row.price, row, 'price');
  const stored = await loadPrices(
    tx,
    rows.map((row) => row.marketId),
    rows.map((row) => row.id),
  );
  const states = new Map<string, PriceState>(
    stored.map((price) => [keyOf(price.marketId, price.externalId), price.state]),
  );
  const facts = stored.map(
    (p) => [keyOf(p.marketId, p.externalId), { content: contentOf(p.price, p.indexPrice), at: p.at }] as const,
  );
  const { fresh, duplicates } = sortOutRepeats(rows, new Map(facts));
  if (fresh.length > 0) {
    const now = await readClock(tx);
    const judged = judgeAll(
      fresh,
      await loadPriceTails(tx, marketIds),
      (row) => {
        const { priceBand, staleAfterMs } = knownMarket(markets, row);
        // A clock may run ahead of ours by as much as a price may be old.
        return { band: priceBand, latest: addMilliseconds(now, staleAfterMs) };
      },
      now,
    );
    await confirmPrices(tx, judged.confirmations, now);
    await insertPrices(tx, judged.prices, now);
    for (const price of judged.prices) states.set(keyOf(price.marketId, price.externalId), price.state);
    await announce(tx, 'prices');
  }
  return { recorded: fresh.length, duplicates, states: rows.map((row) => states.get(row.key) ?? 'LATE') };
}

/** Where a suspect price is: in the store, or in this batch. */
type Place = { readonly storedId: string } | { readonly index: number };

function judgeAll(
  rows: readonly PriceRow[],
  tails: ReadonlyMap<string, PriceTail>,
  boundsOf: (row: PriceRow) => Bounds,
  now: Instant,
): { prices: NewPrice[]; confirmations: Confirmation[] } {
  const histories = new Map<string, PriceHistory<Place>>();
  for (const [marketId, tail] of tails) histories.set(marketId, historyOf(tail));
  const prices: NewPrice[] = [];
  const confirmations: Confirmation[] = [];
  for (const [index, row] of rows.entries()) {
    const history = histories.get(row.marketId) ?? { accepted: null, newestAt: null, suspect: null };
    const quote = { price: row.price, indexPrice: row.indexPrice, at: row.at ?? now };
    const verdict = judgePrice<Place>(history, quote, boundsOf(row), { index });
    histories.set(row.marketId, verdict.history);
    prices.push({ marketId: row.marketId, externalId: row.id, ...quote, state: verdict.state, confirmedBy: null });
    const confirmed = verdict.confirms;
    if (confirmed === null) continue;
    if ('storedId' in confirmed) {
      confirmations.push({ id: confirmed.storedId, by: row.id });
    } else {
      const suspect = prices[confirmed.index];
      if (suspect === undefined) throw new Error(`no price ${confirmed.index} in the batch`);
      prices[confirmed.index] = { ...suspect, state: 'CONFIRMED', confirmedBy: row.id };
    }
  }
  return { prices, confirmations };
}

function historyOf(tail: PriceTail): PriceHistory<Place> {
  const suspect = tail.suspect === null ? null : { price: tail.suspect.price, place: { storedId: tail.suspect.id } };
  return { accepted: tail.accepted, newestAt: tail.newestAt, suspect };
}

export interface PriceConfirmInput {
  readonly marketId: string;
  readonly priceId: string;
  readonly by: string;
}

/** An operator vouches for a suspect price, which then counts as accepted. Again: the same answer, nothing changed. */
export async function confirmPrice(sql: Sql, input: PriceConfirmInput): Promise<{ readonly changed: boolean }> {
  const row = openRow(input, ['marketId', 'priceId', 'by']);
  const [marketId, priceId, by] = [readId(row, 'marketId'), readId(row, 'priceId'), readText(row, 'by')];
  return inTransaction(sql, { isolation: 'read committed' }, async (tx) => {
    await lockMarkets(tx, [marketId], 'CHANGE');
    knownMarket(await loadTradedMarkets(tx, [marketId]), { marketId, rowIndex: undefined });
    const found = await findPrice(tx, marketId, priceId);
    if (found === undefined)
      throw new BackstopError('NOT_FOUND', `priceId: ${marketId} has no price ${priceId}`, { field: 'priceId' });
    if (found.state === 'CONFIRMED') return { changed: false };
    if (found.state !== 'SUSPECT') {
      throw new BackstopError('CONFLICT', `priceId: the price ${priceId} is ${found.state}, not SUSPECT`, {
        field: 'priceId',
      });
    }
    if (found.isPassed) {
      throw new BackstopError('CONFLICT', `priceId: a newer price than ${priceId} has been accepted`, {
        field: 'priceId',
      });
    }
    await confirmPrices(tx, [{ id: found.id, by }], await readClock(tx));
    await announce(tx, 'prices');
    return { changed: true };
  });
}

function keyOf(marketId: string, id: string): string {
  return `${marketId} ${id}`;
}

function contentOf(price: Decimal, indexPrice: Decimal | null): string {
  return `${price.toFixed()} ${indexPrice?.toFixed() ?? '-'}`;
}
