import { ONE, ZERO, ceilFraction, ceilToGrid, floorFraction, floorToGrid, max, min } from './decimal.js';
import type { Decimal } from './decimal.js';
import { partOf } from './bankruptcy.js';
import { signedLike, value } from './contract.js';
import type { Contract } from './contract.js';
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
  const clamped = clampToDeviation(market, size, atMark, wanted);
  return { deficit, fundPays, value: clamped, clamped: !clamped.eq(wanted) };
}

/**
 * Within the worth at mark · (1 − maxDeviation) and mark · (1 + maxDeviation), each rounded toward the mark so that no leg
 * is beyond it. A position's worth rises with its price when it is long, in both payoffs, and falls when it is short.
 */
function clampToDeviation(market: Market, size: Decimal, atMark: Decimal, wanted: Decimal): Decimal {
  const up = ONE.plus(market.params.maxDeviation);
  const down = ONE.minus(market.params.maxDeviation);
  const [low, high] = size.isNegative() ? [up, down] : [down, up];
  if (market.payoff === 'LINEAR') {
    return max(ceilToGrid(atMark.times(low)), min(floorToGrid(atMark.times(high)), wanted));
  }
  return max(ceilFraction(atMark, low), min(floorFraction(atMark, high), wanted));
}

/**
 * Values of legs that close parts of a position of `size` worth `worth`, signed from the bankrupt's side:
 * ⌈worth · cum ÷ |size|⌉ less the same of the leg before. They add up exactly, however the position is cut.
 */
export function legValues(worth: Decimal, size: Decimal, legs: readonly Decimal[]): Decimal[] {
  let closed: Decimal = ZERO;
  let booked: Decimal = ZERO;
  return legs.map((leg) => {
    closed = closed.plus(leg);
    const upToHere = partOf(worth, closed, size);
    const legValue = upToHere.minus(booked);
    booked = upToHere;
    return legValue;
  });
}

/** What the counterparty of a leg gives up against the mark, in the settlement asset; below 0: what it gains. */
export function concessionOf(
  contract: Contract,
  bankruptSize: Decimal,
  leg: Decimal,
  legValue: Decimal,
  mark: Decimal,
): Decimal {
  return legValue.minus(value(contract, signedLike(bankruptSize, leg), mark));
}
