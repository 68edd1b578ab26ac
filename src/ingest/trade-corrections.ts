import type { Tx } from '../db/connect.js';
import { pastKey, loadPasts, type PositionKey } from '../db/position-past.js';
import { loadCorrected, type TradeFact } from '../db/record-trades.js';
import { BackstopError } from '../errors.js';
import { FLAT, type Holding } from '../risk/position.js';
import type { PositionPast } from '../risk/position-past.js';
import { refuse } from './parse.js';
import type { TradeRow } from './trades.js';

/** Changes that the corrections of one batch go through: some seconds of arithmetic. */
const MOST_CHANGES = 200_000;

/** What a correction must be the opposite of. */
type Corrected = Pick<
  TradeFact,
  'marketId' | 'buyerId' | 'sellerId' | 'size' | 'price' | 'buyerFee' | 'sellerFee' | 'corrects'
> & { readonly correctedBy: string | null };

/** Refuses corrections that are not the exact opposite of a trade that stands, in the store or before them in the batch. */
export async function checkCorrections(tx: Tx, rows: readonly TradeRow[]): Promise<void> {
  const ids = rows.flatMap(({ corrects }) => (corrects === null ? [] : [corrects]));
  if (ids.length === 0) return;
  const known = new Map<string, Corrected>((await loadCorrected(tx, ids)).map((trade) => [trade.externalId, trade]));
  for (const row of rows) {
    if (row.corrects !== null) {
      const trade = checkCorrection(row, row.corrects, known.get(row.corrects));
      known.set(row.corrects, { ...trade, correctedBy: row.key });
    }
    known.set(row.key, { ...row, correctedBy: null });
  }
}

function checkCorrection(row: TradeRow, id: string, trade: Corrected | undefined): Corrected {
  if (trade === undefined) refuse(row, 'corrects', `no trade ${id}`, 'NOT_FOUND');
  if (trade.corrects !== null)
    refuse(row, 'corrects', `${id} is a correction itself, of ${trade.corrects}`, 'CONFLICT');
  if (trade.correctedBy !== null && trade.correctedBy !== row.key)
    refuse(row, 'corrects', `${id} is corrected already, by ${trade.correctedBy}`, 'CONFLICT');
  const { marketId, buyerId: sellerId, sellerId: buyerId, size, price } = trade;
  const opposite = { marketId, buyerId, sellerId, size, price };
  const due = { ...opposite, buyerFee: trade.sellerFee.neg(), sellerFee: trade.buyerFee.neg() };
  for (const [field, wanted] of Object.entries(due) as [keyof typeof due, (typeof due)[keyof typeof due]][]) {
    const [is, must] = [row[field], wanted].map((one) => (typeof one === 'string' ? one : one.toFixed()));
    if (is !== must) refuse(row, field, `the opposite of ${id} has ${must ?? ''}, not ${is ?? ''}`, 'CONFLICT');
  }
  return trade;
}

/** What the corrections of a batch are booked by: the past of every position that one of them changes. */
export async function loadPastsOf(
  tx: Tx,
  rows: readonly TradeRow[],
  holdings: ReadonlyMap<string, ReadonlyMap<string, Holding>>,
): Promise<Map<string, PositionPast>> {
  const corrections = rows.filter(({ corrects }) => corrects !== null);
  if (corrections.length === 0) return new Map();
  const positions = new Map<string, PositionKey>();
  const corrected = new Map<string, number>();
  for (const { marketId, buyerId, sellerId } of corrections) {
    for (const accountId of [buyerId, sellerId]) {
      const key = pastKey({ accountId, marketId });
      positions.set(key, { accountId, marketId });
      corrected.set(key, (corrected.get(key) ?? 0) + 1);
    }
  }
  const pasts = await loadPasts(tx, [...positions.values()], MOST_CHANGES);
  const changes = [...(pasts ?? [])].reduce(
    (sum, [key, { fills }]) => sum + fills.length * (corrected.get(key) ?? 0),
    0,
  );
  if (pasts === undefined || changes > MOST_CHANGES) {
    const message = `trades: the positions have changed more than ${String(MOST_CHANGES)} times since the trades to be corrected`;
    throw new BackstopError('BATCH_TOO_LARGE', `${message}; send fewer corrections at once`);
  }
  for (const [key, { accountId, marketId }] of positions) {
    if (pasts.has(key)) continue;
    // What is corrected stands in the batch itself.
    const before = holdings.get(accountId)?.get(marketId) ?? FLAT;
    pasts.set(key, { before, fills: [], corrected: new Set() });
  }
  return pasts;
}
