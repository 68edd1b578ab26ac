import { dec, type Decimal } from '../risk/decimal.js';
import type { Contract } from '../risk/contract.js';
import type { Instant } from '../risk/instant.js';
import type { VenueParams } from '../risk/margin.js';
import type { Reader, Tx } from './connect.js';
import type { Change } from './venue.js';

export interface MarketFact extends Contract {
  /** Null: perpetual. */
  readonly expiresAt: Instant | null;
  readonly insuranceFundId: string;
  readonly liquidityProviderId: string;
  readonly maxFeeRate: Decimal;
  readonly maxDeviation: Decimal;
  readonly priceBand: Decimal;
  readonly staleAfterMs: number;
  readonly badDebtLimit: Decimal;
}

export async function insertMarket(tx: Tx, market: MarketFact): Promise<boolean> {
  const rows = await tx`
    insert into market (id, payoff, expires_at, settlement_asset_id, contract_size, price_tick, size_step,
      insurance_fund_id, liquidity_provider_id, max_fee_rate, max_deviation, price_band, stale_after_ms, bad_debt_limit)
    values (${market.id}, ${market.payoff}, ${market.expiresAt}::timestamptz, ${market.settlementAssetId},
      ${market.contractSize.toFixed()}, ${market.priceTick.toFixed()}, ${market.sizeStep.toFixed()},
      ${market.insuranceFundId}, ${market.liquidityProviderId}, ${market.maxFeeRate.toFixed()},
      ${market.maxDeviation.toFixed()}, ${market.priceBand.toFixed()}, ${market.staleAfterMs}, ${market.badDebtLimit.toFixed()})
    on conflict (id) do nothing returning id`;
  return rows.length > 0;
}

interface MarketRow {
  id: string;
  payoff: MarketFact['payoff'];
  expires_at: Instant | null;
  settlement_asset_id: string;
  contract_size: string;
  price_tick: string;
  size_step: string;
  insurance_fund_id: string;
  liquidity_provider_id: string;
  max_fee_rate: string;
  max_deviation: string;
  price_band: string;
  stale_after_ms: number;
  bad_debt_limit: string;
}

export async function findMarket(reader: Reader, id: string): Promise<MarketFact | undefined> {
  const [row] = await reader<MarketRow[]>`
    select id, payoff, expires_at, settlement_asset_id, contract_size, price_tick, size_step, insurance_fund_id,
      liquidity_provider_id, max_fee_rate, max_deviation, price_band, stale_after_ms, bad_debt_limit
    from market where id = ${id}`;
  if (row === undefined) return undefined;
  return {
    id: row.id,
    payoff: row.payoff,
    expiresAt: row.expires_at,
    settlementAssetId: row.settlement_asset_id,
    contractSize: dec(row.contract_size),
    priceTick: dec(row.price_tick),
    sizeStep: dec(row.size_step),
    insuranceFundId: row.insurance_fund_id,
    liquidityProviderId: row.liquidity_provider_id,
    maxFeeRate: dec(row.max_fee_rate),
    maxDeviation: dec(row.max_deviation),
    priceBand: dec(row.price_band),
    staleAfterMs: row.stale_after_ms,
    badDebtLimit: dec(row.bad_debt_limit),
  };
}

/** A new version of the venue's thresholds; two at once wait for each other. */
export async function insertVenueParameters(tx: Tx, venue: VenueParams, change: Change): Promise<number> {
  await tx`lock table venue_parameters in share row exclusive mode`;
  const [row] = await tx<{ version: number }[]>`
    insert into venue_parameters (version, warning_ratio, call_ratio, liquidation_target, call_deadline_ms,
      call_extension_cap_ms, on_call_lapse, stale_share, accounts_per_lap, changed_by, reason)
    select max(version) + 1, ${venue.warningRatio.toFixed()}, ${venue.callRatio.toFixed()},
      ${venue.liquidationTarget.toFixed()}, ${venue.callDeadlineMs}, ${venue.callExtensionCapMs}, ${venue.onCallLapse},
      ${venue.staleShare.toFixed()}, ${venue.accountsPerLap}, ${change.changedBy}, ${change.reason}
    from venue_parameters
    returning version`;
  if (row === undefined) throw new Error('no version was made');
  return row.version;
}
