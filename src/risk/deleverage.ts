import { ONE, ZERO, ceilToGrid, floorToGrid, max, min, signOf } from './decimal.js';
import type { Decimal } from './decimal.js';
import { partOf } from './bankruptcy.js';
import { value } from './contract.js';
import type { Market, PriceBasis } from './margin.js';

export interface LegPriceInput {
  readonly market: Market;
  /** Of the bankrupt, signed. */
  readonly size: Decimal;
  readonly mark: Decimal;
  /** Of the whole position. */
  readonly bankruptcyValue: Decimal;
  /** What the fund may pay for this position, at least 0. */
  readonly fundMayPay: Decimal;
  readonly basis: PriceBasis;
}

export interface LegPrice {
  /** max(0, bankruptcyValue − value at mark): what closing at mark would lack. */
  readonly deficit: Decimal;
  /** min(deficit, fundMayPay). */
  readonly fundPays: Decimal;
  /** What the legs are booked at, for the whole position, signed from the bankrupt's side. */
  readonly value: Decimal;
  /** Whether mark · (1 ± maxDeviation) cut it. */
  readonly clamped: boolean;
}

/** What the legs of one bankrupt position are closed at. MARK: at mark, and what the fund does not pay becomes bad debt. */
export function legPrice(input: LegPriceInput): LegPrice {
  const { market, size, mark, bankruptcyValue } = input;
  const atMark = value(market, size, mark);
  const deficit = max(ZERO, bankruptcyValue.minus(atMark));
  const fundPays = min(deficit, input.fundMayPay);
  if (input.basis === 'MARK') return { deficit, fundPays, value: atMark, clamped: false };
  const wanted = bankruptcyValue.minus(fundPays);
  const clamped = clampToDeviation(market, size, mark, wanted);
  return { deficit, fundPays, value: clamped, clamped: !clamped.eq(wanted) };
}

/**
 * Within the worth at mark · (1 − maxDeviation) and at mark · (1 + maxDeviation), each rounded toward mark where it is off
 * the money grid. A higher price is worth more to a long and less to a short, whatever the payoff.
 */
function clampToDeviation(market: Market, size: Decimal, mark: Decimal, wanted: Decimal): Decimal {
  const away = signOf(size) < 0 ? market.params.maxDeviation.neg() : market.params.maxDeviation;
  const most = floorToGrid(value(market, size, mark.times(ONE.plus(away))));
  const least = ceilToGrid(value(market, size, mark.times(ONE.minus(away))));
  return max(least, min(most, wanted));
}

/**
 * What a leg is booked at, signed from the bankrupt's side, when legs of one position have closed `closedBefore` contracts:
 * ⌈worth · cum ÷ |size|⌉ less the same before it. Legs add up exactly, however the position is cut.
 */
export function legValue(worth: Decimal, size: Decimal, closedBefore: Decimal, leg: Decimal): Decimal {
  return partOf(worth, closedBefore.plus(leg), size).minus(partOf(worth, closedBefore, size));
}
