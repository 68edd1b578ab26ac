import { ZERO, min, signOf, sum } from './decimal.js';
import type { Decimal } from './decimal.js';
import { floorToLots, lotsIn } from './lots.js';
import type { AllocationName } from './margin.js';

export interface Candidate {
  readonly accountId: string;
  /** Contracts it may give up. */
  readonly cap: Decimal;
  /** PRO_RATA: its unrealized profit, 0 in loss or without equity. */
  readonly weight: Decimal;
  /** Contracts it holds. */
  readonly size: Decimal;
}

export interface Leg {
  readonly accountId: string;
  readonly size: Decimal;
}

interface Share {
  readonly candidate: Candidate;
  /** The cap in whole lots, or the whole position. */
  readonly cap: Decimal;
  leg: Decimal;
}

/**
 * Divides `quantity` contracts among candidates in rank order: legs of whole lots (or whole positions) within the caps that
 * add up to min(quantity, Σ caps). Legs of 0 are left out.
 */
export function allocate(
  name: AllocationName,
  quantity: Decimal,
  candidates: readonly Candidate[],
  step: Decimal,
): Leg[] {
  const shares: Share[] = candidates.map((candidate) => ({
    candidate,
    cap: candidate.cap.eq(candidate.size) ? candidate.cap : floorToLots(candidate.cap, step),
    leg: ZERO,
  }));
  let left = quantity;
  if (name === 'PRO_RATA') {
    const weighted = shares.filter(({ candidate }) => signOf(candidate.weight) > 0);
    left = left.minus(fillByWeight(weighted, left, step));
    left = left.minus(fillByRank(weighted, left));
  }
  fillByRank(shares, left);
  return shares
    .filter(({ leg }) => !leg.isZero())
    .map(({ candidate, leg }) => ({ accountId: candidate.accountId, size: leg }));
}

/** Gives each in turn as much as its cap still allows. Returns what was given. */
function fillByRank(shares: readonly Share[], quantity: Decimal): Decimal {
  let left = quantity;
  for (const share of shares) {
    if (left.isZero()) break;
    const given = min(share.cap.minus(share.leg), left);
    share.leg = share.leg.plus(given);
    left = left.minus(given);
  }
  return quantity.minus(left);
}

/**
 * Water-filling: min(cap, level · weight) with the one level that gives `quantity`, in exact fractions; down to whole lots;
 * what that leaves goes lot by lot to the largest remainders, ties by rank. Returns what was given.
 */
function fillByWeight(shares: readonly Share[], quantity: Decimal, step: Decimal): Decimal {
  if (sum(shares.map(({ cap }) => cap)).lte(quantity)) return fillByRank(shares, quantity);
  // The level is n ÷ d: what the full ones leave, over the weight of the others. Whoever fills first has the least cap ÷ weight.
  const byFill = [...shares].sort((a, b) => a.cap.times(b.candidate.weight).cmp(b.cap.times(a.candidate.weight)));
  let n = quantity;
  let d = sum(shares.map(({ candidate }) => candidate.weight));
  let full = 0;
  for (const { cap, candidate } of byFill) {
    if (cap.times(d).gt(n.times(candidate.weight))) break;
    n = n.minus(cap);
    d = d.minus(candidate.weight);
    full += 1;
  }
  for (const share of byFill.slice(0, full)) share.leg = share.cap;
  const open = byFill.slice(full);
  const remainders = new Map<Share, Decimal>();
  const lot = d.times(step);
  for (const share of open) {
    const exact = n.times(share.candidate.weight);
    const lots = lotsIn(exact, lot);
    share.leg = lots.times(step);
    remainders.set(share, exact.minus(lots.times(lot)));
  }
  const given = sum(shares.map(({ leg }) => leg));
  return given.plus(fillByRemainder(shares, remainders, quantity.minus(given), step));
}

function fillByRemainder(
  shares: readonly Share[],
  remainders: ReadonlyMap<Share, Decimal>,
  quantity: Decimal,
  step: Decimal,
): Decimal {
  let left = quantity;
  // From rank order, by a stable sort: equal remainders stay in rank order.
  const open = shares.filter((share) => remainders.has(share));
  open.sort((a, b) => (remainders.get(b) ?? ZERO).cmp(remainders.get(a) ?? ZERO));
  for (const share of open) {
    if (left.isZero()) break;
    const given = min(min(step, share.cap.minus(share.leg)), left);
    share.leg = share.leg.plus(given);
    left = left.minus(given);
  }
  return quantity.minus(left);
}
