import { priceOf, type Contract } from './contract.js';
import { min, truncatedFraction, ZERO, type Decimal } from './decimal.js';

/** Signed size in contracts and signed cost in the settlement asset. */
export interface Holding {
  readonly size: Decimal;
  readonly cost: Decimal;
}

export interface Filled {
  readonly holding: Holding;
  /** To be booked to the balance. */
  readonly realizedPnl: Decimal;
  readonly closedSize: Decimal;
}

/**
 * Changes a holding by a signed size that is worth `v` (value of that size, same sign convention). Opening adds v to
 * the cost. Closing q for v books v − cost part to cash; the cost part is cost · q ÷ size truncated, the last close
 * takes all (domain.md §2). A change beyond zero closes all and opens the rest, v split truncated.
 */
export function fill({ size, cost }: Holding, change: Decimal, v: Decimal): Filled {
  const sizeAfter = size.plus(change);
  if (size.isZero() || change.isZero() || size.isNegative() === change.isNegative()) {
    return { holding: { size: sizeAfter, cost: cost.plus(v) }, realizedPnl: ZERO, closedSize: ZERO };
  }
  const closedSize = min(change.abs(), size.abs());
  const closesAll = closedSize.eq(size.abs());
  const closingValue = closedSize.eq(change.abs()) ? v : truncatedFraction(v.times(closedSize), change.abs());
  const costPart = closesAll ? cost : truncatedFraction(cost.times(closedSize), size.abs());
  const realizedPnl = closingValue.neg().minus(costPart);
  const costAfter = closesAll ? v.minus(closingValue) : cost.minus(costPart);
  return { holding: { size: sizeAfter, cost: costAfter }, realizedPnl, closedSize };
}

/** For display; null without a position or when the cost gives no positive price. */
export function entryPrice(c: Contract, { size, cost }: Holding): Decimal | null {
  return size.isZero() ? null : priceOf(c, size, cost);
}
