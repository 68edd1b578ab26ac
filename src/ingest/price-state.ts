import type { Decimal } from '../risk/decimal.js';
import type { Instant } from '../risk/instant.js';

export type PriceState = 'ACCEPTED' | 'SUSPECT' | 'CONFIRMED' | 'LATE' | 'AHEAD';

export interface Quote {
  readonly price: Decimal;
  /** What other venues pay, as the exchange reports it. */
  readonly indexPrice: Decimal | null;
  readonly at: Instant;
}

/** What a price of a market must keep to. */
export interface Bounds {
  /** Farthest from the last accepted price, a share of it. */
  readonly band: Decimal;
  /** The last instant that still counts as now. */
  readonly latest: Instant;
}

/** The prices of one market that its next one is judged by. `S` says where the suspect one is kept. */
export interface PriceHistory<S> {
  /** Newest ACCEPTED or CONFIRMED. */
  readonly accepted: Decimal | null;
  /** Newest time of any price that was neither LATE nor AHEAD. */
  readonly newestAt: Instant | null;
  /** Newest SUSPECT that no accepted price has followed. */
  readonly suspect: { readonly price: Decimal; readonly place: S } | null;
}

export interface PriceVerdict<S> {
  readonly state: 'ACCEPTED' | 'SUSPECT' | 'LATE' | 'AHEAD';
  /** The suspect price that this one confirms. */
  readonly confirms: S | null;
  readonly history: PriceHistory<S>;
}

/**
 * Whether a price becomes the mark. One that jumps is a fault more often than a crash: it
 * waits until a second one says the same, or an operator does. One dated after `latest` is no price of now: were it
 * the mark, it would be fresh until its day comes and make every true one late.
 */
export function judgePrice<S>(history: PriceHistory<S>, quote: Quote, bounds: Bounds, place: S): PriceVerdict<S> {
  const { band, latest } = bounds;
  if (quote.at > latest) return { state: 'AHEAD', confirms: null, history };
  if (history.newestAt !== null && quote.at < history.newestAt) return { state: 'LATE', confirms: null, history };
  const { price, at } = quote;
  if (isOutside(price, history.accepted, band) || isOutside(price, quote.indexPrice, band)) {
    if (history.suspect === null || isOutside(price, history.suspect.price, band)) {
      const suspect = { price, place };
      return { state: 'SUSPECT', confirms: null, history: { ...history, newestAt: at, suspect } };
    }
    const confirmed = { accepted: price, newestAt: at, suspect: null };
    return { state: 'ACCEPTED', confirms: history.suspect.place, history: confirmed };
  }
  return { state: 'ACCEPTED', confirms: null, history: { accepted: price, newestAt: at, suspect: null } };
}

function isOutside(price: Decimal, reference: Decimal | null, band: Decimal): boolean {
  return reference !== null && price.minus(reference).abs().gt(band.times(reference));
}
