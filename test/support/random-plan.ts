import fc from 'fast-check';
import {
  BRACKETS,
  EVER,
  SHAPES,
  type BookPlan,
  type DepthPlan,
  type LapPlan,
  type MarketPlan,
  type PricePlan,
} from './random-book.js';

const digits = fc.stringMatching(/^[0-9]{14}$/);
const pricePlan = (from: number, to: number): fc.Arbitrary<PricePlan> =>
  fc.record({ level: fc.integer({ min: from, max: to }), digits });

/** Few of them, so that ties are common, and many with all 18 decimals. */
const balance = fc.oneof(
  fc.constantFrom('0', '20', '50', '100', '100', '300', '1000', '0.000000000000000001', '-5'),
  fc
    .tuple(fc.integer({ min: 0, max: 250 }), fc.stringMatching(/^[0-9]{18}$/))
    .map(([whole, part]) => `${whole}.${part}`),
);

const marketPlan: fc.Arbitrary<MarketPlan> = fc.record({
  shape: fc.nat(SHAPES.length - 1),
  brackets: fc.nat(BRACKETS.length - 1),
  score: fc.constantFrom('LEVERAGED_RETURN', 'LEVERAGED_RETURN', 'ACCOUNT_RETURN'),
  allocation: fc.constantFrom('QUEUE', 'QUEUE', 'PRO_RATA'),
  priceBasis: fc.constantFrom('BANKRUPTCY', 'BANKRUPTCY', 'BANKRUPTCY', 'MARK'),
  maxDeviation: fc.constantFrom('0.1', '0.03', '0.5'),
  maxFeeRate: fc.constantFrom('0.0025', '0.003999999999999999', '0'),
  badDebtLimit: fc.constantFrom('1000000', '1000000', '0'),
});

const level = fc.tuple(fc.integer({ min: 1, max: 400 }), fc.constantFrom('1', '2', '3', '7', '30'));
const depthPlan: fc.Arbitrary<DepthPlan> = fc.record({
  bids: fc.array(level, { maxLength: 4 }),
  asks: fc.array(level, { maxLength: 4 }),
});

const LAPS = 4;
const MARKETS = 3;

const lapPlan: fc.Arbitrary<LapPlan> = fc.record({
  prices: fc.array(pricePlan(8600, 11400), { minLength: MARKETS, maxLength: MARKETS }),
  silent: fc.constantFrom(0, 0, 0, 1, 2, 4),
  depths: fc.array(depthPlan, { minLength: MARKETS, maxLength: MARKETS }),
});

/** Books in which much goes wrong: entries and marks up to 15 % apart, positions of up to ten times their collateral and more. */
export const bookPlanOf = (laps: { minLength: number; maxLength: number }): fc.Arbitrary<BookPlan> =>
  fc.record({
    markets: fc.array(marketPlan, { minLength: 1, maxLength: MARKETS }),
    accounts: fc.array(
      fc.record({
        mode: fc.constantFrom('CROSS', 'CROSS', 'ISOLATED'),
        home: fc.nat(MARKETS - 1),
        exemptLaps: fc.constantFrom(0, 0, 0, 0, 1, 2, EVER),
        balance,
      }),
      { minLength: 3, maxLength: 14 },
    ),
    trades: fc.array(
      fc.record({
        market: fc.nat(MARKETS - 1),
        buyer: fc.nat(20),
        seller: fc.nat(20),
        lots: fc.constantFrom('1', '2', '3', '5', '10'),
        price: pricePlan(9300, 10700),
      }),
      { minLength: 8, maxLength: 40 },
    ),
    funds: fc.array(
      fc.record({
        balance: fc.oneof(fc.constantFrom('0', '1', '30', '10000'), fc.stringMatching(/^[1-9][0-9]\.[0-9]{18}$/)),
        perEventCap: fc.constantFrom(null, null, null, '3.000000000000000003'),
        windowAllowance: fc.constantFrom(null, null, null, '11'),
      }),
      { minLength: 2, maxLength: 2 },
    ),
    venue: fc.record({
      accountsPerLap: fc.constantFrom(100, 100, 2),
      onCallLapse: fc.constantFrom('REDUCE_ONLY', 'LIQUIDATE'),
    }),
    laps: fc.array(lapPlan, laps),
  });

export const bookPlan: fc.Arbitrary<BookPlan> = bookPlanOf({ minLength: 1, maxLength: LAPS });
