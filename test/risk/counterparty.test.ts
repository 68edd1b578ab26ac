import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { partOf } from '../../src/risk/bankruptcy.js';
import { signedLike, value } from '../../src/risk/contract.js';
import { legCap, legIsLawful } from '../../src/risk/counterparty.js';
import type { LegCap } from '../../src/risk/counterparty.js';
import { GRID, ONE, ZERO, dec, max, min } from '../../src/risk/decimal.js';
import type { Decimal } from '../../src/risk/decimal.js';
import { legValue } from '../../src/risk/deleverage.js';
import { positionIn } from '../../src/risk/margin.js';
import type { AccountValuation } from '../../src/risk/margin.js';
import { bookOf, lotsOf, marketOf, priceNear } from './arbitrary.js';
import { afterFill, buildAccount, buildMarket, buildMarks, byId, text, valued } from './build.js';

// A bankrupt long is closed at 110 against shorts; the mark is 100. Initial margin 20 %, maintenance 10 %.
const market = buildMarket({ brackets: [['0', '0.1', '0.2']] });
const legUnit = { n: dec('1100'), d: dec('10') };

function capOf(
  balance: string,
  position: readonly [string, string],
  remaining = '10',
  others: Record<string, [string, string]> = {},
) {
  const other = buildMarket({ id: 'O', brackets: [['0', '0.1', '0.2']] });
  const account = buildAccount('a', balance, { M: position, ...others });
  const valuation = valued(account, byId(market, other), buildMarks({ M: '100', O: '100' }));
  const { cap, refusal } = legCap({ market, valuation, legUnit, remaining: dec(remaining) });
  return [text(cap), refusal];
}

describe('legCap', () => {
  it('is the whole position, or all that is wanted, when its own bankruptcy price is at or beyond the leg price', () => {
    // Short 5 from 100, cash 50: bankrupt at 110.
    expect(capOf('50', ['-5', '-500'])).toEqual(['5', null]);
    expect(capOf('50', ['-5', '-500'], '3')).toEqual(['3', null]);
    expect(capOf('1000', ['-5', '-500'])).toEqual(['5', null]);
  });

  it('is nothing when it would be bankrupted and has no initial margin to spare', () => {
    expect(capOf('49.999999999999999999', ['-5', '-500'])).toEqual(['0', 'NON_OVERLAPPING_BANKRUPTCY']);
    expect(capOf('-1', ['-5', '-500'])).toEqual(['0', 'NON_OVERLAPPING_BANKRUPTCY']);
    // Of one contract only it would not be bankrupted.
    expect(capOf('49', ['-5', '-500'], '1')).toEqual(['0', 'WOULD_BREACH_MARGIN']);
  });

  it('is the largest part that keeps the initial margin, when its equity covers it', () => {
    // Equity 260 for two positions that ask 100 and 160. M's part of equity is 100 and the leg concedes 50: whole.
    expect(capOf('260', ['-5', '-500'], '10', { O: ['8', '800'] })).toEqual(['5', null]);
    // A unit of 20 more would not be: 11 contracts concede 110 for M's 58.666…; each frees 20 and costs 10.
    const free = buildMarket({ brackets: [['0', '0.01', '0.02']] });
    const other = buildMarket({ id: 'O', brackets: [['0', '0.1', '0.2']] });
    const account = buildAccount('a', '300', { M: ['-20', '-2000'], O: ['10', '1000'] });
    const valuation = valued(account, byId(free, other), buildMarks({ M: '100', O: '100' }));
    // Initial 40 + 200 of equity 300: 60 to spare, each contract concedes 10 and frees 2.
    const cap = legCap({ market: free, valuation, legUnit, remaining: dec('20') });
    expect([text(cap.cap), cap.refusal]).toEqual(['7', 'WOULD_BREACH_MARGIN']);
  });

  it('counts the grid step that a leg may be rounded up by', () => {
    // 1000.1 ÷ 3 a contract against a mark of 300: a leg of one is booked at 333.36…67, so it concedes 33.36…67.
    const cap = (balance: string): LegCap => {
      const account = buildAccount('a', balance, { M: ['-1', '-300'] });
      const valuation = valued(account, byId(market), buildMarks({ M: '300' }));
      return legCap({ market, valuation, legUnit: { n: dec('1000.1'), d: dec('3') }, remaining: dec('3') });
    };
    expect(text(cap('33.366666666666666667').cap)).toBe('1');
    expect(cap('33.366666666666666666')).toEqual({ cap: ZERO, refusal: 'NON_OVERLAPPING_BANKRUPTCY' });
  });

  it('at mark is the whole of whoever is not bankrupt', () => {
    const atMark = { n: dec('1000'), d: dec('10') };
    const cap = (balance: string): LegCap => {
      const valuation = valued(
        buildAccount('a', balance, { M: ['-5', '-500'] }),
        byId(market),
        buildMarks({ M: '100' }),
      );
      return legCap({ market, valuation, legUnit: atMark, remaining: dec('10') });
    };
    expect(text(cap('0').cap)).toBe('5');
    expect(text(cap('1').cap)).toBe('5');
    expect(cap('-0.000000000000000001')).toEqual({ cap: ZERO, refusal: 'NON_OVERLAPPING_BANKRUPTCY' });
  });
});

describe('legIsLawful', () => {
  const v = (equity: string, maintenance: string, initial: string): AccountValuation => ({
    accountId: 'a',
    balance: dec(equity),
    equity: dec(equity),
    maintenance: dec(maintenance),
    initial: dec(initial),
    notional: ZERO,
    positions: [],
  });

  it.each<[string, boolean, AccountValuation, AccountValuation]>([
    ['leaves equity below 0', false, v('10', '5', '9'), v('-0.000000000000000001', '0', '0')],
    ['closes all and leaves 0', true, v('10', '5', '9'), v('0', '0', '0')],
    ['leaves the ratio as it was', true, v('4', '8', '16'), v('2', '4', '8')],
    ['makes the ratio worse under the initial margin', false, v('10', '8', '16'), v('4.999999999999999999', '4', '8')],
    ['makes the ratio worse and keeps the initial margin', true, v('20', '8', '16'), v('8', '4', '8')],
    ['had no initial margin before', false, v('15', '2', '16'), v('14', '2', '14')],
    ['changes no equity and frees margin, even of a bankrupt account', true, v('-3', '8', '16'), v('-3', '4', '8')],
  ])('a leg that %s: %s', (_what, lawful, before, after) => {
    expect(legIsLawful(before, after)).toBe(lawful);
  });
});

describe('caps of random counterparties', () => {
  // M0 is the market of the leg; the leg price lies on either side of the mark, mostly against the counterparty.
  const cases = bookOf(3, (id) => marketOf(id)).chain((book) => {
    const m = book.markets.get('M0') ?? market;
    const mark = book.marks.get('M0')?.price ?? ONE;
    return fc.record({
      book: fc.constant(book),
      bankruptLots: lotsOf(m),
      price: priceNear(m, mark, 100),
      remainingPercent: fc.integer({ min: 1, max: 120 }),
      closedBefore: fc.integer({ min: 0, max: 40 }),
    });
  });
  type Case = typeof cases extends fc.Arbitrary<infer T> ? T : never;

  function prepare({ book: { account, markets, marks }, bankruptLots, price, remainingPercent, closedBefore }: Case) {
    const m = markets.get('M0') ?? market;
    const before = valued(account, markets, marks);
    const held = positionIn(before, 'M0').size;
    const bankrupt = signedLike(held.neg(), bankruptLots);
    // A grid step beside the price's worth: a unit that does not end.
    const worth = value(m, bankrupt, price).plus(GRID);
    const percent = (whole: Decimal, share: number): Decimal =>
      whole.div(m.sizeStep).times(share).times(dec('0.01')).floor().times(m.sizeStep);
    // Something is always left: with nothing to close there is no leg.
    const remaining = max(m.sizeStep, percent(bankruptLots, Math.min(remainingPercent, 100)));
    const cum = percent(bankruptLots.minus(remaining), closedBefore);
    const cap = legCap({ market: m, valuation: before, legUnit: { n: worth, d: bankrupt.abs() }, remaining });
    const afterLeg = (leg: Decimal, booked: Decimal): AccountValuation =>
      valued(afterFill(account, 'M0', signedLike(bankrupt, leg), booked), markets, marks);
    return { m, before, size: held.abs(), bankrupt, worth, remaining, cum, cap, afterLeg };
  }

  /** Whether the exact rule of the whole position holds, by products: conceded · Σ weight ≤ equity · weight. */
  function isOverlapping({ m, before, bankrupt, worth }: ReturnType<typeof prepare>): boolean {
    const position = positionIn(before, m.id);
    const size = position.size.abs();
    const conceded = position.value.plus(partOf(worth, size, bankrupt));
    const single = before.positions.length === 1;
    return (
      before.equity.gte(0) &&
      conceded.times(single ? ONE : before.maintenance).lte(before.equity.times(single ? ONE : position.maintenance))
    );
  }

  it('are whole lots or whole positions, within what is left, and say why when they are less', () => {
    fc.assert(
      fc.property(cases, (input) => {
        const { m, size, remaining, cap } = prepare(input);
        const wanted = min(size, remaining);
        expect(cap.cap.lte(wanted)).toBe(true);
        expect(cap.cap.eq(size) || cap.cap.mod(m.sizeStep).isZero()).toBe(true);
        expect(cap.refusal === null).toBe(cap.cap.eq(wanted));
      }),
      { numRuns: 200 },
    );
  });

  it('are lawful: nobody is bankrupted or newly liquidatable, wherever in the event the leg is booked', () => {
    fc.assert(
      fc.property(cases, (input) => {
        const { m, before, bankrupt, worth, cum, cap, afterLeg } = prepare(input);
        fc.pre(cap.cap.gt(0));
        for (const leg of [cap.cap, m.sizeStep, cap.cap.minus(m.sizeStep)]) {
          if (leg.lte(0)) continue;
          const after = afterLeg(leg, legValue(worth, bankrupt, cum, leg));
          expect(after.equity.gte(0)).toBe(true);
          expect(after.equity.gte(after.maintenance) || before.equity.lt(before.maintenance)).toBe(true);
          expect(legIsLawful(before, after)).toBe(true);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('are the most: one lot more would break the rule', () => {
    fc.assert(
      fc.property(cases, (input) => {
        const prepared = prepare(input);
        const { m, before, size, bankrupt, worth, remaining, cap, afterLeg } = prepared;
        const wanted = min(size, remaining);
        fc.pre(cap.cap.lt(wanted));
        expect(isOverlapping(prepared)).toBe(false);
        const more = min(cap.cap.plus(m.sizeStep), wanted);
        const after = afterLeg(more, partOf(worth, more, bankrupt));
        expect(before.equity.lt(before.initial) || after.equity.lt(after.initial)).toBe(true);
        const all = afterLeg(wanted, partOf(worth, wanted, bankrupt));
        expect(cap.refusal).toBe(all.equity.isNegative() ? 'NON_OVERLAPPING_BANKRUPTCY' : 'WOULD_BREACH_MARGIN');
      }),
      { numRuns: 200 },
    );
  });
});
