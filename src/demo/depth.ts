import { readFileSync } from 'node:fs';
import path from 'node:path';
import { packageRoot } from '../config.js';
import type { DepthInput } from '../ingest/depth.js';
import type { Decimal } from '../risk/decimal.js';
import { MARKETS, type DemoMarketId } from './parameters.js';
import type { Minute } from './path.js';

/**
 * Thousands of levels a minute are laid, so they are whole numbers of this part of a unit: exact, and quicker than
 * decimals. Eight places hold every tick, step and recorded amount.
 */
const PLACES = 8;
const UNIT = 100_000_000n;

export interface RecordedLevel {
  readonly price: bigint;
  /** In bitcoin. */
  readonly size: bigint;
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
    book[side === 'bid' ? 'bids' : 'asks'].push({ price: partsOf(price), size: partsOf(size) });
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
  const terms = termsOf(marketId, partsOf(mark.toFixed()), partsOf(btcMark.toFixed()));
  // mark · price ÷ middle, in ticks; the middle is half of this sum.
  const spread = terms.tick * (bid.price + ask.price);
  const ticksBelow = (price: bigint): bigint => (2n * price * terms.mark) / spread;
  const ticksAbove = (price: bigint): bigint => (2n * price * terms.mark + spread - 1n) / spread;
  return { bids: lay(book.bids, terms, ticksBelow), asks: lay(book.asks, terms, ticksAbove) };
}

interface Terms {
  readonly mark: bigint;
  readonly tick: bigint;
  readonly step: bigint;
  readonly stepsOf: (btc: bigint) => bigint;
}

/** Whole steps of contracts that are worth so much bitcoin: at the mark of bitcoin where the market has another. */
function termsOf(marketId: DemoMarketId, mark: bigint, btcMark: bigint): Terms {
  const { contractSize, priceTick, sizeStep } = MARKETS[marketId];
  const step = partsOf(sizeStep);
  const perStep = partsOf(contractSize) * step;
  const stepsOf = {
    BTCUSDT: (btc: bigint) => (btc * UNIT) / perStep,
    BTCUSD: (btc: bigint) => (btc * btcMark) / perStep,
    XRPUSDT: (btc: bigint) => (btc * btcMark * UNIT) / (perStep * mark),
  }[marketId];
  return { mark, tick: partsOf(priceTick), step, stepsOf };
}

function lay(levels: readonly RecordedLevel[], terms: Terms, ticksOf: (price: bigint) => bigint): Levels {
  const laid: { ticks: bigint; btc: bigint }[] = [];
  for (const level of levels) {
    const ticks = ticksOf(level.price);
    const last = laid.at(-1);
    if (last?.ticks === ticks) last.btc += level.size;
    else laid.push({ ticks, btc: level.size });
  }
  return laid.flatMap(({ ticks, btc }) => {
    const steps = terms.stepsOf(btc);
    return steps === 0n ? [] : [[textOf(ticks * terms.tick), textOf(steps * terms.step)] as const];
  });
}

function partsOf(text: string): bigint {
  const [whole = '', fraction = ''] = text.split('.');
  if (fraction.length > PLACES) throw new Error(`${text} has more than ${PLACES} places`);
  return BigInt(whole + fraction.padEnd(PLACES, '0'));
}

function textOf(parts: bigint): string {
  const fraction = (parts % UNIT).toString().padStart(PLACES, '0').replace(/0+$/, '');
  return (parts / UNIT).toString() + (fraction === '' ? '' : `.${fraction}`);
}
