import { ZERO, signOf, truncatedFraction } from './decimal.js';
import type { Decimal } from './decimal.js';
import type { Contract } from './contract.js';
import type { Schedule } from './brackets.js';
import { positionIn } from './margin.js';
import type { AccountValuation } from './margin.js';

/** How far the mark is from its liquidation price, as a part of the mark; truncated. Null when there is no such price. */
export function liquidationDistance(
  v: AccountValuation,
  marketId: string,
  market: Contract & { readonly schedule: Schedule },
): Decimal | null {
  const price = liquidationPrice(v, marketId, market);
  if (price === null) return null;
  const { mark } = positionIn(v, marketId);
  return truncatedFraction(price.minus(mark).abs(), mark);
}

/**
 * The mark of one market at which equity = maintenance, all else as it is; truncated; null when there is none above 0.
 *
 * As a function of the notional x, equity is E₀ ± x and maintenance M₀ + rate·x − deduction. Rates are below 1, so their
 * difference rises or falls throughout and has one root at most: the nearest is the only one.
 */
export function liquidationPrice(
  v: AccountValuation,
  marketId: string,
  market: Contract & { readonly schedule: Schedule },
): Decimal | null {
  const position = positionIn(v, marketId);
  const units = position.size.abs().times(market.contractSize);
  if (units.isZero()) return null;
  const rises = signOf(position.size) > 0 === (market.payoff === 'LINEAR');
  const equityRest = v.equity.minus(position.value);
  const maintenanceRest = v.maintenance.minus(position.maintenance);
  const { steps } = market.schedule;
  for (const [index, { floor, maintenanceRate, maintenanceDeduction }] of steps.entries()) {
    // equityRest ± x = maintenanceRest + rate · x − deduction, solved as x = n ÷ d with d > 0.
    const gap = maintenanceRest.minus(maintenanceDeduction).minus(equityRest);
    const n = rises ? gap : gap.neg();
    const d = rises ? maintenanceRate.neg().plus(1) : maintenanceRate.plus(1);
    const end = steps[index + 1]?.floor;
    if (n.lt(floor.times(d)) || (end !== undefined && n.gte(end.times(d)))) continue;
    if (n.lte(ZERO)) return null;
    const price =
      market.payoff === 'LINEAR' ? truncatedFraction(n, d.times(units)) : truncatedFraction(units.times(d), n);
    return signOf(price) > 0 ? price : null;
  }
  return null;
}
