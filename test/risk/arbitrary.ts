import fc from 'fast-check';
import { value } from '../../src/risk/contract.js';
import { dec } from '../../src/risk/decimal.js';
import type { Decimal } from '../../src/risk/decimal.js';
import type { Account, Market, Marks } from '../../src/risk/margin.js';
import { buildMarket, byId } from './build.js';
import type { BracketText, MarketText } from './build.js';

// Every amount is put together as text: arithmetic in a generator would hide rounding.

const digits = (least: number, most: number): fc.Arbitrary<string> =>
  fc.array(fc.integer({ min: 0, max: 9 }), { minLength: least, maxLength: most }).map((xs) => xs.join(''));

/** Decimal text, not negative, with up to so many digits before and exactly so many after the point. */
export function decimalText(whole: number, places: number): fc.Arbitrary<string> {
  if (places === 0) return digits(1, whole);
  return fc.tuple(digits(1, whole), digits(places, places)).map(([before, after]) => `${before}.${after}`);
}

/** An amount of any sign with all 18 decimals, or one that is likely to tie with others. */
export const amount: fc.Arbitrary<Decimal> = fc
  .tuple(
    fc.constantFrom('', '-'),
    fc.oneof(decimalText(6, 18), fc.constantFrom('0', '1', '0.000000000000000001', '100')),
  )
  .map(([sign, x]) => dec(sign + x));

export const positiveAmount: fc.Arbitrary<Decimal> = amount.map((x) => x.abs()).filter((x) => !x.isZero());

const LINEAR_TERMS: readonly MarketText[] = [
  { contractSize: '1', sizeStep: '0.001', priceTick: '0.01' },
  { contractSize: '0.001', sizeStep: '1', priceTick: '0.1' },
  { contractSize: '0.000007', sizeStep: '0.000003', priceTick: '0.000001' },
  { contractSize: '10', sizeStep: '5', priceTick: '0.5' },
];
/** Their lots are worth fractions that do not end. */
const INVERSE_TERMS: readonly MarketText[] = [
  { payoff: 'INVERSE', contractSize: '100', sizeStep: '1', priceTick: '0.5' },
  { payoff: 'INVERSE', contractSize: '1', sizeStep: '0.5', priceTick: '0.01' },
  { payoff: 'INVERSE', contractSize: '7', sizeStep: '3', priceTick: '0.000001' },
];
const BRACKETS: readonly (readonly BracketText[])[] = [
  [['0', '0.005', '0.01']],
  [
    ['0', '0.004', '0.008'],
    ['5000', '0.01', '0.02'],
    ['123456.789', '0.0333333333', '0.0666666667'],
  ],
  [
    ['0', '0.01', '0.02'],
    ['0.75', '0.025', '0.05'],
    ['1000', '0.1', '0.2'],
    ['100000', '0.5', '1'],
  ],
];

export function marketOf(id: string): fc.Arbitrary<Market> {
  return fc
    .tuple(fc.constantFrom(...LINEAR_TERMS, ...INVERSE_TERMS), fc.constantFrom(...BRACKETS))
    .map(([terms, brackets]) => buildMarket({ ...terms, id, brackets }));
}

/** A market of one bracket. */
export function plainMarketOf(id: string): fc.Arbitrary<Market> {
  return fc
    .constantFrom(...LINEAR_TERMS, ...INVERSE_TERMS)
    .map((terms) => buildMarket({ ...terms, id, brackets: [['0', '0.005', '0.01']] }));
}

/** A price that values are exact at. */
export function priceOf(market: Market, whole = 4): fc.Arbitrary<Decimal> {
  const places = market.payoff === 'LINEAR' ? market.priceTick.decimalPlaces() : 18;
  return decimalText(whole, places)
    .map(dec)
    .filter((price) => !price.isZero());
}

/** A price near another, as marks and fills are. */
export function priceNear(market: Market, price: Decimal, perMille = 150): fc.Arbitrary<Decimal> {
  const places = market.payoff === 'LINEAR' ? market.priceTick.decimalPlaces() : 18;
  return fc
    .integer({ min: 1000 - perMille, max: 1000 + perMille })
    .map((share) => price.times(share).times(dec('0.001')).toDecimalPlaces(places))
    .filter((near) => !near.isZero());
}

/** Whole lots of a market, more than 0. */
export function lotsOf(market: Market, most = 5_000): fc.Arbitrary<Decimal> {
  return fc.integer({ min: 1, max: most }).map((lots) => market.sizeStep.times(lots));
}

export interface Book {
  readonly account: Account;
  readonly markets: ReadonlyMap<string, Market>;
  readonly marks: Marks;
}

interface Line {
  readonly market: Market;
  readonly size: Decimal;
  readonly entry: Decimal;
  readonly mark: Decimal;
}

function lineOf(id: string, marketFrom: (id: string) => fc.Arbitrary<Market>): fc.Arbitrary<Line> {
  return marketFrom(id).chain((market) =>
    priceOf(market).chain((entry) =>
      fc.record({
        market: fc.constant(market),
        size: fc.tuple(lotsOf(market), fc.boolean()).map(([size, long]) => (long ? size : size.neg())),
        entry: fc.constant(entry),
        mark: priceNear(market, entry),
      }),
    ),
  );
}

/** One account with positions in one to `most` markets, M0 first, and a balance that is a share of what it holds. */
export function bookOf(most: number, marketFrom: (id: string) => fc.Arbitrary<Market> = marketOf): fc.Arbitrary<Book> {
  return fc
    .integer({ min: 1, max: most })
    .chain((count) =>
      fc.tuple(
        fc.tuple(...Array.from({ length: count }, (_, index) => lineOf(`M${index}`, marketFrom))),
        fc.integer({ min: -50, max: 400 }),
        decimalText(1, 18),
      ),
    )
    .map(([lines, perMille, odd]) => {
      const worth = lines.reduce((total, line) => total.plus(value(line.market, line.size, line.mark).abs()), dec('0'));
      // Truncated to the grid and then given odd last digits: a balance is an amount, however it came about.
      const balance = worth
        .times(perMille)
        .times(dec('0.001'))
        .toDecimalPlaces(18)
        .plus(dec(odd).times(dec('0.000001')).toDecimalPlaces(18));
      const positions = new Map(
        lines.map((line) => [line.market.id, { size: line.size, cost: value(line.market, line.size, line.entry) }]),
      );
      return {
        account: { id: 'a', kind: 'TRADER', mode: 'CROSS', marginAssetId: 'USDT', exempt: false, balance, positions },
        markets: byId(...lines.map((line) => line.market)),
        marks: new Map(lines.map((line) => [line.market.id, { price: line.mark, live: true }])),
      };
    });
}
