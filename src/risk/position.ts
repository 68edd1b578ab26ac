import { ZERO, min, signOf, truncatedFraction } from './decimal.js';
import type { Decimal } from './decimal.js';
import type { Contract } from './contract.js';

export interface Holding {
  /** Contracts; long above 0. */
  readonly size: Decimal;
  /** Σ value(trade size, trade price) of what is held, signed. */
  readonly cost: Decimal;
}

export interface Fill {
  readonly holding: Holding;
  /** To book to cash, in the settlement asset. */
  readonly realizedPnl: Decimal;
  /** Contracts of the position that the fill closed; never negative. */
  readonly closedSize: Decimal;
}

export const FLAT: Holding = { size: ZERO, cost: ZERO };

/** Changes a holding by a signed size, `filled` = value(size, price). A flip closes first and opens the rest. */
export function fill(holding: Holding, size: Decimal, filled: Decimal): Fill {
  const held = signOf(holding.size);
  if (held === 0 || held * signOf(size) >= 0) {
    const grown = { size: holding.size.plus(size), cost: holding.cost.plus(filled) };
    return { holding: grown, realizedPnl: ZERO, closedSize: ZERO };
  }
  const change = size.abs();
  const closedSize = min(change, holding.size.abs());
  const opens = change.gt(closedSize);
  const closing = opens ? truncatedFraction(filled.times(closedSize), change) : filled;
  const closed = closePart(holding, closedSize, closing.neg());
  if (!opens) return { ...closed, closedSize };
  const opened = { size: holding.size.plus(size), cost: filled.minus(closing) };
  return { holding: opened, realizedPnl: closed.realizedPnl, closedSize };
}

/**
 * Closes `closedSize` contracts for `closeValue`, signed as the position: books closeValue − the cost of the part.
 * That cost is cost · closed ÷ size, truncated; the last part takes all that is left, so nothing is lost.
 */
export function closePart(holding: Holding, closedSize: Decimal, closeValue: Decimal): Omit<Fill, 'closedSize'> {
  const size = holding.size.abs();
  if (closedSize.gt(size)) throw new Error('a close never exceeds the position');
  const all = closedSize.eq(size);
  const costPart = all ? holding.cost : truncatedFraction(holding.cost.times(closedSize), size);
  const left = size.minus(closedSize);
  return {
    holding: all ? FLAT : { size: holding.size.isNegative() ? left.neg() : left, cost: holding.cost.minus(costPart) },
    realizedPnl: closeValue.minus(costPart),
  };
}

/** The price at which the holding would be worth its cost, truncated; null when there is none above 0. For display. */
export function entryPrice(contract: Contract, holding: Holding): Decimal | null {
  return priceOfValue(contract, holding.size, holding.cost);
}

/** The price at which a signed size is worth `worth`, truncated; null when there is none above 0. For display only. */
export function priceOfValue(contract: Contract, size: Decimal, worth: Decimal): Decimal | null {
  const units = size.times(contract.contractSize);
  if (units.isZero() || worth.isZero()) return null;
  const price = contract.payoff === 'LINEAR' ? truncatedFraction(worth, units) : truncatedFraction(units.neg(), worth);
  return signOf(price) > 0 ? price : null;
}
