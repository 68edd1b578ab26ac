import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { GRID, RATIO_LIMIT, dec } from '../../src/risk/decimal.js';
import type { MarginStatus } from '../../src/risk/margin.js';
import {
  accountLeverage,
  compareTrouble,
  effectiveLeverage,
  isExempt,
  isHeld,
  marginRatio,
  positionIn,
  statusOf,
  valuate,
  weights,
  withdrawable,
} from '../../src/risk/margin.js';
import { bookOf } from './arbitrary.js';
import { VENUE, at, buildAccount, buildMarket, buildMarks, byId, text, valued } from './build.js';

const A = buildMarket({
  id: 'A',
  brackets: [
    ['0', '0.05', '0.1'],
    ['1000', '0.1', '0.2'],
  ],
});
const B = buildMarket({ id: 'B', brackets: [['0', '0.02', '0.04']] });
const FREE = buildMarket({ id: 'F', brackets: [['0', '0', '0']] });
const FREE_TOO = buildMarket({ id: 'G', brackets: [['0', '0', '0']] });
const MARKETS = byId(A, B, FREE, FREE_TOO);

describe('valuate', () => {
  const account = buildAccount('a', '500', { B: ['-10', '-1000'], A: ['20', '1800'] });
  const v = valued(account, MARKETS, buildMarks({ A: '100', B: '90' }));

  it('adds unrealized profit to the balance and sums what each position asks', () => {
    // A: 2000 − 1800; 2000 · 0.1 − 50. B: −900 + 1000; 900 · 0.02.
    expect([v.balance, v.equity, v.maintenance, v.initial, v.notional].map(text)).toEqual([
      '500',
      '800',
      '168',
      '336',
      '2900',
    ]);
    expect(v.positions.map((p) => [p.marketId, text(p.value), text(p.unrealizedPnl), text(p.maintenance)])).toEqual([
      ['A', '2000', '200', '150'],
      ['B', '-900', '100', '18'],
    ]);
  });

  it('of an account without positions is its balance', () => {
    const cash = valued(buildAccount('c', '-5'), MARKETS, new Map());
    expect([cash.equity, cash.maintenance, cash.initial, cash.notional].map(text)).toEqual(['-5', '0', '0', '0']);
  });

  it('is null, not 0, when a price was never received', () => {
    expect(valuate(account, MARKETS, buildMarks({ A: '100' }))).toBeNull();
  });

  it('throws on a market that it was not given', () => {
    expect(() => valuate(account, byId(A), buildMarks({ A: '1', B: '1' }))).toThrow('unknown market B');
  });

  it('finds positions by market', () => {
    expect(positionIn(v, 'B').marketId).toBe('B');
    expect(() => positionIn(v, 'F')).toThrow('no position in market F');
  });

  it('lists positions by market id whatever their order, and the sums do not change', () => {
    fc.assert(
      fc.property(bookOf(4), ({ account: one, markets, marks }) => {
        const turned = { ...one, positions: new Map([...one.positions].reverse()) };
        const [x, y] = [valued(one, markets, marks), valued(turned, markets, marks)];
        expect(y.positions.map((p) => p.marketId)).toEqual(x.positions.map((p) => p.marketId));
        expect([y.equity, y.maintenance, y.initial].map(text)).toEqual([x.equity, x.maintenance, x.initial].map(text));
        expect(x.equity.decimalPlaces()).toBeLessThanOrEqual(18);
        expect(x.maintenance.decimalPlaces()).toBeLessThanOrEqual(18);
        expect(x.initial.gte(x.maintenance)).toBe(true);
      }),
    );
  });
});

describe('statusOf', () => {
  it.each<[string, string, MarginStatus]>([
    ['-0.000000000000000001', '0', 'BANKRUPT'],
    ['-0.000000000000000001', '5', 'BANKRUPT'],
    ['0', '0', 'HEALTHY'],
    ['0', '0.000000000000000001', 'LIQUIDATABLE'],
    ['99.999999999999999999', '100', 'LIQUIDATABLE'],
    ['100', '100', 'MARGIN_CALL'],
    ['100', '80', 'MARGIN_CALL'],
    ['100', '79.999999999999999999', 'WARNING'],
    ['100', '66', 'WARNING'],
    ['100', '65.999999999999999999', 'HEALTHY'],
    ['100', '0', 'HEALTHY'],
  ])('equity %s, maintenance %s: %s', (equity, maintenance, status) => {
    expect(statusOf({ equity: dec(equity), maintenance: dec(maintenance) }, VENUE)).toBe(status);
  });
});

describe('isHeld', () => {
  /** A asks 95, B asks 5. */
  const account = (balance = '1000') => buildAccount('a', balance, { A: ['19', '1900'], B: ['25', '250'] });
  const exact = buildMarket({ id: 'A', brackets: [['0', '0.05', '0.1']] });
  const markets = byId(exact, B);

  it('is not for a stale price under 5 % of maintenance, and is from 5 % on', () => {
    const stale = buildMarks({ A: '100', B: '10' }, ['B']);
    expect(valued(account(), markets, stale).maintenance.toFixed()).toBe('100');
    expect(isHeld(valued(account(), markets, stale), VENUE)).toBe(true);
    expect(isHeld(valued(account(), markets, buildMarks({ A: '100', B: '9.99' }, ['B'])), VENUE)).toBe(false);
    expect(isHeld(valued(account(), markets, buildMarks({ A: '100', B: '10' })), VENUE)).toBe(false);
  });

  it('is when nothing but a stale position is held, even one that asks nothing', () => {
    const free = buildAccount('a', '1000', { F: ['1', '100'] });
    expect(isHeld(valued(free, MARKETS, buildMarks({ F: '100' }, ['F'])), VENUE)).toBe(true);
    expect(isHeld(valued(free, MARKETS, buildMarks({ F: '100' })), VENUE)).toBe(false);
  });

  it('is from a value of 10^20 on', () => {
    const fits = valued(
      buildAccount('a', '0', { F: ['1', '0'] }),
      MARKETS,
      buildMarks({ F: '99999999999999999999.99' }),
    );
    expect(isHeld(fits, VENUE)).toBe(false);
    const outgrown = buildAccount('a', '0', { F: ['-2', '0'] });
    expect(isHeld(valued(outgrown, MARKETS, buildMarks({ F: '50000000000000000000' })), VENUE)).toBe(true);
    expect(isHeld(valued(buildAccount('a', '-100000000000000000000'), MARKETS, new Map()), VENUE)).toBe(true);
  });
});

describe('isExempt', () => {
  it('is true of an exemption, and of whatever is no trader’s', () => {
    const account = buildAccount('a', '500', {});
    expect(isExempt(account)).toBe(false);
    expect(isExempt({ ...account, exempt: true })).toBe(true);
    for (const kind of ['LIQUIDITY_PROVIDER', 'INSURANCE_FUND'] as const)
      expect(isExempt({ ...account, kind })).toBe(true);
  });
});

describe('weights', () => {
  const fractions = (account: ReturnType<typeof buildAccount>, prices: Record<string, string>): string[] => {
    const v = valued(account, MARKETS, buildMarks(prices));
    return v.positions.map((_, k) => `${weights(v)(k).n.toFixed()}/${weights(v)(k).d.toFixed()}`);
  };

  it('are by maintenance, else by notional, else equal', () => {
    expect(fractions(buildAccount('a', '0', { A: ['1', '0'], B: ['1', '0'] }), { A: '100', B: '100' })).toEqual([
      '5/7',
      '2/7',
    ]);
    expect(fractions(buildAccount('a', '0', { F: ['1', '0'], G: ['3', '0'] }), { F: '10', G: '10' })).toEqual([
      '10/40',
      '30/40',
    ]);
    expect(fractions(buildAccount('a', '0', { F: ['0', '0'], G: ['0', '0'] }), { F: '10', G: '10' })).toEqual([
      '1/2',
      '1/2',
    ]);
    expect(fractions(buildAccount('a', '0', { A: ['1', '0'] }), { A: '100' })).toEqual(['1/1']);
  });

  it('add up to 1', () => {
    fc.assert(
      fc.property(bookOf(4), ({ account, markets, marks }) => {
        const v = valued(account, markets, marks);
        const parts = v.positions.map((_, k) => weights(v)(k));
        const total = parts.reduce((sum, { n }) => sum.plus(n), dec('0'));
        expect(total.eq(at(parts, 0).d)).toBe(true);
      }),
    );
  });
});

describe('ratios', () => {
  const v = valued(
    buildAccount('a', '300', { A: ['10', '1000'], B: ['-10', '-1000'] }),
    MARKETS,
    buildMarks({ A: '90', B: '90' }),
  );

  it('are one truncated fraction each', () => {
    // equity 300; A: 900, 45; B: 900, 18.
    expect([text(marginRatio(v)), text(accountLeverage(v))]).toEqual(['0.21', '6']);
    expect([text(effectiveLeverage(v, 0)), text(effectiveLeverage(v, 1))]).toEqual(['4.2', '10.5']);
  });

  it('are null without equity, and at their limit when equity is next to nothing', () => {
    const none = { ...v, equity: dec('0') };
    expect([marginRatio(none), accountLeverage(none), effectiveLeverage(none, 0)]).toEqual([null, null, null]);
    expect(text(accountLeverage({ ...v, equity: GRID }))).toBe(RATIO_LIMIT.toFixed());
  });
});

describe('compareTrouble', () => {
  it('puts the worst first, then goes by id', () => {
    const rows: [string, string, string][] = [
      ['d', '50', '100'],
      ['c', '-1', '100'],
      ['b', '5', '10'],
      ['a', '-1', '0'],
      ['e', '0', '1'],
      ['f', '7', '0'],
      ['B', '5', '10'],
    ];
    const troubled = rows.map(([accountId, equity, maintenance]) => ({
      accountId,
      equity: dec(equity),
      maintenance: dec(maintenance),
    }));
    expect(troubled.sort(compareTrouble).map(({ accountId }) => accountId)).toEqual([
      'a',
      'c',
      'e',
      'B',
      'b',
      'd',
      'f',
    ]);
  });
});

describe('withdrawable', () => {
  const of = (balance: string, cost: string): string | null =>
    text(withdrawable(valued(buildAccount('a', balance, { A: ['1', cost] }), MARKETS, buildMarks({ A: '100' }))));

  it('is what the initial margin leaves of the balance, without unrealized profit', () => {
    expect(of('50', '100')).toBe('40');
    expect(of('50', '80')).toBe('50');
    expect(of('50', '120')).toBe('20');
    expect(of('5', '100')).toBe('0');
    expect(of('-5', '50')).toBe('0');
  });
});
