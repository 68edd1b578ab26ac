import { bankruptcyValues, partOf } from './bankruptcy.js';
import { initialOf } from './brackets.js';
import { signOf, value } from './contract.js';
import { min, ZERO, type Decimal } from './decimal.js';
import { largest } from './liquidation.js';
import type { AccountValuation, Market, PositionValuation } from './margin.js';

export type CapRefusal = 'NON_OVERLAPPING_BANKRUPTCY' | 'WOULD_BREACH_MARGIN';

export interface CapInput {
  readonly market: Market;
  /** The candidate's, as it stands now. */
  readonly valuation: AccountValuation;
  /** Value of one contract at the leg price, as the fraction n ÷ d (d > 0), signed from the bankrupt's side. */
  readonly legUnit: { readonly n: Decimal; readonly d: Decimal };
  /** Contracts of the bankrupt that are left. */
  readonly remaining: Decimal;
}

/**
 * How much of a candidate's position a leg may take (domain.md §4 "Cap"). All of it when its own bankruptcy price is
 * at or beyond the leg price: then its equity stays ≥ 0 and equity ÷ maintenance gets no worse, whatever the part.
 * Else, if it holds its initial margin, the largest part after which it still does. Else nothing. The refusal says
 * why it is less than the leg wanted.
 */
export function legCap({ market, valuation, legUnit, remaining }: CapInput): { cap: Decimal; refusal: CapRefusal | null } {
  const position = valuation.positions.find((p) => p.marketId === market.id);
  if (position === undefined) throw new RangeError(`${valuation.accountId} has no position in ${market.id}`);
  const whole = position.size.abs();
  const bankruptcyValue = bankruptcyValues(valuation).get(market.id) ?? ZERO;
  if (legUnit.n.neg().times(whole).gte(bankruptcyValue.times(legUnit.d))) return { cap: whole, refusal: null };

  const wanted = min(whole, remaining);
  const equityAfter = (closed: Decimal): Decimal => valuation.equity.minus(concessionOf(market, position, legUnit, closed));
  const refusal: CapRefusal = equityAfter(wanted).lt(0) ? 'NON_OVERLAPPING_BANKRUPTCY' : 'WOULD_BREACH_MARGIN';
  if (valuation.equity.lt(valuation.initial)) return { cap: ZERO, refusal };
  const keepsInitial = (closed: Decimal): boolean => {
    const left = value(market, position.size.minus(signOf(position.size).times(closed)), position.mark).abs();
    const initial = valuation.initial.minus(position.initial).plus(initialOf(market.schedule, left));
    return equityAfter(closed).gte(initial);
  };
  if (keepsInitial(wanted)) return { cap: wanted, refusal: null };
  return { cap: largest(wanted, market.sizeStep, keepsInitial), refusal };
}

/** What closing so much at the price gives up against mark, its rounding counted against the candidate. */
function concessionOf(market: Market, position: PositionValuation, unit: CapInput['legUnit'], closed: Decimal): Decimal {
  const atMark = value(market, signOf(position.size).times(closed), position.mark);
  return atMark.plus(partOf(unit.n, closed, unit.d));
}

/** A leg as booked: nobody ends below 0, and nobody is worse off against maintenance unless it keeps its initial margin. */
export function legIsLawful(before: AccountValuation, after: AccountValuation): boolean {
  if (after.equity.lt(0)) return false;
  if (after.equity.gte(after.initial)) return true;
  return after.equity.times(before.maintenance).gte(before.equity.times(after.maintenance));
}
