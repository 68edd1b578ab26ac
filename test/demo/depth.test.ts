import { describe, expect, it } from '@jest/globals';
import { depthOf, layAround, readOrderBook, type Levels } from '../../src/demo/depth.js';
import { crashPath } from '../../src/demo/path.js';
import { CRASH_START, MARKETS } from '../../src/demo/parameters.js';
import { dec, sum, type Decimal } from '../../src/risk/decimal.js';

const book = readOrderBook();
const path = crashPath(CRASH_START);

const total = (levels: Levels): Decimal => sum(levels.map(([, size]) => dec(size)));

describe('the order book', () => {
  it('is the recorded one around its own middle', () => {
    const laid = layAround(book, 'BTCUSDT', dec('61800.25'), dec('61800.25'));
    expect(laid.bids).toHaveLength(1000);
    expect(laid.bids[0]).toEqual(['61800.2', '2.909']);
    expect(laid.bids.at(-1)).toEqual(['61653.4', '0.068']);
    expect(laid.asks[0]).toEqual(['61800.3', '1.072']);
    expect(laid.asks.at(-1)).toEqual(['61976.2', '0.002']);
  });

  it('keeps its distances in proportion, outward to a tick', () => {
    // 61653.4 · 114955 ÷ 61800.25 = 114681.839…; 61976.2 · 114955 ÷ 61800.25 = 115282.284…
    const laid = layAround(book, 'BTCUSDT', dec('114955'), dec('114955'));
    expect(laid.bids.at(-1)?.[0]).toBe('114681.8');
    expect(laid.asks.at(-1)?.[0]).toBe('115282.3');
    expect(total(laid.bids).toFixed()).toBe('396.998');
    expect(total(laid.asks).toFixed()).toBe('384.589');
  });

  it('is worth the same in each market', () => {
    const btc = dec('114955');
    const linear = total(layAround(book, 'BTCUSDT', btc, btc).bids);
    const inverse = total(layAround(book, 'BTCUSD', btc, btc).bids);
    const xrp = total(layAround(book, 'XRPUSDT', dec('2.496'), btc).bids);
    const worth = linear.times(btc);
    // Less than one step is lost at each level: at most 1,000 dollars, at most 0.1 · 2.496 · 1,000.
    expect(worth.minus(inverse).gte(0) && worth.minus(inverse).lt('1000')).toBe(true);
    expect(worth.minus(xrp.times('2.496')).gte(0) && worth.minus(xrp.times('2.496')).lt('249.6')).toBe(true);
  });

  it('is strictly ordered, on ticks and steps, and around the mark, every minute', () => {
    for (const minute of [path[0], path[18], path[30]]) {
      if (minute === undefined) throw new Error('no such minute');
      for (const depth of depthOf(minute, () => 'depth')) {
        const marketId = depth.marketId as keyof typeof MARKETS;
        const { priceTick, sizeStep } = MARKETS[marketId];
        const mark = minute.marks[marketId];
        for (const [levels, sign] of [
          [depth.bids, -1],
          [depth.asks, 1],
        ] as const) {
          const away = levels.map(([price]) => dec(price).minus(mark).times(sign));
          expect(
            away.every((distance, index) => distance.gt(away[index - 1] ?? '0') || (distance.isZero() && index === 0)),
          ).toBe(true);
          expect(levels.every(([price]) => dec(price).mod(priceTick).isZero())).toBe(true);
          expect(levels.every(([, size]) => dec(size).gt(0) && dec(size).mod(sizeStep).isZero())).toBe(true);
        }
      }
    }
  });
});
