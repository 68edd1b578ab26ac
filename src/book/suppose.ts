import type { MarkFact, MarketState } from '../db/risk-state.js';
import { sideOf } from '../risk/contract.js';
import type { Decimal } from '../risk/decimal.js';
import { isExempt, type Account } from '../risk/margin.js';
import { Others } from '../risk/others.js';
import { levelAt, percentileOf, score } from '../risk/ranking.js';
import { valuedMargin, type AccountMargin } from './account-margin.js';
import type { Book, Indicator } from './book.js';

type Ranked = Omit<Extract<Indicator, { state: 'RANKED' }>, 'rankingId'>;
/** An indicator without a ranking: that one was never made. */
export type SupposedPlace = Ranked | Exclude<Indicator, { state: 'RANKED' }>;

/** What an account would be, all other accounts being as they are. */
export interface Supposed {
  readonly margin: AccountMargin;
  readonly markets: ReadonlyMap<string, MarketState>;
  readonly marks: ReadonlyMap<string, MarkFact>;
  /** Of one of its positions. */
  place(marketId: string): SupposedPlace;
}

/**
 * The account as given, at the book's prices or supposed ones, which count as if they had come just now. No other account is
 * valued, so at supposed prices, which would move all the others too, no place is known.
 */
export function suppose(book: Book, account: Account, prices: ReadonlyMap<string, Decimal> = new Map()): Supposed {
  const { markets, venue } = book;
  const marks = new Map(book.marks);
  for (const [marketId, price] of prices) {
    const live = markets.get(marketId)?.status === 'ACTIVE';
    marks.set(marketId, { priceMarkId: '', price, at: book.at, live });
  }
  const margin = valuedMargin({ markets, marks, venue }, account, book.lastStatus(account.id));
  return {
    ...{ margin, markets, marks },
    place(marketId) {
      if (isExempt(account)) return { state: 'EXEMPT' };
      if (margin.held || margin.valuation === null || prices.size > 0) return { state: 'UNKNOWN' };
      return placeOf(book, margin, marketId);
    },
  };
}

function placeOf(book: Book, { account, valuation }: AccountMargin, marketId: string): Ranked {
  const holding = account.positions.get(marketId);
  const policy = book.markets.get(marketId)?.policy;
  if (holding === undefined || policy === undefined || valuation === null)
    throw new Error(`${account.id} has no position in ${marketId} that can be ranked`);
  const others = new Others(book.ranking(marketId, sideOf(holding.size)), account.id);
  const scored = score(policy.score, valuation, marketId);
  const place = others.placeOf(account.id, scored);
  const size = holding.size.abs();
  const queueSize = others.size.plus(size);
  return {
    ...place,
    state: 'RANKED',
    score: scored,
    level: levelAt(place.sizeAhead, queueSize),
    queueLength: others.length + 1,
    percentile: percentileOf({ ...place, size }, queueSize),
  };
}
