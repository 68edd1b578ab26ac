import { allows } from '../access/caller.js';
import type { Indicator } from '../book/book.js';
import type { AccountMargin } from '../book/account-margin.js';
import type { MarketState } from '../db/risk-state.js';
import type { AdlIndicatorResolvers, AdlScore, AdlSuggestion, PositionResolvers } from '../generated/graphql.js';
import { bankruptcyPrice, bankruptcyValues } from '../risk/bankruptcy.js';
import { sideOf } from '../risk/contract.js';
import { liquidationDistance, liquidationPrice } from '../risk/liquidation-price.js';
import { lowerLevels } from '../risk/lower-level.js';
import { effectiveLeverage, type AccountValuation, type PositionValuation } from '../risk/margin.js';
import { entryPrice, type Holding } from '../risk/position.js';
import type { Decimal } from '../risk/decimal.js';
import { toldToTrader, type Score } from '../risk/ranking.js';
import type { Context } from './context.js';
import { freshnessOfAccount } from './freshness.js';
import { nodeId } from './node-id.js';

/** A position of the request's book. */
export interface PositionSource {
  readonly accountId: string;
  readonly marketId: string;
}

interface Found {
  readonly margin: AccountMargin;
  readonly holding: Holding;
  readonly market: MarketState;
}

function find({ accountId, marketId }: PositionSource, { book }: Context): Found {
  const margin = book.margin(accountId);
  const holding = margin?.account.positions.get(marketId);
  const market = book.markets.get(marketId);
  if (margin === undefined || holding === undefined || market === undefined) {
    throw new Error(`no position of ${accountId} in ${marketId}`);
  }
  return { margin, holding, market };
}

interface Valued extends Found {
  readonly valuation: AccountValuation;
  readonly position: PositionValuation;
  /** Place of the position in the valuation. */
  readonly index: number;
}

/** A figure that needs the account's valuation; null while there is none. */
function figure<T>(of: (valued: Valued) => T | null) {
  return (source: PositionSource, _args: unknown, context: Context): T | null => {
    const found = find(source, context);
    const { valuation } = found.margin;
    if (valuation === null) return null;
    const index = valuation.positions.findIndex((position) => position.marketId === source.marketId);
    const position = valuation.positions[index];
    if (position === undefined) throw new Error(`${source.accountId} is valued without ${source.marketId}`);
    return of({ ...found, valuation, position, index });
  };
}

export const positionResolvers: PositionResolvers = {
  id: ({ accountId, marketId }) => nodeId('Position', accountId, marketId),
  account: ({ accountId }) => ({ id: accountId }),
  market: ({ marketId }) => ({ id: marketId }),
  side: (source, _args, context) => sideOf(find(source, context).holding.size),
  size: (source, _args, context) => find(source, context).holding.size.abs(),
  cost: (source, _args, context) => find(source, context).holding.cost,
  entryPrice: (source, _args, context) => {
    const { market, holding } = find(source, context);
    return entryPrice(market, holding);
  },
  markPrice: ({ marketId }, _args, { book }) => book.marks.get(marketId)?.price ?? null,
  notional: figure(({ position }) => position.notional),
  unrealizedPnl: figure(({ position }) => position.unrealizedPnl),
  effectiveLeverage: figure(({ valuation, index }) => effectiveLeverage(valuation, index)),
  initialMargin: figure(({ position }) => position.initial),
  maintenanceMargin: figure(({ position }) => position.maintenance),
  liquidationPrice: figure(({ valuation, market }) => liquidationPrice(valuation, market.id, market)),
  liquidationDistance: figure(({ valuation, market }) => liquidationDistance(valuation, market.id, market)),
  bankruptcyPrice: figure(({ valuation, market, holding }) => {
    const worth = bankruptcyValues(valuation).get(market.id);
    return worth === undefined ? null : bankruptcyPrice(market, holding.size, worth);
  }),
  adl: (source) => source,
};

/** A figure of a ranked position; null of any other. */
function ofRanked<T>(
  of: (ranked: Extract<Indicator, { state: 'RANKED' }>, context: Context, source: PositionSource) => T,
) {
  return (source: PositionSource, _args: unknown, context: Context): T | null => {
    const indicator = context.book.indicator(source.accountId, source.marketId);
    return indicator?.state === 'RANKED' ? of(indicator, context, source) : null;
  };
}

export const adlIndicatorResolvers: AdlIndicatorResolvers = {
  state: ({ accountId, marketId }, _args, { book }) => book.indicator(accountId, marketId)?.state ?? 'UNKNOWN',
  level: ofRanked(({ level }) => level),
  rank: ofRanked(({ rank }) => rank),
  queueLength: ofRanked(({ queueLength }) => queueLength),
  sizeAhead: ofRanked(({ sizeAhead }, context) => toldTo(context, sizeAhead)),
  percentile: ofRanked(({ percentile }, context) => toldTo(context, percentile)),
  score: ofRanked(({ score }, { book }, { marketId }) => toAdlScore(book.markets.get(marketId), score)),
  rankingId: ofRanked(({ rankingId }) => rankingId),
  toLowerLevel: (source, _args, context) => suggestionsOf(source, context),
  freshness: ({ accountId }, _args, { book }) => freshnessOfAccount(book, accountId),
};

function suggestionsOf(source: PositionSource, context: Context): AdlSuggestion[] {
  const { book } = context;
  const { accountId, marketId } = source;
  const { margin, holding } = find(source, context);
  if (book.indicator(accountId, marketId)?.state !== 'RANKED') return [];
  const { markets, marks, venue } = book;
  const ranking = book.ranking(marketId, sideOf(holding.size));
  return lowerLevels({ account: margin.account, marketId, ranking, markets, marks, venue });
}

/** A figure that sizes of others are in: exact for those who may see them. */
export function toldTo({ caller }: Context, figure: Decimal): Decimal {
  return allows(caller, 'read:risk') ? figure : toldToTrader(figure);
}

export function toAdlScore(market: MarketState | undefined, { value, profitRatio, leverage }: Score): AdlScore {
  if (market === undefined) throw new Error('a score without its market');
  return { name: market.policy.score, value, profitRatio, leverage };
}
