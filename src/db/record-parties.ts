import type { Contract } from '../risk/contract.js';
import { dec, type Decimal } from '../risk/decimal.js';
import type { Reader } from './connect.js';

export interface Party {
  readonly id: string;
  readonly kind: 'TRADER' | 'LIQUIDITY_PROVIDER' | 'INSURANCE_FUND';
  readonly mode: 'CROSS' | 'ISOLATED';
  readonly marginAssetId: string;
}

export interface TradedMarket extends Contract {
  readonly status: 'ACTIVE' | 'HALTED' | 'SETTLED';
  readonly priceBand: Decimal;
  readonly staleAfterMs: number;
}

export async function loadParties(reader: Reader, accountIds: Iterable<string>): Promise<Map<string, Party>> {
  const rows = await reader<Party[]>`
    select id, kind, mode, margin_asset_id as "marginAssetId"
    from account where id = any(${[...new Set(accountIds)]}::text[])`;
  return new Map(rows.map((row) => [row.id, row]));
}

interface MarketRow {
  id: string;
  payoff: Contract['payoff'];
  status: TradedMarket['status'];
  settlement_asset_id: string;
  contract_size: string;
  price_tick: string;
  size_step: string;
  price_band: string;
  stale_after_ms: number;
}

export async function loadTradedMarkets(
  reader: Reader,
  marketIds: Iterable<string>,
): Promise<Map<string, TradedMarket>> {
  const rows = await reader<MarketRow[]>`
    select id, payoff, status, settlement_asset_id, contract_size, price_tick, size_step, price_band, stale_after_ms
    from market where id = any(${[...new Set(marketIds)]}::text[])`;
  return new Map(
    rows.map((row) => [
      row.id,
      {
        id: row.id,
        payoff: row.payoff,
        status: row.status,
        settlementAssetId: row.settlement_asset_id,
        contractSize: dec(row.contract_size),
        priceTick: dec(row.price_tick),
        sizeStep: dec(row.size_step),
        priceBand: dec(row.price_band),
        staleAfterMs: row.stale_after_ms,
      },
    ]),
  );
}
