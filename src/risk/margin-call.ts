import { ZERO, ceilFraction, max } from './decimal.js';
import type { Decimal } from './decimal.js';
import type { AccountValuation, VenueParams } from './margin.js';

type Margin = Pick<AccountValuation, 'equity' | 'maintenance'>;

/** maintenance ÷ warningRatio − equity, up, and never below 0: the deposit that meets the call at these prices. */
export function amountRequired(v: Margin, params: Pick<VenueParams, 'warningRatio'>): Decimal {
  return max(ZERO, ceilFraction(v.maintenance, params.warningRatio).minus(v.equity));
}

/** The margin ratio is at most warningRatio again. */
export function meetsCall(v: Margin, params: Pick<VenueParams, 'warningRatio'>): boolean {
  return v.maintenance.lte(params.warningRatio.times(v.equity));
}
