import type { Party, TradedMarket } from '../db/record-parties.js';
import { isPriceOf, isWholeLots } from '../risk/contract.js';
import type { Decimal } from '../risk/decimal.js';
import { refuse } from './parse.js';

/** What a row of a batch is checked against; the field names are those of the input. */
interface Placed {
  readonly rowIndex: number | undefined;
}

export function knownMarket(
  markets: ReadonlyMap<string, TradedMarket>,
  row: Placed & { readonly marketId: string },
): TradedMarket {
  return markets.get(row.marketId) ?? refuse(row, 'marketId', `no market ${row.marketId}`, 'UNKNOWN_MARKET');
}

export function knownParty<P extends Party>(
  parties: ReadonlyMap<string, P>,
  row: Placed,
  field: string,
  accountId: string,
): P {
  return parties.get(accountId) ?? refuse(row, field, `no account ${accountId}`, 'UNKNOWN_ACCOUNT');
}

/** Of a feed. */
export interface FundRule {
  /** False: money out of an insurance fund is refused, unless it is known already. Two persons let it out. */
  readonly fundsMayPay?: boolean;
}

export function refuseFundPayment(
  parties: ReadonlyMap<string, Party>,
  row: Placed,
  field: string,
  { accountId, amount }: { readonly accountId: string; readonly amount: Decimal },
): void {
  if (amount.isNegative() && parties.get(accountId)?.kind === 'INSURANCE_FUND')
    refuse(row, field, `money leaves the fund ${accountId} by insuranceFundWithdraw only`, 'NEEDS_APPROVAL');
}

export function checkHolds(party: Party, market: TradedMarket, row: Placed, field: string): void {
  if (party.marginAssetId === market.settlementAssetId) return;
  const assets = `${party.id} holds ${party.marginAssetId}, ${market.id} settles in ${market.settlementAssetId}`;
  refuse(row, field, assets, 'OTHER_SETTLEMENT_ASSET');
}

/**
 * A price need not lie on a tick: marks and the books of other venues do not. But a LINEAR value is exact on the money
 * grid only while its price has no more decimals than the tick has. INVERSE values are truncated anyway.
 */
export function checkPrice(market: TradedMarket, price: Decimal, row: Placed, field: string): void {
  if (isPriceOf(market, price)) return;
  const places = market.priceTick.decimalPlaces();
  refuse(row, field, `${price.toFixed()} has more than the ${places} decimals of a price of ${market.id}`);
}

export function checkSize(market: TradedMarket, size: Decimal, row: Placed, field: string): void {
  if (isWholeLots(market, size)) return;
  refuse(row, field, `${size.toFixed()} is no multiple of ${market.sizeStep.toFixed()}, the size step of ${market.id}`);
}
