import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ONE, RATIO_LIMIT, ZERO, dec, truncatedFraction } from '../../src/risk/decimal.js';
import type { Decimal } from '../../src/risk/decimal.js';
import type { Account, Market, ScoreName } from '../../src/risk/margin.js';
import { byScore, percentileOf, rank, score } from '../../src/risk/ranking.js';
import type { RankCandidate, Ranking } from '../../src/risk/ranking.js';
import { amount, bookOf, positiveAmount } from './arbitrary.js';
import type { Book } from './arbitrary.js';
import { at, buildAccount, buildMarket, buildMarks, byId, text, valued } from './build.js';

const SCORES: readonly ScoreName[] = ['LEVERAGED_RETURN', 'ACCOUNT_RETURN'];
const A = buildMarket({ id: 'A', brackets: [['0', '0.05', '0.1']] });
const B = buildMarket({ id: 'B', brackets: [['0', '0.01', '0.02']] });
const FREE = buildMarket({ id: 'F', brackets: [['0', '0', '0']] });

const candidate = (accountId: string, size: string, value: string | null): RankCandidate => ({
  accountId,
  size: dec(size),
  score: { value: value === null ? null : dec(value), profitRatio: ZERO, leverage: null },
});

describe('score', () => {
  const scored = (name: ScoreName, balance: string, positions: Record<string, [string, string]>, marketId = 'A') => {
    const v = valued(
      buildAccount('a', balance, positions),
      byId(A, B, FREE),
      buildMarks({ A: '100', B: '100', F: '100' }),
    );
    const { value, profitRatio, leverage } = score(name, v, marketId);
    return [value, profitRatio, leverage].map(text);
  };

  it('LEVERAGED_RETURN multiplies in profit and divides in loss', () => {
    // Profit 200 on 800; equity 300, notional 1000.
    expect(scored('LEVERAGED_RETURN', '100', { A: ['10', '800'] })).toEqual([
      '0.833333333333333333',
      '0.25',
      '3.333333333333333333',
    ]);
    // Loss 200 on 1200; equity 300: −(1/6) ÷ (10/3).
    expect(scored('LEVERAGED_RETURN', '500', { A: ['10', '1200'] })).toEqual([
      '-0.05',
      '-0.166666666666666666',
      '3.333333333333333333',
    ]);
  });

  it('LEVERAGED_RETURN gives each position its part of equity by maintenance', () => {
    // A asks 50, B 10: A has 5/6 of 600.
    const positions: Record<string, [string, string]> = { A: ['10', '900'], B: ['-10', '-1000'] };
    expect(scored('LEVERAGED_RETURN', '500', positions)).toEqual(['0.222222222222222222', '0.111111111111111111', '2']);
    expect(scored('LEVERAGED_RETURN', '500', positions, 'B')).toEqual(['0', '0', '10']);
  });

  it('ACCOUNT_RETURN is profit ÷ notional times notional ÷ the account’s equity', () => {
    expect(scored('ACCOUNT_RETURN', '100', { A: ['10', '800'] })).toEqual([
      '0.666666666666666666',
      '0.2',
      '3.333333333333333333',
    ]);
    expect(scored('ACCOUNT_RETURN', '500', { A: ['10', '1200'] })).toEqual(['-0.06', '-0.2', '3.333333333333333333']);
  });

  it.each(SCORES)('%s is null without equity, and 0 without cost or profit', (name) => {
    expect(scored(name, '-200', { A: ['10', '800'] })[0]).toBeNull();
    expect(scored(name, '-200', { A: ['10', '800'] })[2]).toBeNull();
    expect(scored(name, '-201', { A: ['10', '800'] })[0]).toBeNull();
    expect(scored(name, '100', { A: ['10', '0'] })[0]).toBe('0');
    expect(scored(name, '100', { A: ['10', '1000'] })[0]).toBe('0');
  });

  it('is at its limit, not infinite, where a position has no part of equity', () => {
    const gains = scored('LEVERAGED_RETURN', '500', { A: ['10', '1000'], F: ['10', '900'] }, 'F');
    expect(gains).toEqual([RATIO_LIMIT.toFixed(), '0.111111111111111111', RATIO_LIMIT.toFixed()]);
    const loses = scored('LEVERAGED_RETURN', '500', { A: ['10', '1000'], F: ['10', '1100'] }, 'F');
    expect(loses).toEqual(['0', '-0.090909090909090909', RATIO_LIMIT.toFixed()]);
  });

  it.each(SCORES)('%s is one truncation of exact products, not a product of truncated factors', (name) => {
    fc.assert(
      fc.property(bookOf(3), ({ account, markets, marks }) => {
        const v = valued(account, markets, marks);
        const own = score(name, v, 'M0');
        if (v.equity.lte(0)) {
          expect(own.value).toBeNull();
          return;
        }
        const { unrealizedPnl, cost, notional, maintenance } = at(v.positions, 0);
        const base = name === 'LEVERAGED_RETURN' ? cost.abs() : notional;
        const [n, d] = name === 'LEVERAGED_RETURN' ? [maintenance, v.maintenance] : [ONE, ONE];
        fc.pre(!base.isZero() && !notional.isZero() && !n.isZero());
        const expected = unrealizedPnl.isNegative()
          ? truncatedFraction(unrealizedPnl.times(v.equity).times(n), base.times(notional).times(d))
          : truncatedFraction(unrealizedPnl.times(notional).times(d), base.times(v.equity).times(n));
        expect(own.value?.toFixed()).toBe(expected.toFixed());
      }),
    );
  });

  it.each(SCORES)('%s does not depend on the unit that money is counted in', (name) => {
    fc.assert(
      fc.property(scalable, fc.constantFrom('1000', '0.001', '7'), (book, factor) => {
        const scaled = scaleBook(book, dec(factor));
        const [x, y] = [book, scaled].map((b) => score(name, valued(b.account, b.markets, b.marks), 'M0'));
        expect(text(y?.value ?? null)).toBe(text(x?.value ?? null));
      }),
    );
  });
});

/** Linear markets whose amounts have decimals to spare, so that scaling rounds nothing. */
const scalable = fc
  .tuple(
    fc.array(fc.tuple(fc.integer({ min: 1, max: 900 }), fc.integer({ min: 50, max: 150 }), fc.boolean()), {
      minLength: 1,
      maxLength: 3,
    }),
    fc.integer({ min: 1, max: 90_000 }),
  )
  .map(([lines, balance]): Book => {
    const brackets = [
      ['0', '0.01', '0.02'],
      ['5000', '0.05', '0.1'],
    ] as const;
    const markets = lines.map((_, k) => buildMarket({ id: `M${k}`, brackets }));
    const positions = lines.map(([size, entry, long], k): [string, [string, string]] => [
      `M${k}`,
      [
        long ? `${size}` : `-${size}`,
        dec(`${size}`)
          .times(`${entry}`)
          .times(long ? '1' : '-1')
          .toFixed(),
      ],
    ]);
    return {
      account: buildAccount('a', `${balance}.123456`, Object.fromEntries(positions)),
      markets: byId(...markets),
      marks: buildMarks(Object.fromEntries(markets.map(({ id }) => [id, '100.25']))),
    };
  });

function scaleBook({ account, markets, marks }: Book, factor: Decimal): Book {
  const scaledAccount: Account = {
    ...account,
    balance: account.balance.times(factor),
    positions: new Map([...account.positions].map(([id, { size, cost }]) => [id, { size, cost: cost.times(factor) }])),
  };
  const scaleMarket = (market: Market): Market =>
    buildMarket({
      id: market.id,
      brackets: market.schedule.steps.map((step) => [
        step.floor.times(factor).toFixed(),
        step.maintenanceRate.toFixed(),
        step.initialRate.toFixed(),
      ]),
    });
  return {
    account: scaledAccount,
    markets: byId(...[...markets.values()].map(scaleMarket)),
    marks: new Map([...marks].map(([id, { price, live }]) => [id, { price: price.times(factor), live }])),
  };
}

describe('rank', () => {
  const shape = ({ entries }: Ranking): string[] =>
    entries.map((e) => `${e.rank} ${e.accountId} ${e.sizeAhead.toFixed()} level ${e.level}`);

  it('goes by score, then by id as bytes, and puts those without a score last', () => {
    const ranking = rank('M', 'LONG', [
      candidate('b', '1', '2'),
      candidate('z', '1', null),
      candidate('a', '1', '2'),
      candidate('B', '1', '2'),
      candidate('y', '1', null),
      candidate('c', '1', '-3'),
      candidate('d', '1', '2.000000000000000001'),
    ]);
    expect(ranking.entries.map(({ accountId }) => accountId)).toEqual(['d', 'B', 'a', 'b', 'c', 'y', 'z']);
    expect([ranking.marketId, ranking.side, ranking.queueLength, text(ranking.queueSize)]).toEqual([
      'M',
      'LONG',
      7,
      '7',
    ]);
  });

  it('has a level for each fifth of the queue, and 5 for the first whatever its size', () => {
    const five = [5, 4, 3, 2, 1].map((s) => candidate(`a${s}`, '20', `${s}`));
    expect(shape(rank('M', 'SHORT', five))).toEqual([
      '1 a5 0 level 5',
      '2 a4 20 level 4',
      '3 a3 40 level 3',
      '4 a2 60 level 2',
      '5 a1 80 level 1',
    ]);
    expect(shape(rank('M', 'SHORT', [candidate('whale', '99', '1'), candidate('x', '1', '0')]))).toEqual([
      '1 whale 0 level 5',
      '2 x 99 level 1',
    ]);
    const justUnder = [candidate('a', '0.199999999999999999', '2'), candidate('b', '0.800000000000000001', '1')];
    expect(shape(rank('M', 'SHORT', justUnder))[1]).toBe('2 b 0.199999999999999999 level 5');
    expect(rank('M', 'LONG', []).entries).toEqual([]);
  });

  const score = fc.oneof(fc.constantFrom(null, ZERO, ONE, dec('-1')), amount);
  const candidates = fc.uniqueArray(
    fc
      .tuple(fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._:-]{0,2}$/), positiveAmount, score)
      .map(([accountId, size, value]): RankCandidate => ({
        accountId,
        size,
        score: { value, profitRatio: ZERO, leverage: null },
      })),
    { selector: ({ accountId }) => accountId, minLength: 1, maxLength: 25 },
  );

  it('is total: nobody ties, and the order does not depend on the order of the candidates', () => {
    fc.assert(
      fc.property(
        candidates.chain((list) => fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length }))),
        ([list, shuffled]) => {
          const ranking = rank('M', 'LONG', list);
          expect(shape(rank('M', 'LONG', shuffled))).toEqual(shape(ranking));
          ranking.entries.slice(1).forEach((entry, k) => {
            expect(byScore(at(ranking.entries, k), entry)).toBe(-1);
            expect(byScore(entry, at(ranking.entries, k))).toBe(1);
          });
          expect(byScore(at(list, 0), at(list, 0))).toBe(0);
        },
      ),
    );
  });

  it('adds up: sizes ahead, the queue, ranks, levels and shares', () => {
    fc.assert(
      fc.property(candidates, (list) => {
        const { entries, queueSize, queueLength } = rank('M', 'LONG', list);
        expect(queueLength).toBe(list.length);
        let ahead: Decimal = ZERO;
        entries.forEach((entry, k) => {
          expect(entry.rank).toBe(k + 1);
          expect(entry.sizeAhead.eq(ahead)).toBe(true);
          expect(entry.level).toBe(5 - ahead.times(5).dividedToIntegerBy(queueSize).toNumber());
          ahead = ahead.plus(entry.size);
        });
        expect(queueSize.eq(ahead)).toBe(true);
        expect(text(percentileOf(at(entries, entries.length - 1), queueSize))).toBe('1');
      }),
    );
  });
});
