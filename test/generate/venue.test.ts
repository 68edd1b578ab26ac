import { createHash } from 'node:crypto';
import { beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Dice } from '../../src/generate/dice.js';
import { LEVERAGES, MARKETS, type MarketId } from '../../src/generate/parameters.js';
import { venueBook } from '../../src/generate/venue.js';
import type { BookLine } from '../../src/ingest/book-line.js';
import { initialOf, makeSchedule } from '../../src/risk/brackets.js';
import { isPriceOf, isWholeLots, value, type Contract } from '../../src/risk/contract.js';
import { dec, ONE, sum, ZERO, type Decimal } from '../../src/risk/decimal.js';

type Line<T extends BookLine['type']> = Extract<BookLine, { type: T }>;
type Position = Line<'position'>;

interface Held {
  readonly account: Line<'account'>;
  readonly balance: Decimal;
  readonly positions: readonly Position[];
}

const MARKET_IDS = Object.keys(MARKETS) as MarketId[];

function of<T extends BookLine['type']>(lines: readonly BookLine[], type: T): Line<T>[] {
  return lines.filter((line): line is Line<T> => line.type === type);
}

function digestOf(size: { positions: number; seed: number }): string {
  const hash = createHash('sha256');
  for (const line of venueBook(size)) hash.update(`${JSON.stringify(line)}\n`);
  return hash.digest('hex');
}

function grouped<T>(all: readonly T[], keyOf: (one: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const one of all) groups.set(keyOf(one), [...(groups.get(keyOf(one)) ?? []), one]);
  return groups;
}

function accountsOf(lines: readonly BookLine[]): Held[] {
  const balances = new Map(of(lines, 'balance').map((line) => [line.accountId, dec(line.amount)]));
  const positions = grouped(of(lines, 'position'), (line) => line.accountId);
  return of(lines, 'account').map((account) => ({
    ...{ account, balance: balances.get(account.id) ?? ZERO, positions: positions.get(account.id) ?? [] },
  }));
}

function contractOf(id: string): Contract & { readonly mark: Decimal } {
  const { payoff, assetId, mark, priceTick, sizeStep } = MARKETS[id as MarketId];
  const amounts = { contractSize: ONE, priceTick: dec(priceTick), sizeStep: dec(sizeStep) };
  return { id, payoff, settlementAssetId: assetId, ...amounts, mark: dec(mark) };
}

function worthOf({ marketId, size }: Position): Decimal {
  const contract = contractOf(marketId);
  return value(contract, dec(size), contract.mark);
}

/** At the marks, in the margin asset. */
function marginOf({ balance, positions }: Held): Record<'equity' | 'notional' | 'initial', Decimal> {
  const gained = positions.map((position) =>
    worthOf(position).minus(value(contractOf(position.marketId), dec(position.size), dec(position.entryPrice ?? '0'))),
  );
  const initials = positions.map((position) => {
    const steps = MARKETS[position.marketId as MarketId].brackets.map(([floor, maintenanceRate, initialRate]) => ({
      ...{ floor: dec(floor), maintenanceRate: dec(maintenanceRate), initialRate: dec(initialRate) },
    }));
    return initialOf(makeSchedule(steps), worthOf(position).abs());
  });
  return {
    equity: balance.plus(sum(gained)),
    notional: sum(positions.map((position) => worthOf(position).abs())),
    initial: sum(initials),
  };
}

describe('a generated venue of whatever size and seed', () => {
  const size = fc.record({
    positions: fc.integer({ min: 100, max: 2000 }),
    seed: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  });
  const always = (holds: (lines: readonly BookLine[], positions: number) => void): void => {
    fc.assert(
      fc.property(size, (given) => {
        holds([...venueBook(given)], given.positions);
      }),
      { numRuns: 8, examples: [[{ positions: 100, seed: 0 }], [{ positions: 200, seed: 1 }]] },
    );
  };

  it('has exactly so many positions, and in each market as many contracts long as short', () => {
    always((lines, positions) => {
      const all = of(lines, 'position');
      expect(all.length).toBe(positions);
      for (const marketId of MARKET_IDS)
        expect(sum(all.filter((line) => line.marketId === marketId).map((line) => dec(line.size))).toFixed()).toBe('0');
      expect(all.filter((line) => line.accountId.startsWith('liquidity'))).toEqual([]);
    });
  });

  it('opens whole steps at prices of the market, each account once in a market of its asset', () => {
    always((lines) => {
      for (const { account, positions } of accountsOf(lines)) {
        expect(new Set(positions.map(({ marketId }) => marketId)).size).toBe(positions.length);
        for (const position of positions) {
          const contract = contractOf(position.marketId);
          expect(contract.settlementAssetId).toBe(account.marginAssetId);
          expect(isWholeLots(contract, dec(position.size))).toBe(true);
          const price = dec(position.entryPrice ?? '0');
          expect(isPriceOf(contract, price) && price.mod(contract.priceTick).isZero()).toBe(true);
        }
      }
    });
  });

  it('puts nobody in trouble: everyone has more than the initial margin', () => {
    always((lines) => {
      for (const held of accountsOf(lines).filter(({ account }) => account.kind !== 'LIQUIDITY_PROVIDER')) {
        const { equity, initial } = marginOf(held);
        expect(held.positions.length).toBeGreaterThan(0);
        expect(equity.gte(initial.times('1.2')) && equity.gt(ZERO)).toBe(true);
      }
    });
  });
});

describe('a generated venue', () => {
  const lines = [...venueBook({ positions: 3000, seed: 7 })];
  let accounts: Held[];
  beforeAll(() => {
    accounts = accountsOf(lines).filter(({ positions }) => positions.length > 0);
  });

  it('is the same for the same seed, and another one for another', () => {
    const given = { positions: 500, seed: 5 };
    expect(digestOf(given)).toBe(digestOf(given));
    expect(digestOf({ ...given, seed: 6 })).not.toBe(digestOf(given));
  });

  it('has accounts of every kind', () => {
    const isHedge = ({ positions }: Held): boolean =>
      positions.length === 2 &&
      sum(positions.map(worthOf))
        .abs()
        .lt(sum(positions.map((p) => worthOf(p).abs())).times('0.01'));
    const shares = {
      several: accounts.filter(({ positions }) => positions.length > 2).length,
      hedged: accounts.filter(isHedge).length,
      isolated: accounts.filter(({ account }) => account.mode === 'ISOLATED').length,
      inverse: accounts.filter(({ account }) => account.marginAssetId === 'BTC').length,
      whales: accounts.filter(({ account }) => account.id.startsWith('whale-')).length,
    };
    expect(shares.several / accounts.length).toBeGreaterThan(0.25);
    expect(shares.hedged / accounts.length).toBeGreaterThan(0.08);
    expect(shares.isolated / accounts.length).toBeGreaterThan(0.08);
    expect(shares.inverse / accounts.length).toBeGreaterThan(0.04);
    expect(shares.whales).toBe(2);
    const owners = grouped(accounts, ({ account }) => account.traderId);
    const inBoth = [...owners.values()].filter(
      (own) => new Set(own.map(({ account }) => account.marginAssetId)).size === 2,
    );
    expect(inBoth.length).toBeGreaterThan(5);
    for (const marketId of MARKET_IDS)
      expect(of(lines, 'position').filter((line) => line.marketId === marketId).length).toBeGreaterThan(50);
  });

  it('gives most less than 5×, a few far more, nobody more than 50×', () => {
    const leverages = accounts.map((held) => {
      const { notional, equity } = marginOf(held);
      return notional.dividedBy(equity);
    });
    const below = leverages.filter((leverage) => leverage.lt('5')).length / leverages.length;
    expect(below).toBeGreaterThan(0.6);
    expect(below).toBeLessThan(0.9);
    expect(leverages.some((leverage) => leverage.gt('30'))).toBe(true);
    expect(leverages.every((leverage) => leverage.lte('50'))).toBe(true);
  });

  it('has nobody but whales who takes the other side of everyone', () => {
    for (const marketId of MARKET_IDS) {
      const sizes = accounts
        .filter(({ account }) => !/^(whale|desk)-/.test(account.id))
        .flatMap(({ positions }) => positions.filter((p) => p.marketId === marketId).map((p) => dec(p.size)));
      const long = sum(sizes.filter((size) => size.gt(ZERO)));
      for (const size of sizes) expect(size.abs().dividedBy(long).toNumber()).toBeLessThan(0.25);
    }
  });

  it('has prices, funds, brackets in several tiers, and depth on both sides of the mark', () => {
    expect(of(lines, 'price').map(({ marketId }) => marketId)).toEqual(MARKET_IDS);
    expect(of(lines, 'fund').length).toBe(MARKET_IDS.length);
    for (const { brackets } of of(lines, 'market')) expect(brackets.length).toBeGreaterThan(3);
    for (const { marketId, bids, asks } of of(lines, 'depth')) {
      const { mark } = contractOf(marketId);
      expect([bids.length, asks.length]).toEqual([50, 50]);
      expect(dec(bids[0]?.[0] ?? '0').lt(mark) && dec(asks[0]?.[0] ?? '0').gt(mark)).toBe(true);
    }
  });

  it('comes line by line: the first lines of ten million positions cost no more than those lines', () => {
    const first: BookLine[] = [];
    for (const line of venueBook({ positions: 10_000_000, seed: 1 })) {
      first.push(line);
      if (first.length === 2000) break;
    }
    expect(of(first, 'position').length).toBeGreaterThan(400);
  });
});

describe('the dice', () => {
  it('are fair enough, and reach both ends', () => {
    const dice = new Dice(3);
    const counts = [0, 0, 0, 0, 0, 0];
    for (let n = 0; n < 6000; n++) {
      const drawn = dice.below(6);
      counts[drawn] = (counts[drawn] ?? 0) + 1;
    }
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(150);
    const drawn = new Set(Array.from({ length: 200 }, () => dice.within({ from: -2, to: 2 })));
    expect([...drawn].sort((a, b) => a - b)).toEqual([-2, -1, 0, 1, 2]);
  });

  it('pick by weight', () => {
    const dice = new Dice(7);
    const picked = Array.from({ length: 1000 }, () => dice.pick(LEVERAGES).from);
    expect(picked.filter((from) => from === 100).length).toBeGreaterThan(240);
    expect(picked.filter((from) => from === 3500).length).toBeLessThan(50);
  });
});
