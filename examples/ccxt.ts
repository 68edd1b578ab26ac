import type { PanelPosition } from './panel.js';

/**
 * The unified structure of an ADL rank in ccxt, which `fetchPositionsADLRank` answers in a list: the interface `ADL` of
 * ts/src/base/types.ts in https://github.com/ccxt/ccxt (since https://github.com/ccxt/ccxt/pull/27590). Where ccxt leaves
 * out what a venue does not tell, it is null here.
 */
export interface AdlRank {
  /** What it was made from. */
  readonly info: PanelPosition;
  /** ccxt's name of the market, such as `BTC/USDT:USDT`. */
  readonly symbol: string;
  /** The venue's light: higher = sooner. Backstop's level, 5 = first; its rank, in which 1 = next, stays in `info`. */
  readonly rank: number | null;
  /** A venue's word for the risk of the market. Backstop has none. */
  readonly rating: string | null;
  /** Higher = sooner, a fraction: the part of the queue's size that stands behind the position, 1 − percentile. */
  readonly percentage: number | null;
  /** Milliseconds since 1970, and the same as text. */
  readonly timestamp: number | null;
  readonly datetime: string | null;
}

/** `unifiedSymbol` translates the exchange's symbols, of which Backstop knows no base and no quote. */
export function adlRank(position: PanelPosition, unifiedSymbol: (symbol: string) => string): AdlRank {
  const { level, percentile, freshness } = position.adl;
  const at = new Date(freshness.computedAt);
  return {
    info: position,
    symbol: unifiedSymbol(position.market.symbol),
    rank: level,
    rating: null,
    percentage: percentile === null ? null : 1 - Number(percentile),
    timestamp: at.getTime(),
    datetime: at.toISOString(),
  };
}
