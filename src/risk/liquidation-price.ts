import { truncatedFraction, type Decimal } from './decimal.js';
import type { AccountValuation, Market } from './margin.js';

/**
 * The mark at which equity = maintenance, all else fixed, brackets solved consistently; truncated, null when there is
 * none. With N the notional and s the sign of the position's value, s·N + c = N·rate_b − deduction_b inside bracket b;
 * since every rate is below 1 the equation has at most one root, and the requirement is continuous, so exactly the
 * bracket that holds the root gives it.
 */
export function liquidationPrice(v: AccountValuation, market: Market): Decimal | null {
  const position = v.positions.find((p) => p.marketId === market.id);
  if (position === undefined || position.value.isZero()) return null;
  const sign = position.value.isNegative() ? -1 : 1;
  const constant = v.equity.minus(position.value).minus(v.maintenance.minus(position.maintenance));
  const contracts = position.size.abs().times(market.contractSize);
  const { steps } = market.schedule;
  for (const [b, step] of steps.entries()) {
    const n = constant.plus(step.maintenanceDeduction);
    const d = step.maintenanceRate.minus(sign);
    // notional = n ÷ d; kept as a fraction until the one rounding of the price
    const [num, den] = d.isNegative() ? [n.neg(), d.neg()] : [n, d];
    if (!num.gt(0)) continue;
    const next = steps[b + 1];
    const isInside = num.gte(step.floor.times(den)) && (next === undefined || num.lte(next.floor.times(den)));
    if (!isInside) continue;
    const price =
      market.payoff === 'LINEAR' ? truncatedFraction(num, den.times(contracts)) : truncatedFraction(contracts.times(den), num);
    return price.gt(0) ? price : null;
  }
  return null;
}
