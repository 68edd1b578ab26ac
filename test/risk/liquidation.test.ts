import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { signedLike, value } from '../../src/risk/contract.js';
import { Decimal, ONE, ZERO, ceilFraction, dec, floorToGrid, min } from '../../src/risk/decimal.js';
import { restoreSize, walkDepth } from '../../src/risk/liquidation.js';
import type { FillPlan, Level, Walk } from '../../src/risk/liquidation.js';
import { positionIn } from '../../src/risk/margin.js';
import type { Account, Market, Marks } from '../../src/risk/margin.js';
import { amount, bookOf, lotsOf, marketOf, priceNear, priceOf } from './arbitrary.js';
import { VENUE, afterClose, at, buildAccount, buildMarket, buildMarks, byId, text, texts, valued } from './build.js';

const levelsOf = (...rows: readonly (readonly [string, string])[]): Level[] =>
  rows.map(([size, price]) => ({ price: dec(price), size: dec(size) }));

function walkOf(overrides: Partial<Walk> = {}): Walk {
  const size = overrides.size ?? dec('10');
  return {
    market: buildMarket({ maxFeeRate: '1' }),
    size,
    target: size.abs(),
    mark: dec('97'),
    bankruptcyValue: dec('980'),
    levels: levelsOf(['4', '99'], ['4', '98'], ['4', '95']),
    fundMayPay: ZERO,
    ...overrides,
  };
}

const summary = ({ fills, closed, closeValue, fundDelta, stoppedBy }: FillPlan) => ({
  fills: fills.map((fill) => `${fill.level}: ${fill.size.toFixed()}@${fill.price.toFixed()}`),
  closed: text(closed),
  closeValue: text(closeValue),
  fundDelta: text(fundDelta),
  stoppedBy,
});

describe('walkDepth', () => {
  it('is a worked example: long 10 at a bankruptcy price of 98, fee 1, an empty fund', () => {
    expect(summary(walkDepth(walkOf()))).toEqual({
      fills: ['0: 4@99', '1: 4@98', '2: 1@95'],
      closed: '9',
      closeValue: '883',
      fundDelta: '1',
      stoppedBy: 'FUND',
    });
  });

  it('goes on as far as the fund can pay, to the lot', () => {
    expect(summary(walkDepth(walkOf({ fundMayPay: dec('2') }))).fundDelta).toBe('-2');
    expect(walkDepth(walkOf({ fundMayPay: dec('2') })).stoppedBy).toBe('TARGET');
    expect(walkDepth(walkOf({ fundMayPay: dec('1.999999999999999999') })).stoppedBy).toBe('FUND');
  });

  it('stops at the target, at the end of the depth, and at the deviation', () => {
    expect(summary(walkDepth(walkOf({ target: dec('5') })))).toMatchObject({
      fills: ['0: 4@99', '1: 1@98'],
      stoppedBy: 'TARGET',
      fundDelta: '4',
    });
    expect(summary(walkDepth(walkOf({ levels: levelsOf(['4', '99']) })))).toMatchObject({
      closed: '4',
      stoppedBy: 'DEPTH',
    });
    const rich = walkOf({ fundMayPay: dec('1000'), levels: levelsOf(['1', '87.3'], ['1', '87.29']) });
    expect(summary(walkDepth(rich))).toMatchObject({
      fills: ['0: 1@87.3'],
      stoppedBy: 'DEVIATION',
      fundDelta: '-10.7',
    });
    expect(summary(walkDepth(walkOf({ levels: [] })))).toEqual({
      fills: [],
      closed: '0',
      closeValue: '0',
      fundDelta: '0',
      stoppedBy: 'DEPTH',
    });
  });

  it('buys for a short, up to mark · (1 + maxDeviation)', () => {
    const short = walkOf({
      size: dec('-10'),
      bankruptcyValue: dec('-1000'),
      levels: levelsOf(['4', '99'], ['2', '106.7'], ['4', '106.71']),
      fundMayPay: dec('100'),
    });
    expect(summary(walkDepth(short))).toEqual({
      fills: ['0: 4@99', '1: 2@106.7'],
      closed: '6',
      closeValue: '-609.4',
      fundDelta: '-9.4',
      stoppedBy: 'DEVIATION',
    });
  });

  it('leaves what is no whole lot of a level, and takes no more fee than the surplus', () => {
    const plan = walkDepth(
      walkOf({
        levels: levelsOf(['2.5', '99'], ['0.5', '99'], ['1', '98']),
        market: buildMarket({ maxFeeRate: '0.0025' }),
      }),
    );
    // The fee on 296 is 0.74; the surplus is 2.
    expect(summary(plan)).toMatchObject({ fills: ['0: 2@99', '2: 1@98'], fundDelta: '0.74', stoppedBy: 'DEPTH' });
    expect(text(walkDepth(walkOf({ levels: levelsOf(['4', '98']) })).fundDelta)).toBe('0');
  });

  it('closes an inverse long against bids', () => {
    const market = buildMarket({ payoff: 'INVERSE', contractSize: '100', maxFeeRate: '0.001' });
    const plan = walkDepth(
      walkOf({
        market,
        size: dec('4'),
        mark: dec('100'),
        bankruptcyValue: dec('-4.1'),
        levels: levelsOf(['2', '100'], ['2', '96']),
        fundMayPay: dec('1'),
      }),
    );
    expect(summary(plan)).toMatchObject({
      closeValue: '-4.083333333333333332',
      fundDelta: '0.004083333333333333',
      stoppedBy: 'TARGET',
    });
  });

  const walks = marketOf('M').chain((market) =>
    priceOf(market).chain((mark) =>
      fc
        .record({
          size: fc.tuple(lotsOf(market, 200), fc.boolean()).map(([size, long]) => (long ? size : size.neg())),
          percent: fc.integer({ min: 1, max: 100 }),
          shift: fc.integer({ min: -60, max: 60 }),
          odd: amount,
          fund: fc.integer({ min: 0, max: 40 }),
          depth: fc.array(fc.tuple(lotsOf(market, 60), priceNear(market, mark, 120)), { maxLength: 6 }),
        })
        .map(({ size, percent, shift, odd, fund, depth }): Walk => {
          const atMark = value(market, size, mark);
          const levels = depth.map(([lots, price]) => ({ size: lots, price }));
          levels.sort((a, b) => (size.isNegative() ? a.price.cmp(b.price) : b.price.cmp(a.price)));
          const lots = size.abs().div(market.sizeStep).times(percent).times(dec('0.01')).ceil();
          return {
            market,
            size,
            target: lots.times(market.sizeStep),
            mark,
            bankruptcyValue: atMark
              .plus(atMark.times(shift).times(dec('0.001')).toDecimalPlaces(18))
              .plus(odd.times(dec('0.000001')).toDecimalPlaces(18)),
            levels,
            fundMayPay: atMark.abs().times(fund).times(dec('0.001')).toDecimalPlaces(18),
          };
        }),
    ),
  );

  it('closes whole lots within target, depth and deviation, and pays no more than the fund may', () => {
    fc.assert(
      fc.property(walks, (walk) => {
        const plan = walkDepth(walk);
        const { market, size } = walk;
        expect(plan.closed.lte(walk.target)).toBe(true);
        expect(plan.fundDelta.gte(walk.fundMayPay.neg())).toBe(true);
        expect(plan.stoppedBy === 'TARGET').toBe(plan.closed.eq(walk.target));
        for (const fill of plan.fills) {
          const level = at(walk.levels, fill.level);
          expect(fill.size.gt(0) && fill.size.lte(level.size)).toBe(true);
          expect(fill.size.mod(market.sizeStep).isZero()).toBe(true);
          expect(fill.value.eq(value(market, signedLike(size, fill.size), level.price))).toBe(true);
          expect(
            level.price
              .minus(walk.mark)
              .abs()
              .lte(walk.mark.times(dec('0.1'))) || level.price.gt(walk.mark) !== size.isNegative(),
          ).toBe(true);
        }
        // Stopped by the fund: one lot more at that level would cost more than it may pay.
        if (plan.stoppedBy !== 'FUND') return;
        const last = walk.levels[plan.fills.at(-1)?.level ?? -1];
        const used = plan.fills.at(-1)?.size ?? ZERO;
        const next =
          last !== undefined && used.plus(market.sizeStep).lte(last.size)
            ? last
            : walk.levels[(plan.fills.at(-1)?.level ?? -1) + 1];
        const closed = plan.closed.plus(market.sizeStep);
        const closeValue = plan.closeValue.plus(value(market, signedLike(size, market.sizeStep), next?.price ?? ONE));
        const surplus = closeValue.minus(ceilFraction(walk.bankruptcyValue.times(closed), size.abs()));
        expect(surplus.lt(walk.fundMayPay.neg())).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  type FundPart = (walk: Walk, plan: FillPlan) => Decimal;

  /** What the fund gets or pays for a plan is one figure over all its fills, however the depth was cut into levels. */
  function isCumulative(part: FundPart): fc.IProperty<[Walk]> {
    return fc.property(walks, (walk) => {
      const { market } = walk;
      const inLots = walk.levels.flatMap(({ size, price }) => {
        const pieces = size.div(market.sizeStep).toNumber();
        return Array.from({ length: pieces }, (): Level => ({ price, size: market.sizeStep }));
      });
      const whole = walkDepth(walk);
      const cut = walkDepth({ ...walk, levels: inLots });
      expect(texts([cut.closed, cut.closeValue])).toEqual(texts([whole.closed, whole.closeValue]));
      expect(cut.stoppedBy).toBe(whole.stoppedBy);
      expect(part(walk, cut).toFixed()).toBe(part(walk, whole).toFixed());
    });
  }

  it('takes n fills for one, exactly', () => {
    fc.assert(isCumulative((_walk, plan) => plan.fundDelta));
  });

  it('would be refused by the same property if the fund’s part were rounded fill by fill', () => {
    const fillByFill: FundPart = ({ market, size, bankruptcyValue }, plan) =>
      plan.fills.reduce((total: Decimal, fill) => {
        const surplus = fill.value.minus(ceilFraction(bankruptcyValue.times(fill.size), size.abs()));
        const fee = floorToGrid(market.params.maxFeeRate.times(fill.value.abs()));
        return total.plus(surplus.isNegative() ? surplus : min(fee, surplus));
      }, ZERO);
    const halfEven: FundPart = ({ size, bankruptcyValue }, plan) =>
      plan.fills.reduce((total: Decimal, fill) => {
        const part = bankruptcyValue.times(fill.size).div(size.abs()).toDecimalPlaces(18, Decimal.ROUND_HALF_EVEN);
        return total.plus(fill.value.minus(part));
      }, ZERO);
    expect(fc.check(isCumulative(fillByFill)).failed).toBe(true);
    expect(fc.check(isCumulative(halfEven)).failed).toBe(true);
  });
});

describe('restoreSize', () => {
  const market = buildMarket({ sizeStep: '0.001', brackets: [['0', '0.05', '0.1']], maxFeeRate: '0' });
  const close = (balance: string, price: string, terms: Market = market): string | null => {
    const v = valued(buildAccount('a', balance, { M: ['10', '1000'] }), byId(terms), buildMarks({ M: '100' }));
    return text(restoreSize(v, 'M', terms, dec(price), VENUE));
  };

  it('is the least size that brings maintenance to 0.75 of equity', () => {
    // Equity 40, maintenance 50: (50 − 30) ÷ 5 per contract.
    expect(close('40', '100')).toBe('4');
    // At 99, k costs k: (50 − 0.75 · 40) ÷ (5 − 0.75).
    expect(close('40', '99')).toBe('4.706');
  });

  it('counts the fee', () => {
    const fee = buildMarket({ sizeStep: '0.001', brackets: [['0', '0.05', '0.1']], maxFeeRate: '0.0025' });
    // (50 − 30) ÷ (5 − 0.75 · 0.25)
    expect(close('40', '100', fee)).toBe('4.156');
  });

  it('walks brackets down', () => {
    const steps = buildMarket({
      sizeStep: '0.001',
      brackets: [
        ['0', '0.02', '0.1'],
        ['800', '0.1', '0.2'],
      ],
      maxFeeRate: '0',
    });
    // Maintenance 0.1 · 1000 − 64 = 36; equity 30 allows 22.5: 1.35 contracts at 10 each, above the floor.
    expect(close('30', '100', steps)).toBe('1.35');
    // Equity 15 allows 11.25: 2 contracts down to 16, then 4.75 ÷ 2 more.
    expect(close('15', '100', steps)).toBe('4.375');
  });

  it('finds the one lot that is enough, just above a floor under which closing costs more than it frees', () => {
    const brackets = [
      ['0', '0.02', '0.1'],
      ['899', '0.1', '0.2'],
    ] as const;
    const lots = buildMarket({ sizeStep: '1', brackets, maxFeeRate: '0' });
    // At 95 a contract costs 3.75 of what is allowed; it frees 10 above 899, 2 below. Maintenance 28.08, equity 29.2.
    expect(close('29.2', '95', lots)).toBe('1');
  });

  it('is all when nothing else is enough or no equity is left, and 0 when nothing need be closed', () => {
    expect(close('40', '90')).toBe('10');
    expect(close('0', '100')).toBe('10');
    expect(close('-5', '100')).toBe('10');
    expect(close('67', '100')).toBe('0');
  });

  const cases = bookOf(3).chain((book) => {
    const first = book.markets.get('M0') ?? market;
    const mark = book.marks.get('M0')?.price ?? ONE;
    return fc.tuple(fc.constant(book), priceNear(first, mark, 30));
  });

  /** Whether the account is restored once so many contracts are really closed, the fee paid, and it is valued anew. */
  function isRestored(
    account: Account,
    first: Market,
    markets: ReadonlyMap<string, Market>,
    marks: Marks,
    closed: Decimal,
    price: Decimal,
  ): boolean {
    const held = account.positions.get(first.id)?.size ?? ZERO;
    const worth = value(first, signedLike(held, closed), price);
    const fee = floorToGrid(first.params.maxFeeRate.times(worth.abs()));
    const after = closed.isZero() ? account : afterClose(account, first, closed, price, fee);
    const v = valued(after, markets, marks);
    return v.maintenance.lte(VENUE.liquidationTarget.times(v.equity));
  }

  it('is enough, and one lot less is not, by the margin after really closing it', () => {
    fc.assert(
      fc.property(cases, ([{ account, markets, marks }, price]) => {
        const first = markets.get('M0') ?? market;
        const v = valued(account, markets, marks);
        const size = positionIn(v, 'M0').size.abs();
        const restore = restoreSize(v, 'M0', first, price, VENUE);
        const restored = (closed: Decimal): boolean => isRestored(account, first, markets, marks, closed, price);
        expect(restore.mod(first.sizeStep).isZero() && restore.lte(size)).toBe(true);
        if (v.equity.lte(0)) {
          expect(restore.eq(size)).toBe(true);
          return;
        }
        if (!restore.eq(size)) expect(restored(restore)).toBe(true);
        if (restore.gt(0)) expect(restored(restore.minus(first.sizeStep))).toBe(false);
      }),
      { numRuns: 300 },
    );
  });

  it('is the least of all sizes, counted out', () => {
    const small = marketOf('M0').chain((first) =>
      priceOf(first).chain((mark) =>
        fc.tuple(
          fc.constant(first),
          fc.constant(mark),
          priceNear(first, mark, 30),
          lotsOf(first, 40),
          fc.integer({ min: 1, max: 60 }),
          fc.boolean(),
        ),
      ),
    );
    fc.assert(
      fc.property(small, ([first, mark, price, lots, perMille, long]) => {
        const size = long ? lots : lots.neg();
        const worth = value(first, size, mark);
        const balance = worth.abs().times(perMille).times(dec('0.001')).toDecimalPlaces(18);
        const account: Account = {
          ...buildAccount('a', '0'),
          balance,
          positions: new Map([['M0', { size, cost: worth }]]),
        };
        const markets = byId(first);
        const marks: Marks = new Map([['M0', { price: mark, live: true }]]);
        const all = lots.div(first.sizeStep).toNumber();
        const sizes = Array.from({ length: all + 1 }, (_, k) => first.sizeStep.times(k));
        const least = sizes.find((closed) => isRestored(account, first, markets, marks, closed, price)) ?? lots;
        const restore = restoreSize(valued(account, markets, marks), 'M0', first, price, VENUE);
        expect(text(restore)).toBe(text(least));
      }),
      { numRuns: 150 },
    );
  });
});
