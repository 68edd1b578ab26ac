import { partOf } from './bankruptcy.js';
import { signOf, value } from './contract.js';
import { ceilToGrid, floorToGrid, max, min, ONE, ZERO, type Decimal } from './decimal.js';
import type { Market, Policy } from './margin.js';

export interface LegPrice {
  /** D: what the close at mark would leave below the bankruptcy value. */
  readonly deficit: Decimal;
  /** F: what the fund pays of it, before the first leg. */
  readonly fundPays: Decimal;
  /** Value of the whole position at the leg price, signed as the bankrupt's position. */
  readonly value: Decimal;
  /** The price was cut to mark · (1 ± maxDeviation). */
  readonly clamped: boolean;
}

export interface LegPriceInput {
  readonly market: Market;
  /** The bankrupt's, signed. */
  readonly size: Decimal;
  readonly mark: Decimal;
  readonly bankruptcyValue: Decimal;
  readonly fundMayPay: Decimal;
  readonly basis: Policy['priceBasis'];
}

/**
 * Step 5: D = max(0, bankruptcyValue − value(mark)), F = min(D, what the fund may pay); legs at bankruptcyValue − F,
 * clamped to mark · (1 ± maxDeviation), toward mark where a limit is off the money grid. Basis MARK: legs at mark.
 */
export function legPrice({ market, size, mark, bankruptcyValue, fundMayPay, basis }: LegPriceInput): LegPrice {
  const atMark = value(market, size, mark);
  const deficit = max(ZERO, bankruptcyValue.minus(atMark));
  const fundPays = min(deficit, fundMayPay);
  if (basis === 'MARK') return { deficit, fundPays, value: atMark, clamped: false };
  const wanted = bankruptcyValue.minus(fundPays);
  const away = signOf(size).times(market.params.maxDeviation);
  // A higher price is worth more to a long and less to a short, whatever the payoff: the bankrupt's best and worst.
  const most = floorToGrid(value(market, size, mark.times(ONE.plus(away))));
  const least = ceilToGrid(value(market, size, mark.times(ONE.minus(away))));
  const clampedValue = max(least, min(most, wanted));
  return { deficit, fundPays, value: clampedValue, clamped: !clampedValue.eq(wanted) };
}

/**
 * v_j = ⌈unit · cum_j⌉ − ⌈unit · cum_{j−1}⌉ with unit = V ÷ |size|, signed from the bankrupt's side: the legs of one
 * event sum to ⌈unit · Σ⌉ exactly, and the rounding is the bankrupt's gain.
 */
export function legValue(wholeValue: Decimal, size: Decimal, cumulativeBefore: Decimal, legSize: Decimal): Decimal {
  return partOf(wholeValue, cumulativeBefore.plus(legSize), size).minus(partOf(wholeValue, cumulativeBefore, size));
}
