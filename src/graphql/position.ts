import { allows } from '../access/caller.js';
import type { Indicator } from '../book/book.js';
import type { MarketState } from '../db/risk-state.js';
import type { AdlIndicatorResolvers, AdlScore, AdlSuggestion, PositionResolvers } from '../generated/graphql.js';
import { sideOf } from '../risk/contract.js';
import { lowerLevels } from '../risk/lower-level.js';
import type { Decimal } from '../risk/decimal.js';
import { toldToTrader, type Score } from '../risk/ranking.js';
import type { Context } from './context.js';
import { freshnessOfAccount } from './freshness.js';
import { nodeId } from './node-id.js';
import { positionFigures, type Held } from './position-figures.js';

/** A position of the request's book. */
export interface PositionSource {
  readonly accountId: string;
  readonly marketId: string;
}

function find({ accountId, marketId }: PositionSource, { book }: Context): Held {
  const margin = book.margin(accountId);
  const holding = margin?.account.positions.get(marketId);
  const market = book.markets.get(marketId);
  if (margin === undefined || holding === undefined || market === undefined) {
    throw new Error(`no position of ${accountId} in ${marketId}`);
  }
  return { margin, holding, market };
}

export const positionResolvers: PositionResolvers = {
  ...positionFigures(find),
  id: ({ accountId, marketId }) => nodeId('Position', accountId, marketId),
  account: ({ accountId }) => ({ id: accountId }),
  market: ({ marketId }) => ({ id: marketId }),
  markPrice: ({ marketId }, _args, { book }) => book.marks.get(marketId)?.price ?? null,
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
