import { readFileSync } from 'node:fs';
import path from 'node:path';
import { packageRoot } from '../config.js';
import type { DepthInput } from '../ingest/depth.js';
import { dec, ZERO, type Decimal } from '../risk/decimal.js';
import { MARKETS, type DemoMarketId } from './parameters.js';
import type { Minute } from './path.js';

export interface RecordedLevel {
  readonly price: Decimal;
  /** In bitcoin. */
  readonly size: Decimal;
}

/** An order book as it was recorded, best first. */
export interface RecordedBook {
  readonly bids: readonly RecordedLevel[];
  readonly asks: readonly RecordedLevel[];
}

export type Levels = DepthInput['bids'];

let recorded: RecordedBook | undefined;

export function readOrderBook(): RecordedBook {
  recorded ??= parseOrderBook(readFileSync(path.join(packageRoot, 'data', 'btcusdt-2024-08-08.csv'), 'utf8'));
  return recorded;
}

/** Columns: side, level, price, qty_btc. */
function parseOrderBook(text: string): RecordedBook {
  const book: { bids: RecordedLevel[]; asks: RecordedLevel[] } = { bids: [], asks: [] };
  for (const line of text.split('\n').slice(1)) {
    const [side, , price, size] = line.trim().split(',');
    if (side === undefined || price === undefined || size === undefined) continue;
    book[side === 'bid' ? 'bids' : 'asks'].push({ price: dec(price), size: dec(size) });
  }
  return book;
}

/** The recorded book laid around the marks of a minute, for each market. */
export function depthOf(minute: Minute, idOf: (marketId: DemoMarketId) => string): DepthInput[] {
  const marketIds = Object.keys(MARKETS) as DemoMarketId[];
  return marketIds.map((marketId) => ({
    id: idOf(marketId),
    marketId,
    at: minute.at,
    ...layAround(readOrderBook(), marketId, minute.marks[marketId], minute.marks.BTCUSDT),
  }));
}

/**
 * Each level as far from the mark, in proportion, as it was from the middle of its own book. Bitcoin linear: sizes as
 * they were. The other markets: levels of the same worth at the minute's bitcoin price. Prices go outward to a tick,
 * sizes down to a step; levels that meet at one price are one.
 */
export function layAround(
  book: RecordedBook,
  marketId: DemoMarketId,
  mark: Decimal,
  btcMark: Decimal,
): { readonly bids: Levels; readonly asks: Levels } {
  const [bid, ask] = [book.bids[0], book.asks[0]];
  if (bid === undefined || ask === undefined) throw new Error('the recorded order book is empty');
  // mark · price ÷ middle, the middle being half of this sum.
  const scale = { mark, doubleMiddle: bid.price.plus(ask.price), btcMark };
  return { bids: lay(book.bids, marketId, scale, 'DOWN'), asks: lay(book.asks, marketId, scale, 'UP') };
}

interface Scale {
  readonly mark: Decimal;
  readonly doubleMiddle: Decimal;
  readonly btcMark: Decimal;
}

function lay(levels: readonly RecordedLevel[], marketId: DemoMarketId, scale: Scale, outward: 'UP' | 'DOWN'): Levels {
  const tick = dec(MARKETS[marketId].priceTick);
  const laid: { price: Decimal; btc: Decimal }[] = [];
  for (const level of levels) {
    const numerator = level.price.times(scale.mark).times(2);
    const ticks = numerator.dividedToIntegerBy(scale.doubleMiddle.times(tick));
    const isOnTick = ticks.times(tick).times(scale.doubleMiddle).eq(numerator);
    const price = (outward === 'UP' && !isOnTick ? ticks.plus(1) : ticks).times(tick);
    const last = laid.at(-1);
    if (last?.price.eq(price) === true) last.btc = last.btc.plus(level.size);
    else laid.push({ price, btc: level.size });
  }
  const sized = laid.map(({ price, btc }) => ({ price, size: sizeIn(marketId, btc, scale) }));
  return sized.filter(({ size }) => size.gt(ZERO)).map(({ price, size }) => [price.toFixed(), size.toFixed()] as const);
}

/** Contracts of the market that are worth so much bitcoin, in whole steps. */
function sizeIn(marketId: DemoMarketId, btc: Decimal, { mark, btcMark }: Scale): Decimal {
  const { contractSize, sizeStep } = MARKETS[marketId];
  const step = dec(sizeStep);
  const units = dec(contractSize).times(step);
  const steps = {
    BTCUSDT: () => btc.dividedToIntegerBy(units),
    BTCUSD: () => btc.times(btcMark).dividedToIntegerBy(units),
    XRPUSDT: () => btc.times(btcMark).dividedToIntegerBy(units.times(mark)),
  };
  return steps[marketId]().times(step);
}
