import { ZERO, ceilFraction, floorFraction } from './decimal.js';
import type { Decimal } from './decimal.js';
import type { Contract } from './contract.js';
import { weights } from './margin.js';
import type { AccountValuation } from './margin.js';
import { priceOfValue } from './position.js';

/**
 * Of every position: value − share, where the shares of equity are cut by one cumulative rounding down, in market id order.
 * They add up to equity, so closing every position for its bankruptcy value leaves exactly 0.
 */
export function bankruptcyValues(v: AccountValuation): Map<string, Decimal> {
  const values = new Map<string, Decimal>();
  const weightOf = weights(v);
  let weight: Decimal = ZERO;
  let given: Decimal = ZERO;
  v.positions.forEach((position, index) => {
    const { n, d } = weightOf(index);
    weight = weight.plus(n);
    const upToHere = floorFraction(v.equity.times(weight), d);
    values.set(position.marketId, position.value.minus(upToHere.minus(given)));
    given = upToHere;
  });
  return values;
}

/** The price at which the position is worth its bankruptcy value, truncated; null when not above 0. For display only. */
export function bankruptcyPrice(contract: Contract, size: Decimal, bankruptcyValue: Decimal): Decimal | null {
  return priceOfValue(contract, size, bankruptcyValue);
}

/** The part of a whole position's value that `closed` contracts of it stand for, up. */
export function partOf(worth: Decimal, closed: Decimal, size: Decimal): Decimal {
  return ceilFraction(worth.times(closed), size.abs());
}
