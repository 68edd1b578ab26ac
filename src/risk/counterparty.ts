import { ONE, ZERO, ceilFraction, min, signOf } from './decimal.js';
import type { Decimal } from './decimal.js';
import { signedLike, value } from './contract.js';
import { initialOf } from './brackets.js';
import { floorToLots, lastBeforeChange, lotsIn } from './lots.js';
import { indexOfPosition, positionAt, weights } from './margin.js';
import type { AccountValuation, Fraction, Market } from './margin.js';

export type LegRefusal = 'NON_OVERLAPPING_BANKRUPTCY' | 'WOULD_BREACH_MARGIN';

export interface LegCapInput {
  readonly market: Market;
  /** Of the candidate, as it stands now. */
  readonly valuation: AccountValuation;
  /** What legs are booked at per contract, an exact fraction, signed from the bankrupt's side: whole value ÷ |size|. */
  readonly legUnit: Fraction;
  /** Contracts of the bankrupt that are still to be closed. */
  readonly remaining: Decimal;
}

export interface LegCap {
  /** The most contracts that it may lawfully give up, at most `remaining`, in whole lots or the whole position. */
  readonly cap: Decimal;
  /** Why it is not all that was wanted; null when it is. */
  readonly refusal: LegRefusal | null;
}

/**
 * The whole position if the candidate's own bankruptcy price is at or beyond the leg price: every part then leaves equity
 * ≥ 0 and equity ÷ maintenance no worse. Else, if its equity covers the initial margin, the largest part after which it
 * still does. Else nothing.
 */
export function legCap(input: LegCapInput): LegCap {
  const { market, valuation: v, legUnit, remaining } = input;
  const index = indexOfPosition(v, market.id);
  const position = positionAt(v, index);
  const size = position.size.abs();
  const wanted = size.lte(remaining) ? size : floorToLots(remaining, market.sizeStep);
  const atMark = (part: Decimal): Decimal => value(market, signedLike(position.size, part), position.mark);
  // A leg is booked at ⌈unit · part⌉ or one grid step below it, so it never concedes more than this.
  const conceded = (part: Decimal): Decimal => atMark(part).plus(ceilFraction(legUnit.n.times(part), legUnit.d));
  const { n, d } = weights(v)(index);
  if (signOf(v.equity) >= 0 && conceded(size).times(d).lte(v.equity.times(n))) return { cap: wanted, refusal: null };

  const initialRest = v.initial.minus(position.initial);
  const excess = (lots: Decimal): Decimal => {
    const part = min(lots.times(market.sizeStep), wanted);
    const left = initialOf(market.schedule, position.value.minus(atMark(part)).abs());
    return v.equity.minus(conceded(part)).minus(initialRest.plus(left));
  };
  const covered = signOf(v.equity.minus(v.initial)) >= 0;
  const lots = lotsIn(wanted, market.sizeStep);
  const all = wanted.mod(market.sizeStep).isZero() ? lots : lots.plus(ONE);
  if (covered && signOf(excess(all)) >= 0) return { cap: wanted, refusal: null };
  const breaks = signOf(v.equity.minus(conceded(wanted))) < 0;
  return {
    cap: covered ? lastBeforeChange(ZERO, all, excess).times(market.sizeStep) : ZERO,
    refusal: breaks ? 'NON_OVERLAPPING_BANKRUPTCY' : 'WOULD_BREACH_MARGIN',
  };
}

/**
 * Whether a leg as booked may stand: no equity below 0, and equity ÷ maintenance no worse or the initial margin covered
 * before and after. At mark equity does not change and maintenance only falls, so it always may.
 */
export function legIsLawful(before: AccountValuation, after: AccountValuation): boolean {
  if (after.equity.gte(before.equity) && after.maintenance.lte(before.maintenance)) return true;
  if (signOf(after.equity) < 0) return false;
  if (after.equity.times(before.maintenance).gte(before.equity.times(after.maintenance))) return true;
  return before.equity.gte(before.initial) && after.equity.gte(after.initial);
}
