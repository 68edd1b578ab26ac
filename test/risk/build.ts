import { makeSchedule } from '../../src/risk/brackets.js';
import type { Payoff } from '../../src/risk/contract.js';
import { value } from '../../src/risk/contract.js';
import { ZERO, dec } from '../../src/risk/decimal.js';
import type { Decimal } from '../../src/risk/decimal.js';
import type { Account, AccountValuation, Market, Marks, VenueParams } from '../../src/risk/margin.js';
import { valuate } from '../../src/risk/margin.js';
import { fill } from '../../src/risk/position.js';
import type { Holding } from '../../src/risk/position.js';

export const VENUE: VenueParams = {
  warningRatio: dec('0.66'),
  callRatio: dec('0.80'),
  liquidationTarget: dec('0.75'),
  callDeadlineMs: 600_000,
  callExtensionCapMs: 86_400_000,
  onCallLapse: 'REDUCE_ONLY',
  staleShare: dec('0.05'),
  accountsPerLap: 100,
};

/** [floor, maintenanceRate, initialRate] */
export type BracketText = readonly [string, string, string];

export interface MarketText {
  readonly id?: string;
  readonly payoff?: Payoff;
  readonly contractSize?: string;
  readonly sizeStep?: string;
  readonly priceTick?: string;
  readonly brackets?: readonly BracketText[];
  readonly maxFeeRate?: string;
  readonly maxDeviation?: string;
}

export function buildMarket(text: MarketText = {}): Market {
  const brackets = text.brackets ?? [['0', '0.05', '0.1']];
  return {
    id: text.id ?? 'M',
    payoff: text.payoff ?? 'LINEAR',
    settlementAssetId: 'USDT',
    contractSize: dec(text.contractSize ?? '1'),
    priceTick: dec(text.priceTick ?? '0.01'),
    sizeStep: dec(text.sizeStep ?? '1'),
    schedule: makeSchedule(
      brackets.map(([floor, maintenanceRate, initialRate]) => ({
        floor: dec(floor),
        maintenanceRate: dec(maintenanceRate),
        initialRate: dec(initialRate),
      })),
    ),
    status: 'ACTIVE',
    params: {
      maxFeeRate: dec(text.maxFeeRate ?? '0.0025'),
      maxDeviation: dec(text.maxDeviation ?? '0.1'),
      priceBand: dec('0.1'),
      staleAfterMs: 30_000,
    },
    policy: {
      version: '1',
      score: 'LEVERAGED_RETURN',
      allocation: 'QUEUE',
      priceBasis: 'BANKRUPTCY',
      trigger: 'FUND_EXHAUSTED',
    },
    fundId: 'fund',
    badDebtLimit: ZERO,
  };
}

export function byId(...markets: readonly Market[]): ReadonlyMap<string, Market> {
  return new Map(markets.map((market) => [market.id, market]));
}

export function buildMarks(prices: Readonly<Record<string, string>>, stale: readonly string[] = []): Marks {
  return new Map(Object.entries(prices).map(([id, price]) => [id, { price: dec(price), live: !stale.includes(id) }]));
}

/** Positions as market id → [size, cost]. */
export function buildAccount(
  id: string,
  balance: string,
  positions: Readonly<Record<string, readonly [string, string]>> = {},
): Account {
  const holdings = Object.entries(positions).map(([marketId, [size, cost]]): [string, Holding] => [
    marketId,
    { size: dec(size), cost: dec(cost) },
  ]);
  return {
    id,
    kind: 'TRADER',
    mode: 'CROSS',
    marginAssetId: 'USDT',
    exempt: false,
    balance: dec(balance),
    positions: new Map(holdings),
  };
}

/** The valuation of an account whose prices are all there. */
export function valued(account: Account, markets: ReadonlyMap<string, Market>, marks: Marks): AccountValuation {
  const v = valuate(account, markets, marks);
  if (v === null) throw new Error('a price is missing');
  return v;
}

/** The account after a signed change of its position that is worth `filled`, and a fee. */
export function afterFill(
  account: Account,
  marketId: string,
  change: Decimal,
  filled: Decimal,
  fee: Decimal = ZERO,
): Account {
  const positions = new Map(account.positions);
  const { holding, realizedPnl } = fill(positions.get(marketId) ?? { size: ZERO, cost: ZERO }, change, filled);
  if (holding.size.isZero()) positions.delete(marketId);
  else positions.set(marketId, holding);
  return { ...account, balance: account.balance.plus(realizedPnl).minus(fee), positions };
}

/** The account after closing so many contracts at a price. */
export function afterClose(
  account: Account,
  market: Market,
  closed: Decimal,
  price: Decimal,
  fee: Decimal = ZERO,
): Account {
  const held = account.positions.get(market.id);
  if (held === undefined) throw new Error('nothing to close');
  const change = held.size.isNegative() ? closed : closed.neg();
  return afterFill(account, market.id, change, value(market, change, price), fee);
}

/** Plain text of an amount, or null. */
export function text(x: Decimal | null): string | null {
  return x === null ? null : x.toFixed();
}

export function texts(xs: readonly Decimal[]): string[] {
  return xs.map((x) => x.toFixed());
}

export function at<T>(xs: readonly T[], index: number): T {
  const x = xs[index];
  if (x === undefined) throw new Error(`nothing at ${index}`);
  return x;
}
