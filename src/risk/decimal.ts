import { Decimal as BaseDecimal } from 'decimal.js';

/**
 * The one decimal class of Backstop. An amount has at most 38 digits and the longest product here multiplies fewer than
 * ten of them, so 400 digits keep every sum and product exact; the only inexact operation is `truncatedFraction`.
 */
export const Decimal = BaseDecimal.clone({
  precision: 400,
  rounding: BaseDecimal.ROUND_DOWN,
  toExpNeg: -9e15,
  toExpPos: 9e15,
});
export type Decimal = BaseDecimal;

/** Digits after the point of every amount: NUMERIC(38,18). */
export const GRID_PLACES = 18;
const INTEGER_PLACES = 20;

export const ZERO = new Decimal('0');
export const ONE = new Decimal('1');
/** The smallest amount of money. */
export const GRID = new Decimal('0.000000000000000001');
const GRID_STEPS_PER_UNIT = new Decimal('1000000000000000000');
/** Ratios that are stored, shown or ranked by end here: a division by almost nothing says no more than "huge". */
export const RATIO_LIMIT = GRID_STEPS_PER_UNIT;
/** The first amount that NUMERIC(38,18) cannot hold. */
export const AMOUNT_LIMIT = new Decimal('100000000000000000000');

const PLAIN_TEXT = /^-?[0-9]+(\.[0-9]+)?$/;
const AMOUNT_TEXT = new RegExp(`^-?[0-9]{1,${INTEGER_PLACES}}(\\.[0-9]{1,${GRID_PLACES}})?$`);
/** So much of a refused text is shown. */
const LONGEST_TEXT = 64;

/** Reads plain decimal text: no exponent, no sign but a minus, no blank. Anything else is a bug of the caller. */
export function dec(text: string): Decimal {
  if (!PLAIN_TEXT.test(text)) throw new Error(`not plain decimal text: ${JSON.stringify(text.slice(0, LONGEST_TEXT))}`);
  return new Decimal(text);
}

/** Whether text from outside is an amount that NUMERIC(38,18) holds without rounding. */
export function isAmountText(text: string): boolean {
  return AMOUNT_TEXT.test(text);
}

/** −1, 0 or 1; a negative zero is 0. */
export function signOf(x: Decimal): -1 | 0 | 1 {
  return x.isZero() ? 0 : x.isNegative() ? -1 : 1;
}

function gridStepsWithin(numerator: Decimal, denominator: Decimal): Decimal {
  return numerator.times(GRID_STEPS_PER_UNIT).dividedToIntegerBy(denominator);
}

/** The one rounding primitive: numerator ÷ denominator, toward zero to the money grid, by one exact integer division. */
export function truncatedFraction(numerator: Decimal, denominator: Decimal): Decimal {
  if (denominator.isZero()) throw new Error('division by zero');
  return gridStepsWithin(numerator, denominator).times(GRID);
}

/** numerator ÷ denominator, toward −∞ to the money grid. */
export function floorFraction(numerator: Decimal, denominator: Decimal): Decimal {
  const truncated = truncatedFraction(numerator, denominator);
  if (signOf(numerator) * signOf(denominator) >= 0) return truncated;
  return truncated.times(denominator).eq(numerator) ? truncated : truncated.minus(GRID);
}

/** numerator ÷ denominator, toward +∞ to the money grid. */
export function ceilFraction(numerator: Decimal, denominator: Decimal): Decimal {
  const truncated = truncatedFraction(numerator, denominator);
  if (signOf(numerator) * signOf(denominator) <= 0) return truncated;
  return truncated.times(denominator).eq(numerator) ? truncated : truncated.plus(GRID);
}

export function isOnGrid(x: Decimal): boolean {
  return x.decimalPlaces() <= GRID_PLACES;
}

export function floorToGrid(x: Decimal): Decimal {
  return isOnGrid(x) ? x : x.toDecimalPlaces(GRID_PLACES, Decimal.ROUND_FLOOR);
}

export function ceilToGrid(x: Decimal): Decimal {
  return isOnGrid(x) ? x : x.toDecimalPlaces(GRID_PLACES, Decimal.ROUND_CEIL);
}

/** A ratio to store, show or rank by: one truncated fraction within ±10^18. By zero: the sign times 10^18; 0 ÷ 0 = 0. */
export function clampedRatio(numerator: Decimal, denominator: Decimal): Decimal {
  if (numerator.isZero()) return ZERO;
  if (denominator.isZero()) return numerator.isNegative() ? RATIO_LIMIT.neg() : RATIO_LIMIT;
  const ratio = truncatedFraction(numerator, denominator);
  if (ratio.isZero()) return ZERO;
  if (ratio.abs().lte(RATIO_LIMIT)) return ratio;
  return ratio.isNegative() ? RATIO_LIMIT.neg() : RATIO_LIMIT;
}

export function sum(amounts: Iterable<Decimal>): Decimal {
  let total: Decimal = ZERO;
  for (const amount of amounts) total = total.plus(amount);
  return total;
}

export function min(a: Decimal, b: Decimal): Decimal {
  return b.lt(a) ? b : a;
}

export function max(a: Decimal, b: Decimal): Decimal {
  return b.gt(a) ? b : a;
}

/** The amount in steps of the money grid. Exact: an amount has no digit beyond it. */
export function gridSteps(amount: Decimal): bigint {
  return BigInt(amount.times(GRID_STEPS_PER_UNIT).toFixed());
}

/** The same of plain decimal text with at most 18 places, without a Decimal in between. */
export function gridStepsOfText(text: string): bigint {
  const point = text.indexOf('.');
  if (point < 0) return BigInt(text + '0'.repeat(GRID_PLACES));
  const places = text.length - point - 1;
  if (places > GRID_PLACES) throw new Error(`more than ${String(GRID_PLACES)} places: ${text.slice(0, LONGEST_TEXT)}`);
  return BigInt(text.slice(0, point) + text.slice(point + 1) + '0'.repeat(GRID_PLACES - places));
}

/** The amount of so many steps of the money grid. */
export function ofGridSteps(steps: bigint): Decimal {
  return new Decimal(steps.toString()).times(GRID);
}
