import type { BookLine } from '../ingest/book-line.js';
import type { DepthInput } from '../ingest/depth.js';
import { Decimal, max, ONE } from '../risk/decimal.js';
import { Crowd } from './crowd.js';
import { Dice } from './dice.js';
import { ASSETS, DEPTH, DEPTH_PART, FUND_PART, MARKETS, STALE_AFTER_MS, WHALES } from './parameters.js';
import type { AssetId, MarketId } from './parameters.js';
import { TradedMarket } from './traded-market.js';
import { planLines, type Plan } from './trader-lines.js';

export interface VenueSize {
  /** Exactly so many, all of them of traders: liquidity providers begin with money and hold nothing. */
  readonly positions: number;
  readonly seed: number;
}

const MARKET_IDS = Object.keys(MARKETS) as MarketId[];
const ASSET_IDS = Object.keys(ASSETS) as AssetId[];
const VENUE_TRADER = 'market-makers';
const CHANGE = { changedBy: 'generate', reason: 'a generated venue' } as const;

/**
 * A whole venue as the lines of a book, in the order that an import wants. The same size and seed give the same lines.
 * Nothing of it is held but a few totals.
 */
export function* venueBook({ positions, seed }: VenueSize): Generator<BookLine> {
  const dice = new Dice(seed);
  const markets = Object.fromEntries(MARKET_IDS.map((id) => [id, new TradedMarket(id)])) as Record<
    MarketId,
    TradedMarket
  >;
  yield* houseLines();
  yield* accountLines(drawPlans(new Crowd(dice, markets), positions));
  for (const id of MARKET_IDS) yield* marketDataLines(markets[id], dice);
}

/** Accounts, until there are so many positions, and in each market as many contracts long as short. */
function* drawPlans(crowd: Crowd, positions: number): Generator<Plan> {
  let left = positions;
  const whales = Math.max(WHALES.least, Math.floor(positions / WHALES.everyPositions));
  for (let n = 1; n <= whales; n++) {
    for (const plan of crowd.drawWhale(n)) {
      left -= plan.legs.length;
      yield plan;
    }
  }
  // One position is kept back for each market: of the trader who closes the gap between its longs and shorts.
  while (left > MARKET_IDS.length) {
    for (const plan of crowd.drawTrader()) {
      const legs = plan.legs.slice(0, left - MARKET_IDS.length);
      left -= legs.length;
      if (legs.length > 0) yield { ...plan, legs };
    }
  }
  for (; left > crowd.gaps().length; left--) yield crowd.drawIntoGap();
  for (const market of crowd.gaps()) yield crowd.drawClosing(market);
}

function* accountLines(plans: Iterable<Plan>): Generator<BookLine> {
  let lastTraderId: string | undefined;
  for (const plan of plans) {
    if (plan.traderId !== lastTraderId) yield { type: 'trader', id: plan.traderId };
    lastTraderId = plan.traderId;
    yield* planLines(plan);
  }
}

/** What there is before anybody trades: assets, liquidity providers, funds and markets. */
function* houseLines(): Generator<BookLine> {
  for (const id of ASSET_IDS) yield { type: 'asset', id };
  yield { type: 'trader', id: VENUE_TRADER };
  for (const assetId of ASSET_IDS) {
    const account = { id: liquidityId(assetId), traderId: VENUE_TRADER, kind: 'LIQUIDITY_PROVIDER' } as const;
    yield { type: 'account', ...account, marginAssetId: assetId };
    yield { type: 'balance', accountId: account.id, amount: ASSETS[assetId].liquidityBalance };
  }
  for (const id of MARKET_IDS) {
    const { payoff, assetId, priceTick, sizeStep, badDebtLimit, brackets } = MARKETS[id];
    yield { type: 'fund', id: fundId(id), assetId, name: `Insurance fund of ${id}` };
    yield {
      ...{ type: 'market', id, payoff, settlementAssetId: assetId, contractSize: '1', priceTick, sizeStep },
      ...{ insuranceFundId: fundId(id), liquidityProviderId: liquidityId(assetId) },
      ...{ badDebtLimit, staleAfterMs: STALE_AFTER_MS },
      brackets: brackets.map(([floor, maintenanceRate, initialRate]) => ({ floor, maintenanceRate, initialRate })),
      ...CHANGE,
    };
  }
}

/** What grows with the open interest: the fund and the order book; and the price. */
function* marketDataLines(market: TradedMarket, dice: Dice): Generator<BookLine> {
  const openInterest = worthOf(market, market.long);
  const fund = deposited(market.assetId, openInterest.dividedToIntegerBy(String(FUND_PART)).plus(ONE));
  yield { type: 'balance', accountId: fundId(market.id), amount: fund };
  yield { type: 'price', id: 'opening', marketId: market.id, price: market.mark.toFixed() };
  yield {
    type: 'depth',
    id: 'opening',
    marketId: market.id,
    bids: side(market, dice, -1),
    asks: side(market, dice, 1),
  };
}

/** One side of the order book, thicker away from the mark. */
function side(market: TradedMarket, dice: Dice, direction: 1 | -1): DepthInput['bids'] {
  const shares = Array.from({ length: DEPTH.levels }, (_, index) => (index + 1) * dice.within({ from: 80, to: 120 }));
  const all = String(shares.reduce((total, share) => total + share, 0) * DEPTH_PART);
  const { sizeStep } = market.contract;
  return shares.map((share, index) => {
    const steps = market.long.times(String(share)).dividedToIntegerBy(sizeStep.times(all));
    const price = market.priceAt(direction * (index + 1) * DEPTH.apart);
    return [price.toFixed(), max(ONE, steps).times(sizeStep).toFixed()];
  });
}

function worthOf(market: TradedMarket, size: Decimal): Decimal {
  return market.worthAt(size, market.mark).abs();
}

function deposited(assetId: AssetId, amount: Decimal): string {
  return amount.toDecimalPlaces(ASSETS[assetId].places, Decimal.ROUND_UP).toFixed();
}

function liquidityId(assetId: AssetId): string {
  return `liquidity-${assetId.toLowerCase()}`;
}

function fundId(marketId: MarketId): string {
  return `fund-${marketId.toLowerCase()}`;
}
