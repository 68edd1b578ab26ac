import { Decimal as BaseDecimal } from 'decimal.js';

const PRECISION = 400;
const NEVER_EXPONENT = 9e15;

/**
 * The one Decimal of the product. Products of amounts have at most a few hundred digits, so at this precision every
 * sum and product is exact, and division is never used but through the fractions below.
 */
export const Decimal = BaseDecimal.clone({
  precision: PRECISION,
  rounding: BaseDecimal.ROUND_DOWN,
  toExpNeg: -NEVER_EXPONENT,
  toExpPos: NEVER_EXPONENT,
  defaults: true,
});
export type Decimal = BaseDecimal;

export const GRID_PLACES = 18;
export const ZERO = new Decimal(0);
export const ONE = new Decimal(1);
/** The money grid: 10^−18. */
export const GRID = new Decimal('0.000000000000000001');
const GRID_INVERSE = new Decimal('1000000000000000000');
/** Ratios that are stored, shown or ranked by stay within ± this. */
export const RATIO_LIMIT = GRID_INVERSE;

const PLAIN = /^[+-]?\d+(\.\d+)?$/;

/** From plain decimal text; exponents, NaN and Infinity are refused. */
export function dec(text: string): Decimal {
  if (!PLAIN.test(text)) throw new RangeError(`not a plain decimal: ${text}`);
  return new Decimal(text);
}

/** The one rounding primitive: n ÷ d toward zero to 18 places, by one exact integer division. d must not be 0. */
export function truncatedFraction(n: Decimal, d: Decimal): Decimal {
  if (d.isZero()) throw new RangeError('a fraction with denominator 0');
  return n.times(GRID_INVERSE).dividedToIntegerBy(d).times(GRID);
}

/** n ÷ d toward −∞ to the money grid. */
export function floorFraction(n: Decimal, d: Decimal): Decimal {
  const toZero = truncatedFraction(n, d);
  const isNegative = !n.isZero() && n.isNegative() !== d.isNegative();
  return isNegative && !toZero.times(d).eq(n) ? toZero.minus(GRID) : toZero;
}

/** n ÷ d toward +∞ to the money grid. */
export function ceilFraction(n: Decimal, d: Decimal): Decimal {
  return floorFraction(n.neg(), d).neg();
}

export function truncateToGrid(x: Decimal): Decimal {
  return toGrid(x, BaseDecimal.ROUND_DOWN);
}

export function floorToGrid(x: Decimal): Decimal {
  return toGrid(x, BaseDecimal.ROUND_FLOOR);
}

export function ceilToGrid(x: Decimal): Decimal {
  return toGrid(x, BaseDecimal.ROUND_CEIL);
}

/** x as a whole number of `step`s, toward zero. */
export function floorToStep(x: Decimal, step: Decimal): Decimal {
  return x.dividedToIntegerBy(step).times(step);
}

/** A ratio to store, show or rank by: one truncated fraction clamped to ±10^18; over 0 it takes the limit of its sign. */
export function clampedRatio(n: Decimal, d: Decimal): Decimal {
  if (n.isZero()) return ZERO;
  if (d.isZero()) return n.isNegative() ? RATIO_LIMIT.neg() : RATIO_LIMIT;
  return max(RATIO_LIMIT.neg(), min(RATIO_LIMIT, truncatedFraction(n, d)));
}

export function sum(xs: Iterable<Decimal>): Decimal {
  let total = ZERO;
  for (const x of xs) total = total.plus(x);
  return total;
}

export function min(a: Decimal, b: Decimal): Decimal {
  return a.lt(b) ? a : b;
}

export function max(a: Decimal, b: Decimal): Decimal {
  return a.gt(b) ? a : b;
}

function toGrid(x: Decimal, rounding: BaseDecimal.Rounding): Decimal {
  return x.decimalPlaces() <= GRID_PLACES ? x : x.toDecimalPlaces(GRID_PLACES, rounding);
}
