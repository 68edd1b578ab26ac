import { priceOf, type Contract } from './contract.js';
import { ceilFraction, floorFraction, ZERO, type Decimal } from './decimal.js';
import { weights, type AccountValuation } from './margin.js';

/**
 * Bankruptcy value of each position: its value at mark − its share of the equity. Shares are rounded down by one
 * cumulative rounding in market-id order, so closing every position for its bankruptcy value leaves equity 0 exactly
 * (dYdX, Extended and Lighter agree on the formula).
 */
export function bankruptcyValues(v: AccountValuation): Map<string, Decimal> {
  const weightOf = weights(v);
  const values = new Map<string, Decimal>();
  let numerator = ZERO;
  let given = ZERO;
  for (const [k, position] of v.positions.entries()) {
    const { n, d } = weightOf(k);
    numerator = numerator.plus(n);
    const upTo = numerator.eq(d) ? v.equity : floorFraction(v.equity.times(numerator), d);
    values.set(position.marketId, position.value.minus(upTo.minus(given)));
    given = upTo;
  }
  return values;
}

/** For display; null when not positive. Money is booked from the value. */
export function bankruptcyPrice(c: Contract, size: Decimal, bankruptcyValue: Decimal): Decimal | null {
  return priceOf(c, size, bankruptcyValue);
}

/** ⌈v · closed ÷ |size|⌉: the part of a position's bankruptcy value that belongs to `closed` contracts of it. */
export function partOf(v: Decimal, closed: Decimal, size: Decimal): Decimal {
  return ceilFraction(v.times(closed), size.abs());
}
