import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { value } from '../../src/risk/contract.js';
import { ZERO, dec, sum } from '../../src/risk/decimal.js';
import type { Decimal } from '../../src/risk/decimal.js';
import { FLAT, closePart, entryPrice, fill, priceOfValue } from '../../src/risk/position.js';
import type { Holding } from '../../src/risk/position.js';
import { lotsOf, marketOf, priceOf } from './arbitrary.js';
import { buildMarket, text } from './build.js';

const linear = buildMarket({ contractSize: '1' });
const inverse = buildMarket({ payoff: 'INVERSE', contractSize: '100' });

/** [size, cost, realized, closed] after trades [size, price]. */
function after(market: typeof linear, trades: readonly (readonly [string, string])[]): string[] {
  let holding: Holding = FLAT;
  let realized: Decimal = ZERO;
  let closed: Decimal = ZERO;
  for (const [size, price] of trades) {
    const filled = fill(holding, dec(size), value(market, dec(size), dec(price)));
    holding = filled.holding;
    realized = realized.plus(filled.realizedPnl);
    closed = closed.plus(filled.closedSize);
  }
  return [holding.size, holding.cost, realized, closed].map((x) => x.toFixed());
}

describe('fill', () => {
  it('opens and grows at cost', () => {
    expect(
      after(linear, [
        ['2', '100'],
        ['1', '106'],
      ]),
    ).toEqual(['3', '306', '0', '0']);
  });

  it('closes a part at its part of the cost, truncated, and the last part at all that is left', () => {
    // 100 · 1 ÷ 3 = 33.33…, so the two that stay cost a little more.
    expect(
      after(linear, [
        ['3', '33'],
        ['-1', '40'],
      ]),
    ).toEqual(['2', '66', '7', '1']);
    const odd = fill({ size: dec('3'), cost: dec('100') }, dec('-1'), dec('-40'));
    expect([text(odd.holding.cost), text(odd.realizedPnl)]).toEqual(['66.666666666666666667', '6.666666666666666667']);
    const last = fill(odd.holding, dec('-2'), dec('-80'));
    expect([text(last.holding.size), text(last.holding.cost), text(last.realizedPnl)]).toEqual([
      '0',
      '0',
      '13.333333333333333333',
    ]);
  });

  it('flips: closes all and opens the rest', () => {
    expect(
      after(linear, [
        ['2', '100'],
        ['-5', '110'],
      ]),
    ).toEqual(['-3', '-330', '20', '2']);
    expect(
      after(linear, [
        ['-2', '100'],
        ['5', '110'],
      ]),
    ).toEqual(['3', '330', '-20', '2']);
  });

  it('gains for an inverse long when the price rises', () => {
    // 300 USD at 100, closed at 150: 3 − 2 coins.
    expect(
      after(inverse, [
        ['3', '100'],
        ['-3', '150'],
      ]),
    ).toEqual(['0', '0', '1.000000000000000002', '3']);
  });

  it('changes nothing by a fill of 0', () => {
    const holding = { size: dec('2'), cost: dec('5') };
    expect(fill(holding, ZERO, ZERO)).toEqual({ holding, realizedPnl: ZERO, closedSize: ZERO });
  });

  it('conserves: what cost changes by is the value and what was realized', () => {
    const trades = marketOf('M').chain((market) =>
      fc.tuple(
        fc.constant(market),
        fc.array(fc.tuple(lotsOf(market, 20), fc.boolean(), priceOf(market)), { minLength: 1, maxLength: 12 }),
      ),
    );
    fc.assert(
      fc.property(trades, ([market, list]) => {
        let holding: Holding = FLAT;
        for (const [lots, buys, price] of list) {
          const size = buys ? lots : lots.neg();
          const worth = value(market, size, price);
          const filled = fill(holding, size, worth);
          expect(filled.holding.size.eq(holding.size.plus(size))).toBe(true);
          expect(filled.holding.cost.eq(holding.cost.plus(worth).plus(filled.realizedPnl))).toBe(true);
          if (filled.holding.size.isZero()) expect(filled.holding.cost.isZero()).toBe(true);
          expect(filled.holding.cost.decimalPlaces()).toBeLessThanOrEqual(18);
          holding = filled.holding;
        }
      }),
    );
  });

  it('closes in parts for the same sum as at once', () => {
    const cases = marketOf('M').chain((market) =>
      fc.tuple(
        fc.constant(market),
        fc.array(lotsOf(market, 50), { minLength: 1, maxLength: 6 }),
        priceOf(market),
        priceOf(market),
      ),
    );
    fc.assert(
      fc.property(cases, ([market, parts, entry, exit]) => {
        const size = sum(parts);
        let holding: Holding = { size, cost: value(market, size, entry) };
        const atOnce = closePart(holding, size, value(market, size, exit)).realizedPnl;
        let inParts: Decimal = ZERO;
        for (const part of parts) {
          const closed = closePart(holding, part, value(market, part, exit));
          holding = closed.holding;
          inParts = inParts.plus(closed.realizedPnl);
        }
        expect(inParts.toFixed()).toBe(atOnce.toFixed());
      }),
    );
  });
});

describe('closePart', () => {
  it('never closes more than there is', () => {
    expect(() => closePart({ size: dec('-2'), cost: dec('-200') }, dec('3'), dec('-1'))).toThrow('never exceeds');
  });
});

describe('prices for display', () => {
  it('are those at which the size is worth its cost', () => {
    expect(text(entryPrice(linear, { size: dec('3'), cost: dec('100') }))).toBe('33.333333333333333333');
    expect(text(entryPrice(linear, { size: dec('-3'), cost: dec('-100') }))).toBe('33.333333333333333333');
    expect(text(entryPrice(inverse, { size: dec('3'), cost: dec('-3') }))).toBe('100');
  });

  it('are null where none is above 0', () => {
    expect(entryPrice(linear, FLAT)).toBeNull();
    expect(priceOfValue(linear, dec('3'), dec('-1'))).toBeNull();
    expect(priceOfValue(inverse, dec('3'), dec('1'))).toBeNull();
    expect(priceOfValue(inverse, dec('3'), ZERO)).toBeNull();
  });
});
