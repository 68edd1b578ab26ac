import { ceilFraction, max, ZERO, type Decimal } from './decimal.js';
import type { AccountValuation, VenueParams } from './margin.js';

/** maintenance ÷ warningRatio − equity, up: what brings the margin ratio down to the warning threshold. */
export function amountRequired(v: Pick<AccountValuation, 'equity' | 'maintenance'>, p: VenueParams): Decimal {
  return max(ZERO, ceilFraction(v.maintenance, p.warningRatio).minus(v.equity));
}

/** Met when the margin ratio is at most the warning threshold, by deposit or by price. */
export function meetsCall(v: Pick<AccountValuation, 'equity' | 'maintenance'>, p: VenueParams): boolean {
  return v.maintenance.lte(p.warningRatio.times(v.equity));
}
