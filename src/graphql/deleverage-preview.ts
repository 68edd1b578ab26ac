import type { FollowedBook } from '../book/follower.js';
import type { MarketState } from '../db/risk-state.js';
import { Lap } from '../engine/lap.js';
import { EventLegs } from '../engine/legs.js';
import { takeCounterparties } from '../engine/take-counterparties.js';
import { BackstopError } from '../errors.js';
import type { DeleveragePreviewInput } from '../generated/graphql.js';
import { value } from '../risk/contract.js';
import { dec, type Decimal } from '../risk/decimal.js';
import { freshnessOf } from './freshness.js';

/** Stands in for the bankrupt; no account can have this id. */
const NOBODY = '';

/** The legs of a lap's step 5 on the request's book, made by the engine's own code in memory. */
export function previewDeleverage(input: DeleveragePreviewInput, book: FollowedBook) {
  const { market, mark, price, size } = parse(input, book);
  const { side } = input;
  const signed = side === 'SHORT' ? size : size.neg();
  const ranking = book.ranking(market.id, side);
  const lap = new Lap(book, new Map());
  const frame = { bankruptId: NOBODY, market, size: signed, mark, cause: { kind: 'DELEVERAGE', index: 0 } } as const;
  const legs = new EventLegs(lap, frame);
  takeCounterparties(lap, legs, ranking, value(market, signed, price));
  const markets = new Set([market.id, ...ranking.restsOn()]);
  return {
    market: { id: market.id },
    side,
    size,
    price,
    markPrice: mark,
    rankingId: ranking.id,
    legs: legs.legs.map((leg) => ({
      account: { id: leg.accountId },
      rank: known(leg.rank),
      size: leg.sizeClosed,
      concession: leg.concession,
      realizedPnl: leg.realizedPnl,
      equityBefore: known(leg.equityBefore),
      equityAfter: known(leg.equityAfter),
      sizeAfter: leg.sizeAfter,
    })),
    skips: legs.refusals
      .map((skip) => ({
        account: { id: skip.accountId },
        rank: known(skip.rank),
        reason: skip.reason,
        size: skip.size,
      }))
      .sort((a, b) => a.rank - b.rank),
    unfilled: legs.remaining,
    freshness: freshnessOf(book, markets),
  };
}

interface Parsed {
  readonly market: MarketState;
  readonly mark: Decimal;
  readonly price: Decimal;
  readonly size: Decimal;
}

function parse(input: DeleveragePreviewInput, book: FollowedBook): Parsed {
  const market = book.markets.get(input.marketSymbol);
  if (market === undefined) refuse('UNKNOWN_MARKET', 'marketSymbol', `no market ${input.marketSymbol}`);
  const mark = book.marks.get(market.id)?.price;
  if (mark === undefined) refuse('CONFLICT', 'marketSymbol', `${market.id} has no price yet`);
  const size = dec(input.size);
  if (!size.gt(0) || !size.mod(market.sizeStep).isZero()) {
    refuse(
      'BAD_INPUT',
      'size',
      `must be a positive multiple of ${market.sizeStep.toFixed()}, the size step of ${market.id}`,
    );
  }
  const price = input.price == null ? mark : dec(input.price);
  if (!price.gt(0)) refuse('BAD_INPUT', 'price', 'must be above zero');
  return { market, mark, price, size };
}

function refuse(code: 'BAD_INPUT' | 'CONFLICT' | 'UNKNOWN_MARKET', field: string, message: string): never {
  throw new BackstopError(code, `${field}: ${message}`, { field });
}

/** A leg at the price has been ranked and valued. */
function known<T>(figure: T | null): T {
  if (figure === null) throw new Error('a leg at the price without its figures');
  return figure;
}
