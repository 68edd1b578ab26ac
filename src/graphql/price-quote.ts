import type { PriceQuoteResolvers } from '../generated/graphql.js';
import type { Instant } from '../risk/instant.js';
import { addMilliseconds } from '../risk/instant.js';
import { instantNow } from './context.js';

export interface PriceQuoteSource {
  readonly marketId: string;
  readonly externalId: string;
  readonly price: string;
  readonly at: Instant;
}

export const priceQuoteResolvers: PriceQuoteResolvers = {
  freshness: async ({ marketId, at }, _args, { book, loaders }) => {
    const market = await loaders.market.load(marketId);
    if (market === null) throw new Error(`no market ${marketId}`);
    const staleAfter = addMilliseconds(at, market.staleAfterMs);
    const isFresh = market.status === 'ACTIVE' && instantNow(book) <= staleAfter;
    return { code: isFresh ? 'FRESH' : 'STALE', priceAt: at, computedAt: book.at, staleAfter };
  },
};
