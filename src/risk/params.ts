import { ONE, ZERO, dec } from './decimal.js';
import type { Decimal } from './decimal.js';
import type { Bracket } from './brackets.js';
import type { MarketParams, Policy, VenueParams } from './margin.js';
import { refuse } from './refusal.js';
import type { Refusal } from './refusal.js';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** What a new venue gets. */
export const DEFAULT_VENUE_PARAMS: VenueParams = {
  warningRatio: dec('0.66'),
  callRatio: dec('0.80'),
  liquidationTarget: dec('0.75'),
  callDeadlineMs: 10 * MINUTE,
  callExtensionCapMs: 24 * HOUR,
  onCallLapse: 'REDUCE_ONLY',
  staleShare: dec('0.05'),
  accountsPerLap: 100,
};

/** What a new market gets. */
export const DEFAULT_MARKET_PARAMS: MarketParams = {
  maxFeeRate: dec('0.0025'),
  maxDeviation: dec('0.10'),
  priceBand: dec('0.10'),
  staleAfterMs: 30 * SECOND,
};

export const DEFAULT_BAD_DEBT_LIMIT: Decimal = ZERO;

export const DEFAULT_POLICY: Omit<Policy, 'version'> = {
  score: 'LEVERAGED_RETURN',
  allocation: 'QUEUE',
  priceBasis: 'BANKRUPTCY',
  trigger: 'FUND_EXHAUSTED',
};

export function checkVenueParams(params: VenueParams): Refusal | null {
  const { warningRatio, callRatio, liquidationTarget, staleShare } = params;
  if (warningRatio.lte(ZERO) || warningRatio.gte(callRatio))
    return refuse('warningRatio', 'must be above 0 and below callRatio');
  if (callRatio.gte(ONE)) return refuse('callRatio', 'must be below 1');
  if (liquidationTarget.lte(ZERO) || liquidationTarget.gte(callRatio))
    return refuse('liquidationTarget', 'must be above 0 and below callRatio');
  if (staleShare.lte(ZERO) || staleShare.gt(ONE)) return refuse('staleShare', 'must be above 0 and at most 1');
  for (const field of ['callDeadlineMs', 'callExtensionCapMs', 'accountsPerLap'] as const) {
    if (!Number.isSafeInteger(params[field]) || params[field] <= 0)
      return refuse(field, 'must be a whole number above 0');
  }
  if (params.callExtensionCapMs < params.callDeadlineMs)
    return refuse('callExtensionCapMs', 'must be at least callDeadlineMs');
  return null;
}

/** Against the brackets of the same market: the fee is less than the lowest rate, or closing could cost more than margin. */
export function checkMarketParams(params: MarketParams, brackets: readonly Bracket[]): Refusal | null {
  const { maxFeeRate, maxDeviation, priceBand, staleAfterMs } = params;
  const lowest = brackets[0]?.maintenanceRate ?? ZERO;
  if (maxFeeRate.lt(ZERO) || maxFeeRate.gte(lowest))
    return refuse('maxFeeRate', 'must be at least 0 and below the lowest maintenance rate');
  if (maxDeviation.lte(ZERO) || maxDeviation.gte(ONE)) return refuse('maxDeviation', 'must be above 0 and below 1');
  if (priceBand.lte(ZERO) || priceBand.gte(ONE)) return refuse('priceBand', 'must be above 0 and below 1');
  if (!Number.isSafeInteger(staleAfterMs) || staleAfterMs <= 0)
    return refuse('staleAfterMs', 'must be a whole number above 0');
  return null;
}
