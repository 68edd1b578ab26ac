import { floorToStep, min, sum, ZERO, type Decimal } from './decimal.js';
import type { Policy } from './margin.js';

export interface Candidate {
  readonly accountId: string;
  /** Contracts, unsigned. */
  readonly size: Decimal;
  /** The most that may be closed of it. */
  readonly cap: Decimal;
  /** PRO_RATA: positive unrealized PnL; 0 takes part by rank only. */
  readonly weight: Decimal;
}

export interface Share {
  readonly accountId: string;
  readonly size: Decimal;
}

/**
 * Splits a quantity over candidates in rank order: 0 ≤ leg ≤ cap, in whole steps or the whole position,
 * Σ legs = min(quantity, Σ caps). Candidates without a leg are left out.
 */
export function allocate(name: Policy['allocation'], quantity: Decimal, candidates: readonly Candidate[], step: Decimal): Share[] {
  const caps = candidates.map((c) => (c.cap.eq(c.size) ? c.cap : floorToStep(c.cap, step)));
  const legs = name === 'QUEUE' ? candidates.map(() => ZERO) : proRata(quantity, candidates, caps, step);
  byRank(quantity.minus(sum(legs)), caps, legs);
  return candidates.map((c, i) => ({ accountId: c.accountId, size: at(legs, i) })).filter((leg) => leg.size.gt(0));
}

/** What is left goes in rank order, each up to its cap. */
function byRank(quantity: Decimal, caps: readonly Decimal[], legs: Decimal[]): void {
  let left = quantity;
  for (const [i, cap] of caps.entries()) {
    if (left.isZero()) return;
    const extra = min(left, cap.minus(at(legs, i)));
    legs[i] = at(legs, i).plus(extra);
    left = left.minus(extra);
  }
}

/**
 * Water-filling in exact fractions: everyone gets the same amount per unit of weight, those whose cap is reached get
 * their cap. Shares are floored to steps, and the steps left over go by the largest remainder, ties by rank.
 */
function proRata(quantity: Decimal, candidates: readonly Candidate[], caps: readonly Decimal[], step: Decimal): Decimal[] {
  const legs = candidates.map(() => ZERO);
  const weightOf = (i: number): Decimal => candidates[i]?.weight ?? ZERO;
  let open = [...caps.keys()].filter((i) => weightOf(i).gt(0) && at(caps, i).gt(0));
  let left = quantity;
  let weight = sum(open.map(weightOf));
  // cap ÷ weight ascending: who is full first
  open.sort((a, b) => at(caps, a).times(weightOf(b)).comparedTo(at(caps, b).times(weightOf(a))) || a - b);
  while (open.length > 0) {
    const [first = 0, ...others] = open;
    if (at(caps, first).times(weight).gt(left.times(weightOf(first)))) break;
    legs[first] = at(caps, first);
    left = left.minus(at(caps, first));
    weight = weight.minus(weightOf(first));
    open = others;
  }
  if (open.length === 0) return legs;
  const remainders = new Map<number, Decimal>();
  let given = ZERO;
  for (const i of open) {
    const exact = left.times(weightOf(i));
    const steps = exact.dividedToIntegerBy(weight.times(step));
    remainders.set(i, exact.minus(steps.times(weight).times(step)));
    legs[i] = steps.times(step);
    given = given.plus(at(legs, i));
  }
  handOut(left.minus(given), step, remainders, legs);
  return legs;
}

function handOut(left: Decimal, step: Decimal, remainders: ReadonlyMap<number, Decimal>, legs: Decimal[]): void {
  const order = [...remainders].sort(([i, a], [j, b]) => b.comparedTo(a) || i - j);
  let steps = left.dividedToIntegerBy(step).toNumber(); // fewer than there are candidates
  for (const [i] of order) {
    if (steps-- <= 0) return;
    legs[i] = at(legs, i).plus(step);
  }
}

function at(xs: readonly Decimal[], i: number): Decimal {
  return xs[i] ?? ZERO;
}
