import type { BookLine } from '../src/ingest/book-line.js';

/** A venue of a given size, the same for the same seed: what the benchmarks run on. */
export interface BenchBook {
  readonly lines: BookLine[];
  readonly accountIds: readonly string[];
  /** The price of BTCUSDT at which `doomed` accounts are bankrupt. */
  readonly crashPrice: string;
}

export interface BenchSize {
  readonly positions: number;
  /** Accounts that a fall by 5 % bankrupts. */
  readonly doomed: number;
  readonly seed: number;
}

const BTC_PRICE = 100_000;
const ETH_PRICE = 4000;
const ENOUGH = '1000000000';

/** Numerical Recipes' linear congruential generator: the low bits are poor, so the high ones are used. */
function dice(seed: number): (below: number) => number {
  let state = BigInt(seed);
  return (below) => {
    state = (state * 1664525n + 1013904223n) % 4294967296n;
    return Number((state * BigInt(below)) / 4294967296n);
  };
}

/** Thousandths as text. */
function milli(n: number): string {
  return `${n < 0 ? '-' : ''}${String(Math.trunc(Math.abs(n) / 1000))}.${String(Math.abs(n) % 1000).padStart(3, '0')}`;
}

export function makeBenchBook({ positions, doomed, seed }: BenchSize): BenchBook {
  const roll = dice(seed);
  const lines: BookLine[] = [...venueLines(doomed)];
  const accountIds: string[] = [];
  const sums = { BTCUSDT: 0, ETHUSDT: 0 };
  /** Within 3 % of the price, whole units; the doomed all came in at it. */
  const entry = (price: number, isAtPrice: boolean): string =>
    String(isAtPrice ? price : Math.round(price * (0.97 + roll(601) / 10_000)));
  const add = (id: string, balance: number, held: Partial<Record<keyof typeof sums, number>>): void => {
    lines.push({ type: 'account', id, traderId: 'bench', marginAssetId: 'USDT' });
    lines.push({ type: 'balance', accountId: id, amount: milli(Math.round(balance * 1000)) });
    for (const marketId of ['BTCUSDT', 'ETHUSDT'] as const) {
      const size = held[marketId];
      if (size === undefined || size === 0) continue;
      sums[marketId] += size;
      lines.push({
        type: 'position',
        accountId: id,
        marketId,
        size: milli(size),
        entryPrice: entry(marketId === 'BTCUSDT' ? BTC_PRICE : ETH_PRICE, id.startsWith('doomed')),
      });
    }
    accountIds.push(id);
  };
  const pairs = Math.floor((positions - doomed) / 2);
  for (let i = 0; i < pairs; i++) {
    const btc = (roll(2) === 0 ? 1 : -1) * (10 + roll(3000));
    const eth = (roll(2) === 0 ? 1 : -1) * (100 + roll(50_000));
    const notional = (Math.abs(btc) / 1000) * BTC_PRICE + (Math.abs(eth) / 1000) * ETH_PRICE;
    // Most below 5×, nobody so high that the benchmark's fall reaches it.
    add(`a${String(i).padStart(7, '0')}`, notional / (1 + roll(4) + roll(10) / 10), { BTCUSDT: btc, ETHUSDT: eth });
  }
  for (let i = 0; i < doomed; i++) {
    const btc = 20_000 + roll(20_000);
    add(`doomed${String(i).padStart(5, '0')}`, ((btc / 1000) * BTC_PRICE) / 25, { BTCUSDT: btc });
  }
  for (const marketId of ['BTCUSDT', 'ETHUSDT'] as const) {
    const price = String(marketId === 'BTCUSDT' ? BTC_PRICE : ETH_PRICE);
    if (sums[marketId] !== 0)
      lines.push({ type: 'position', accountId: 'lp', marketId, size: milli(-sums[marketId]), entryPrice: price });
    lines.push({ type: 'price', id: 'start', marketId, price });
  }
  return { lines, accountIds, crashPrice: '95000' };
}

function* venueLines(doomed: number): Iterable<BookLine> {
  yield { type: 'asset', id: 'USDT' };
  yield { type: 'trader', id: 'bench' };
  yield { type: 'account', id: 'lp', traderId: 'bench', kind: 'LIQUIDITY_PROVIDER', marginAssetId: 'USDT' };
  yield { type: 'balance', accountId: 'lp', amount: ENOUGH };
  yield { type: 'fund', id: 'fund', traderId: 'bench', assetId: 'USDT', name: 'Bench fund' };
  yield { type: 'balance', accountId: 'fund', amount: '1000' };
  // All of them in one lap.
  yield { type: 'venueParameters', accountsPerLap: doomed, changedBy: 'bench', reason: 'benchmark' };
  for (const [id, tick] of [
    ['BTCUSDT', '0.1'],
    ['ETHUSDT', '0.01'],
  ] as const) {
    yield {
      type: 'market',
      id,
      payoff: 'LINEAR',
      settlementAssetId: 'USDT',
      contractSize: '1',
      priceTick: tick,
      sizeStep: '0.001',
      insuranceFundId: 'fund',
      liquidityProviderId: 'lp',
      badDebtLimit: ENOUGH,
      staleAfterMs: 86_400_000,
      brackets: [
        { floor: '0', maintenanceRate: '0.004', initialRate: '0.01' },
        { floor: '1000000', maintenanceRate: '0.01', initialRate: '0.02' },
      ],
      changedBy: 'bench',
      reason: 'benchmark',
    };
  }
}
