/** Everything about a generated venue that could be otherwise. Prices, traders and order books are all made up. */

export type MarketId = 'BTCUSDT' | 'ETHUSDT' | 'SOLUSDT' | 'XRPUSDT' | 'BNBUSDT' | 'DOGEUSDT' | 'BTCUSD';
export type AssetId = 'USDT' | 'BTC';

/** [from this notional on, maintenance rate, initial rate] */
type Brackets = readonly (readonly [string, string, string])[];

export interface MarketTerms {
  readonly payoff: 'LINEAR' | 'INVERSE';
  readonly assetId: AssetId;
  readonly mark: string;
  readonly priceTick: string;
  readonly sizeStep: string;
  readonly badDebtLimit: string;
  readonly brackets: Brackets;
  /** How often a trader chooses it among the linear ones. */
  readonly weight: number;
}

/** The lowest rate is above the liquidation fee. */
const MAJOR: Brackets = [
  ['0', '0.004', '0.01'],
  ['1000000', '0.005', '0.0133'],
  ['10000000', '0.01', '0.02'],
  ['50000000', '0.02', '0.04'],
  ['200000000', '0.05', '0.1'],
];
const MINOR: Brackets = [
  ['0', '0.006', '0.0133'],
  ['100000', '0.01', '0.02'],
  ['1000000', '0.02', '0.04'],
  ['5000000', '0.05', '0.1'],
  ['20000000', '0.1', '0.2'],
];
/** In bitcoin. */
const COIN: Brackets = [
  ['0', '0.005', '0.01'],
  ['50', '0.0065', '0.0133'],
  ['250', '0.01', '0.02'],
  ['1000', '0.025', '0.05'],
];

const LINEAR = { payoff: 'LINEAR', assetId: 'USDT', badDebtLimit: '10000000' } as const;

/** One contract is a unit of the coin where the market is linear, a dollar where it is inverse. */
export const MARKETS: Readonly<Record<MarketId, MarketTerms>> = {
  BTCUSDT: { ...LINEAR, mark: '97250', priceTick: '0.1', sizeStep: '0.001', brackets: MAJOR, weight: 40 },
  ETHUSDT: { ...LINEAR, mark: '3420.5', priceTick: '0.01', sizeStep: '0.001', brackets: MAJOR, weight: 25 },
  SOLUSDT: { ...LINEAR, mark: '182.35', priceTick: '0.01', sizeStep: '0.01', brackets: MINOR, weight: 12 },
  XRPUSDT: { ...LINEAR, mark: '2.345', priceTick: '0.0001', sizeStep: '0.1', brackets: MINOR, weight: 9 },
  BNBUSDT: { ...LINEAR, mark: '645.2', priceTick: '0.01', sizeStep: '0.01', brackets: MINOR, weight: 7 },
  DOGEUSDT: { ...LINEAR, mark: '0.1825', priceTick: '0.00001', sizeStep: '1', brackets: MINOR, weight: 7 },
  BTCUSD: {
    ...{ payoff: 'INVERSE', assetId: 'BTC', mark: '97250', priceTick: '0.1', sizeStep: '1' },
    ...{ badDebtLimit: '100', brackets: COIN, weight: 0 },
  },
};
export const INVERSE: MarketId = 'BTCUSD';
/** The linear market of the same coin. */
export const INVERSE_TWIN: MarketId = 'BTCUSDT';

/** A day: nothing feeds a generated venue by itself. */
export const STALE_AFTER_MS = 86_400_000;

export const ASSETS: Readonly<Record<AssetId, { readonly places: number; readonly liquidityBalance: string }>> = {
  USDT: { places: 2, liquidityBalance: '10000000' },
  BTC: { places: 8, liquidityBalance: '100' },
};

/** Whole numbers, both ends included. */
export interface Range {
  readonly from: number;
  readonly to: number;
}
export interface Weighted {
  readonly weight: number;
}

/** How much leverage people take, in hundredths, in percent of them: most below 5×, a tail to 50×. */
export const LEVERAGES: readonly (Range & Weighted)[] = [
  { from: 100, to: 200, weight: 30 },
  { from: 200, to: 300, weight: 22 },
  { from: 300, to: 500, weight: 20 },
  { from: 500, to: 1000, weight: 14 },
  { from: 1000, to: 2000, weight: 8 },
  { from: 2000, to: 3500, weight: 4 },
  { from: 3500, to: 5000, weight: 2 },
];

/** How large their positions are, in dollars. */
export const NOTIONALS: readonly (Range & Weighted)[] = [
  { from: 100, to: 1000, weight: 25 },
  { from: 1000, to: 10_000, weight: 35 },
  { from: 10_000, to: 50_000, weight: 22 },
  { from: 50_000, to: 250_000, weight: 12 },
  { from: 250_000, to: 1_000_000, weight: 5 },
  { from: 1_000_000, to: 4_000_000, weight: 1 },
];

/** What a trader holds. */
export type Style = 'SINGLE' | 'ISOLATED' | 'SEVERAL' | 'BOTH' | 'HEDGED' | 'INVERSE' | 'BASIS';

export const STYLES: readonly ({ readonly style: Style } & Weighted)[] = [
  { style: 'SINGLE', weight: 14 },
  { style: 'ISOLATED', weight: 8 },
  { style: 'SEVERAL', weight: 50 },
  { style: 'BOTH', weight: 6 },
  { style: 'HEDGED', weight: 15 },
  { style: 'INVERSE', weight: 5 },
  { style: 'BASIS', weight: 2 },
];
/** Markets of a cross account that holds several. */
export const SEVERAL: Range = { from: 2, to: 6 };

/** Entries lie up to so far from the mark, in ten-thousandths; below this leverage positions are old and lie farther. */
export const ENTRY = { belowLeverage: 800, old: 300, fresh: 20 } as const;

/** Everybody has so much more than the initial margin of what they hold, in percent: nobody is in trouble at the start. */
export const CUSHION_PERCENT = 120;

/** One whale for so many positions, two at least, in these markets by turns; desks take the other side, evenly. */
export const WHALES = {
  everyPositions: 20_000,
  least: 2,
  markets: ['BTCUSDT', 'ETHUSDT', 'BTCUSD'],
  dollars: { from: 20_000_000, to: 60_000_000 },
  leverage: { from: 300, to: 1000 },
  desks: 8,
  deskLeverage: { from: 150, to: 500 },
} as const satisfies { readonly markets: readonly MarketId[] } & Record<string, unknown>;

/** A fund has so much of the open interest of its market, and a side of the order book is worth so much, one part in: */
export const FUND_PART = 500;
export const DEPTH_PART = 50;
/** Levels of the order book, each so much farther from the mark, in ten-thousandths of it. */
export const DEPTH = { levels: 50, apart: 10 } as const;

export const FEWEST_POSITIONS = 100;
export const MOST_POSITIONS = 10_000_000;
