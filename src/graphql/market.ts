import { allows } from '../access/caller.js';
import type { MarketRow } from '../db/read-markets.js';
import type { MarketAdl, MarketResolvers, PositionSide } from '../generated/graphql.js';
import { value } from '../risk/contract.js';
import { dec, ZERO } from '../risk/decimal.js';
import { byScore, percentileOf, type PublishedRanking, type RankCandidate } from '../risk/ranking.js';
import { keysetOf, parsePage, toConnection, type PageArgs } from './connection.js';
import type { Context } from './context.js';
import { freshnessOf } from './freshness.js';
import { availableOf } from './insurance-fund.js';
import { nodeId } from './node-id.js';
import { toAdlScore } from './position.js';
import { BackstopError } from '../errors.js';

export interface MarketSource {
  readonly id: string;
}

async function rowOf({ id }: MarketSource, { loaders }: Context): Promise<MarketRow> {
  const row = await loaders.market.load(id);
  if (row === null) throw new Error(`no market ${id}`);
  return row;
}

/** A field that the stored row has under the same name. */
function column<K extends keyof MarketRow>(name: K) {
  return async (market: MarketSource, _args: unknown, context: Context): Promise<MarketRow[K]> =>
    (await rowOf(market, context))[name];
}

export const marketResolvers: MarketResolvers = {
  id: ({ id }) => nodeId('Market', id),
  symbol: ({ id }) => id,
  payoff: column('payoff'),
  expiresAt: column('expiresAt'),
  status: column('status'),
  settlementAsset: async (market, _args, context) => ({ id: (await rowOf(market, context)).settlementAssetId }),
  contractSize: column('contractSize'),
  priceTick: column('priceTick'),
  sizeStep: column('sizeStep'),
  maxFeeRate: column('maxFeeRate'),
  maxDeviation: column('maxDeviation'),
  priceBand: column('priceBand'),
  staleAfterMs: column('staleAfterMs'),
  badDebtLimit: column('badDebtLimit'),
  insuranceFund: async (market, _args, context) => ({ id: (await rowOf(market, context)).insuranceFundId }),
  liquidityProvider: async (market, _args, context) => ({ id: (await rowOf(market, context)).liquidityProviderId }),
  markPrice: ({ id }, _args, { loaders }) => loaders.priceInForce.load(id),
  indexPrice: async ({ id }, _args, { loaders }) => {
    const price = await loaders.priceInForce.load(id);
    const index = price?.indexPrice ?? null;
    return price === null || index === null ? null : { ...price, price: index };
  },
  suspectPrice: ({ id }, _args, { loaders }) => loaders.suspectPrice.load(id),
  openInterest: ({ id }, _args, { book }) => openInterestOf(id, book),
  brackets: ({ id }, _args, { loaders }) => loaders.brackets.load(id),
  policy: async ({ id }, _args, { loaders }) => {
    const policy = await loaders.policy.load({ marketId: id, version: null });
    if (policy === null) throw new Error(`market ${id} has no policy`);
    return policy;
  },
  adl: ({ id }, { side }, context) => marketAdlOf(id, side, context),
  adlQueue: ({ id }, args, context) => adlQueueOf(id, args, context),
  forcedTrades: async ({ id }, args, { loaders }) => {
    const page = parsePage('forcedTrades', args);
    const rows = await loaders.forcedTradesOfMarket.load({ parent: id, page: keysetOf(page), filter: null });
    return toConnection('forcedTrades', page, rows, (row) => [row.id]);
  },
  deleverageEvents: async ({ id }, args, { loaders }) => {
    const page = parsePage('deleverageEvents', args);
    const rows = await loaders.eventsOfMarket.load({ parent: id, page: keysetOf(page), filter: null });
    return toConnection('deleverageEvents', page, rows, (row) => [row.id]);
  },
  liquidations: async ({ id }, args, { loaders }) => {
    const page = parsePage('liquidations', args);
    const rows = await loaders.liquidationsOfMarket.load({ parent: id, page: keysetOf(page), filter: null });
    return toConnection('liquidations', page, rows, (row) => [row.id]);
  },
};

function openInterestOf(marketId: string, book: Context['book']) {
  const { size, longPositions, shortPositions } = book.openInterest(marketId);
  const market = book.markets.get(marketId);
  const mark = book.marks.get(marketId);
  const notional = market === undefined || mark === undefined ? null : value(market, size, mark.price).abs();
  return { size, notional, longPositions, shortPositions };
}

function marketAdlOf(marketId: string, side: PositionSide, { book }: Context): MarketAdl {
  const market = marketInBook(marketId, book);
  const ranking = book.ranking(marketId, side);
  const available = availableOf(book, market.fundId);
  return {
    side,
    rankingId: ranking.id,
    queueLength: ranking.queueLength,
    queueSize: ranking.queueSize,
    levelSizes: [...ranking.levelSizes()],
    trigger: { metric: market.policy.trigger, value: available, trigger: ZERO, breached: available.isZero() },
    freshness: freshnessOf(book, new Set([marketId, ...ranking.restsOn()])),
  };
}

function adlQueueOf(marketId: string, args: PageArgs & { readonly side: PositionSide }, { book, caller }: Context) {
  const market = marketInBook(marketId, book);
  // A place by score and account would tell both, the one that is given and, tried often enough, the one that is taken.
  const isExact = allows(caller, 'read:risk');
  const list = isExact ? 'adlQueue' : 'adlQueueByRank';
  const page = parsePage(list, args);
  const ranking = book.ranking(marketId, args.side);
  const from = isExact ? firstRankBehind(ranking, page.after) : Number(keysetOf(page).after ?? 0) + 1;
  const length = Math.max(0, Math.min(page.first + 1, ranking.queueLength - from + 1));
  const rows = Array.from({ length }, (_, i) => ranking.entryAt(from + i)).map((entry) => ({
    ...entry,
    account: { id: entry.accountId },
    position: { accountId: entry.accountId, marketId },
    percentile: percentileOf(entry, ranking.queueSize),
    score: toAdlScore(market, entry.score),
  }));
  const connection = toConnection(list, page, rows, (row) =>
    isExact ? [row.score.value === null ? '' : String(row.score.value), row.accountId] : [String(row.rank)],
  );
  return { ...connection, rankingId: ranking.id };
}

/** The queue's order is total, so a place in an older queue is a place in this one too. */
function firstRankBehind(ranking: PublishedRanking, after: readonly string[] | null): number {
  if (after === null) return 1;
  const [score = '', accountId = ''] = after;
  let last: RankCandidate;
  try {
    last = {
      accountId,
      size: ZERO,
      score: { value: score === '' ? null : dec(score), profitRatio: ZERO, leverage: null },
    };
  } catch {
    throw new BackstopError('BAD_INPUT', 'after must be a cursor of this list', { field: 'after' });
  }
  let [from, end] = [1, ranking.queueLength + 1];
  while (from < end) {
    const middle = (from + end) >> 1;
    if (byScore(ranking.entryAt(middle), last) > 0) end = middle;
    else from = middle + 1;
  }
  return from;
}

function marketInBook(marketId: string, book: Context['book']) {
  const market = book.markets.get(marketId);
  if (market === undefined) throw new BackstopError('NOT_FOUND', `${marketId} is not in the book yet`);
  return market;
}
