import { ONE, max, min, signOf } from './decimal.js';
import type { Decimal } from './decimal.js';

/** Tries by interpolation, which meets a straight line at once, before the search halves the range instead. */
const INTERPOLATIONS = 6;

/** Whole lots in a size, rounded down. */
export function lotsIn(size: Decimal, step: Decimal): Decimal {
  return size.dividedToIntegerBy(step);
}

export function floorToLots(size: Decimal, step: Decimal): Decimal {
  return size.mod(step).isZero() ? size : lotsIn(size, step).times(step);
}

/**
 * The last number of lots from `from` on where the excess has still the sign (not negative, or negative) that it has at
 * `from`, when it has the other one at `to`. The excess is close to a straight line between the two.
 */
export function lastBeforeChange(from: Decimal, to: Decimal, excess: (lots: Decimal) => Decimal): Decimal {
  let low = from;
  let high = to;
  let lowExcess = excess(low);
  let highExcess = excess(high);
  const negative = signOf(lowExcess) < 0;
  if (signOf(highExcess) < 0 === negative) throw new Error('the excess does not change its sign');
  for (let tries = 0; high.minus(low).gt(ONE); tries += 1) {
    const range = high.minus(low);
    const guess =
      tries < INTERPOLATIONS
        ? low.plus(lowExcess.times(range).dividedToIntegerBy(lowExcess.minus(highExcess)))
        : low.plus(range.dividedToIntegerBy(2));
    const middle = max(low.plus(ONE), min(high.minus(ONE), guess));
    const middleExcess = excess(middle);
    if (signOf(middleExcess) < 0 === negative) {
      low = middle;
      lowExcess = middleExcess;
    } else {
      high = middle;
      highExcess = middleExcess;
    }
  }
  return low;
}

/** The first whole number behind `from` where it holds: it does not at `from`, does at `to`, and where it once does it stays so. */
export function firstWhere(from: Decimal, to: Decimal, holds: (steps: Decimal) => boolean): Decimal {
  let [low, high] = [from, to];
  while (high.minus(low).gt(ONE)) {
    const middle = low.plus(high.minus(low).dividedToIntegerBy(2));
    if (holds(middle)) high = middle;
    else low = middle;
  }
  return high;
}
