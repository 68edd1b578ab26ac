import { describe, expect, it } from '@jest/globals';
import { demoBook } from '../../src/demo/book.js';
import { crashPath } from '../../src/demo/path.js';
import { CRASH_START, LEVERAGES, MARKETS, MARKET_TERMS } from '../../src/demo/parameters.js';
import { Random } from '../../src/demo/random.js';
import { dec, sum, type Decimal } from '../../src/risk/decimal.js';

const [first] = crashPath(CRASH_START);
if (first === undefined) throw new Error('the path is empty');
const lines = demoBook(first);
const positions = lines.flatMap((line) => (line.type === 'position' ? [line] : []));
const balances = new Map(
  lines.flatMap((line) => (line.type === 'balance' ? [[line.accountId, dec(line.amount)]] : [])),
);

/** Notional ÷ equity of a linear account at the first marks. */
function leverageOf(accountId: string): Decimal {
  const own = positions.filter((position) => position.accountId === accountId);
  const mark = (marketId: string): Decimal => first?.marks[marketId as keyof typeof MARKETS] ?? dec('0');
  const notional = sum(own.map((p) => dec(p.size).abs().times(mark(p.marketId))));
  const profit = sum(own.map((p) => dec(p.size).times(mark(p.marketId).minus(dec(p.entryPrice ?? '0')))));
  return notional.dividedBy(profit.plus(balances.get(accountId) ?? '0'));
}

describe('the book of the demonstration', () => {
  it('is the same from run to run', () => {
    expect(JSON.stringify(demoBook(first))).toBe(JSON.stringify(lines));
  });

  it('sums to nothing in each market', () => {
    for (const marketId of Object.keys(MARKETS)) {
      const sizes = positions.filter((position) => position.marketId === marketId).map(({ size }) => dec(size));
      expect(sum(sizes).toFixed()).toBe('0');
    }
  });

  it('holds the whale and the ladders at the leverage that is written down', () => {
    expect(leverageOf('whale-btc').toFixed()).toBe('20');
    expect(leverageOf('btc-called-001').toFixed(4)).toBe('14.1000');
    expect(leverageOf('btc-called-010').toFixed(4)).toBe('14.5500');
    expect(leverageOf('btc-stretched-010').toFixed(4)).toBe('15.5500');
  });

  it('gives most of the crowd less than 5×, nobody more than 50×', () => {
    const crowd = positions.map(({ accountId }) => accountId).filter((id) => /^(btc|xrp)-(long|short)-/.test(id));
    const leverages = crowd.map(leverageOf);
    const below = leverages.filter((leverage) => leverage.lt('5')).length;
    expect(below / leverages.length).toBeGreaterThan(0.6);
    expect(leverages.some((leverage) => leverage.gt('30'))).toBe(true);
    expect(leverages.every((leverage) => leverage.gte('0.99') && leverage.lt('50.5'))).toBe(true);
  });

  it('asks of every account no more margin than it has', () => {
    expect([...balances.values()].every((balance) => balance.gt(0))).toBe(true);
    for (const { brackets } of Object.values(MARKETS)) {
      expect(dec(brackets[0]?.[1] ?? '0').gt(dec(MARKET_TERMS.maxFeeRate))).toBe(true);
    }
  });

  it('gives hedged traders an account in each margin asset', () => {
    const accounts = lines.flatMap((line) =>
      line.type === 'account' && line.traderId === 'hedged-001' ? [line.marginAssetId] : [],
    );
    expect(accounts).toEqual(['USDT', 'BTC']);
  });
});

describe('the random numbers', () => {
  it('are those of SplitMix64', () => {
    // First outputs for seed 1234567, published with the algorithm's ports.
    const random = new Random(1_234_567n);
    const highest = (2n ** 64n - 1n).toString();
    const drawn = [1, 2, 3].map(() => random.between('0', highest, '1').toFixed());
    expect(drawn).toEqual(['6457827717110365317', '3203168211198807973', '9817491932198370423']);
  });

  it('pick by weight', () => {
    const random = new Random(7n);
    const counts = new Map<string, number>();
    for (let n = 0; n < 1000; n++) {
      const { from } = random.pick<{ from: string; weight: number }>(LEVERAGES);
      counts.set(from, (counts.get(from) ?? 0) + 1);
    }
    expect(counts.get('1')).toBeGreaterThan(240);
    expect(counts.get('35')).toBeLessThan(50);
  });
});
