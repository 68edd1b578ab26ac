import type { Decimal } from './decimal.js';
import { fill, type Fill, type Holding } from './position.js';

/** One change of a position as it was booked. */
export interface PastFill {
  /** The exchange's id of the trade. Null: no trade of the exchange. */
  readonly tradeId: string | null;
  /** Signed. */
  readonly size: Decimal;
  /** Value of that size, signed as it: the change of cost − realized PnL. */
  readonly filled: Decimal;
}

/** A position before something, and all that came since. */
export interface PositionPast {
  readonly before: Holding;
  readonly fills: PastFill[];
  /** Trades that are taken back, and those that take them back. */
  readonly corrected: Set<string>;
}

/**
 * Books a correction: afterwards the position is what it would be if neither of the two trades had ever been, everything
 * else booked in its order. Whatever the order, balance − cost changes by −filled, so what a part realized too much or too
 * little is the difference; nothing is rounded that was not before.
 */
export function takeBack(
  holding: Holding,
  { size, filled }: Omit<PastFill, 'tradeId'>,
  past: PositionPast,
): Omit<Fill, 'closedSize'> {
  const left = past.fills
    .filter(({ tradeId }) => tradeId === null || !past.corrected.has(tradeId))
    .reduce((before, one) => fill(before, one.size, one.filled).holding, past.before);
  if (!left.size.eq(holding.size.plus(size))) throw new Error('a position is not what its past adds up to');
  return { holding: left, realizedPnl: left.cost.minus(holding.cost).minus(filled) };
}
