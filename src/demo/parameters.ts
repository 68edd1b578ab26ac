/**
 * Everything about the demonstration that could be otherwise. The prices and the order book are real (data/README.md);
 * the traders are drawn from this file, and no other part of Backstop knows of them.
 */

/** Minute 0 of the crash that `backstop replay 2025-10-10` plays. */
export const CRASH_START = '2025-10-10T21:03:00.000000Z';

/** Binance spot XRPUSDT, hourly candle of 2025-10-10T21:00Z; the minute of the low counted like those of the BTC path. */
export const XRP_CANDLE = { open: '2.496', low: '1.2543', close: '2.3251', lowAtMinute: 18 } as const;

export type DemoMarketId = 'BTCUSDT' | 'XRPUSDT' | 'BTCUSD';

interface Terms {
  readonly payoff: 'LINEAR' | 'INVERSE';
  readonly settlementAssetId: string;
  readonly contractSize: string;
  readonly priceTick: string;
  readonly sizeStep: string;
  readonly fundId: string;
  readonly fundName: string;
  /** What the fund has before the first minute. */
  readonly fundBalance: string;
  readonly liquidityProviderId: string;
  /** High enough that a bad debt does not halt the market: the demonstration goes on after the crash. */
  readonly badDebtLimit: string;
  /** [from this notional on, maintenance rate, initial rate] */
  readonly brackets: readonly (readonly [string, string, string])[];
}

/** Shaped like Binance's, the steps wider: there 20× ends at 100 million, here at 500. The lowest rate is above the fee. */
export const MARKETS: Readonly<Record<DemoMarketId, Terms>> = {
  BTCUSDT: {
    payoff: 'LINEAR',
    settlementAssetId: 'USDT',
    contractSize: '1',
    priceTick: '0.1',
    sizeStep: '0.001',
    fundId: 'fund-btcusdt',
    fundName: 'Insurance fund of BTCUSDT',
    fundBalance: '300000',
    liquidityProviderId: 'liquidity-usdt',
    badDebtLimit: '10000000',
    brackets: [
      ['0', '0.005', '0.01'],
      ['5000000', '0.0065', '0.0133'],
      ['20000000', '0.01', '0.02'],
      ['150000000', '0.02', '0.04'],
      ['500000000', '0.025', '0.05'],
    ],
  },
  XRPUSDT: {
    payoff: 'LINEAR',
    settlementAssetId: 'USDT',
    contractSize: '1',
    priceTick: '0.0001',
    sizeStep: '0.1',
    fundId: 'fund-xrpusdt',
    fundName: 'Insurance fund of XRPUSDT',
    fundBalance: '80000',
    liquidityProviderId: 'liquidity-usdt',
    badDebtLimit: '10000000',
    brackets: [
      ['0', '0.006', '0.0133'],
      ['100000', '0.01', '0.02'],
      ['1000000', '0.02', '0.04'],
      ['5000000', '0.05', '0.1'],
    ],
  },
  BTCUSD: {
    payoff: 'INVERSE',
    settlementAssetId: 'BTC',
    contractSize: '1',
    priceTick: '0.1',
    sizeStep: '1',
    fundId: 'fund-btcusd',
    fundName: 'Insurance fund of BTCUSD',
    fundBalance: '0.01',
    liquidityProviderId: 'liquidity-btc',
    badDebtLimit: '100',
    brackets: [
      ['0', '0.005', '0.01'],
      ['50', '0.0065', '0.0133'],
      ['250', '0.01', '0.02'],
      ['1000', '0.025', '0.05'],
    ],
  },
};

export const LIQUIDITY_PROVIDERS = [
  { id: 'liquidity-usdt', assetId: 'USDT', balance: '500000000' },
  { id: 'liquidity-btc', assetId: 'BTC', balance: '5000' },
] as const;

/** The same in every market of the demonstration. */
export const MARKET_TERMS = { maxFeeRate: '0.003', maxDeviation: '0.1', staleAfterMs: 180_000 } as const;
export const VENUE_TERMS = { callDeadlineMs: 60_000 } as const;

export const SEED = 20_251_010n;

/** How much leverage people take, in percent of them: most below 5×, a tail to 50×. */
export const LEVERAGES = [
  { from: '1', to: '2', weight: 30 },
  { from: '2', to: '3', weight: 22 },
  { from: '3', to: '5', weight: 20 },
  { from: '5', to: '10', weight: 14 },
  { from: '10', to: '20', weight: 8 },
  { from: '20', to: '35', weight: 4 },
  { from: '35', to: '50', weight: 2 },
] as const;

/** How large their positions are, in USD. */
export const NOTIONALS = [
  { from: '1000', to: '10000', weight: 30 },
  { from: '10000', to: '50000', weight: 35 },
  { from: '50000', to: '250000', weight: 22 },
  { from: '250000', to: '1000000', weight: 10 },
  { from: '1000000', to: '4000000', weight: 3 },
] as const;
/** In BTCUSD they are small: it has fewer shorts than its whale is long, so part of it can only be closed at mark. */
export const INVERSE_NOTIONALS = [
  { from: '1000', to: '10000', weight: 50 },
  { from: '10000', to: '50000', weight: 50 },
] as const;

/** Below this leverage people have held their position for a while: entries up to so far from the first mark. */
export const OLD_ENTRY = { belowLeverage: '8', furthest: '0.03' } as const;

/** Every so manyth account of the crowd is isolated. */
export const ISOLATED_EVERY = 5;

/** Longs, each with a short of the same size on the other side. */
export const CROWDS = [
  { marketId: 'BTCUSDT', name: 'btc', pairs: 110, notionals: NOTIONALS },
  { marketId: 'XRPUSDT', name: 'xrp', pairs: 60, notionals: NOTIONALS },
  { marketId: 'BTCUSD', name: 'btcusd', pairs: 14, notionals: INVERSE_NOTIONALS },
] as const;

/** A long as large as one minute of the order book three times over; those who are short against it, side by side. */
export const WHALE = { id: 'whale-btc', size: '1200', leverage: '20' } as const;
export const WHALE_SHORTS = { name: 'btc-desk', count: 20, size: '60', leverage: { from: '2', to: '9' } } as const;

/** Longs that the low of the path brings to a margin call and no further: their calls lapse. */
export const CALLED = { name: 'btc-called', count: 10, size: '4', from: '14.1', step: '0.05' } as const;
/** Longs that it liquidates. */
export const LIQUIDATED = { name: 'btc-stretched', count: 10, size: '4', from: '15.1', step: '0.05' } as const;
/** Longs that are called at 21:17; a minute later the price has risen and the calls are met. The low takes them. */
export const RELIEVED = { name: 'btc-relieved', count: 5, size: '4', from: '16.5', step: '0.05' } as const;

/**
 * Cross accounts short in BTC and long in XRP: first in the queue of BTC shorts, and ruined by XRP, so that no leg can
 * be asked of them.
 */
export const CROSSED = {
  name: 'cross',
  balance: '150000',
  btcLeverage: '4',
  /** Most of them where XRP has just ruined them when the whale goes under at 21:17. */
  xrpLadders: [
    { count: 9, from: '3.04', step: '0.02' },
    { count: 11, from: '3.3', step: '0.16' },
  ],
} as const;

/** Traders long in BTCUSDT and short the same in BTCUSD, with an account in each margin asset. */
export const HEDGED = {
  name: 'hedged',
  count: 24,
  contracts: { from: '20000', to: '100000' },
  longLeverage: { from: '1', to: '4' },
  shortLeverage: { from: '1', to: '6' },
} as const;

export const INVERSE_WHALE = { id: 'whale-btcusd', contracts: '2400000', leverage: '22' } as const;

/** After the crash: longs that a fall of 5 % bankrupts, and what the fund is given, which is less than they then owe. */
export const NEXT_LONGS = [
  { name: 'whale-next', count: 1, size: '900', from: '25', step: '1' },
  { name: 'btc-late', count: 4, size: '12', from: '30', step: '4' },
] as const;
export const NEXT_FUND = { fundId: 'fund-btcusdt', amount: '400000' } as const;
/** So many of the desks sell to them, evenly, each with a new deposit. */
export const NEXT_SHORTS = { count: 12, deposit: '1500000' } as const;

/** The drop that is printed at the start: so much of the price is left. */
export const DROP_TO = '0.95';
/** A thin order book around the new mark: [distance in proportion, bitcoin]. */
export const THIN_BOOK = [
  ['0.0001', '1.5'],
  ['0.0003', '2'],
  ['0.0006', '4'],
  ['0.001', '6'],
  ['0.002', '10'],
] as const;
