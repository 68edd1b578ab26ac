import type { FollowedBook } from '../book/follower.js';
import type { Freshness } from '../generated/graphql.js';
import { addMilliseconds, type Instant } from '../risk/instant.js';
import { instantNow } from './context.js';

/** A book is made anew every second and after every hint; one this old means that its follower fails. */
export const BOOK_LIMIT_MS = 10_000;

/** What an age is told from. */
export type Dated = Pick<FollowedBook, 'at' | 'marks' | 'markets' | 'takenAtMs'>;

/** Of a figure that rests on the prices of these markets; `held`: its account is, whatever the prices say. */
export function freshnessOf(book: Dated, marketIds: Iterable<string>, held = false): Freshness {
  let priceAt: Instant | null = null;
  let staleAfter = addMilliseconds(book.at, BOOK_LIMIT_MS);
  let isLive = !held;
  for (const marketId of marketIds) {
    const mark = book.marks.get(marketId);
    const market = book.markets.get(marketId);
    if (mark === undefined || market === undefined) return missing(book);
    if (priceAt === null || mark.at < priceAt) priceAt = mark.at;
    const goesStaleAt = addMilliseconds(mark.at, market.params.staleAfterMs);
    if (goesStaleAt < staleAfter) staleAfter = goesStaleAt;
    isLive &&= mark.live;
  }
  const isFresh = isLive && instantNow(book) <= staleAfter;
  return { code: isFresh ? 'FRESH' : 'STALE', priceAt, computedAt: book.at, staleAfter };
}

/** Of an account's margin and of all that rests on it. */
export function freshnessOfAccount(book: FollowedBook, accountId: string): Freshness {
  const margin = book.margin(accountId);
  if (margin === undefined) return missing(book);
  return freshnessOf(book, margin.account.positions.keys(), margin.held);
}

function missing(book: Dated): Freshness {
  return { code: 'MISSING', priceAt: null, computedAt: book.at, staleAfter: null };
}
