import type { BookLine } from '../ingest/book-line.js';
import { LIQUIDITY_PROVIDERS, MARKETS, MARKET_TERMS, VENUE_TERMS, type DemoMarketId } from './parameters.js';

export const MARKET_IDS = Object.keys(MARKETS) as DemoMarketId[];

const CHANGE = { changedBy: 'demo', reason: 'the demonstration' } as const;

/** Assets, liquidity providers, funds with their money, markets and thresholds. */
export function venueLines(): BookLine[] {
  const lines: BookLine[] = [
    { type: 'asset', id: 'USDT' },
    { type: 'asset', id: 'BTC' },
    { type: 'trader', id: 'market-makers' },
  ];
  for (const { id, assetId, balance } of LIQUIDITY_PROVIDERS) {
    const account = { id, traderId: 'market-makers', kind: 'LIQUIDITY_PROVIDER', marginAssetId: assetId } as const;
    lines.push({ type: 'account', ...account }, { type: 'balance', accountId: id, amount: balance });
  }
  for (const marketId of MARKET_IDS) lines.push(...marketLines(marketId));
  lines.push({ type: 'venueParameters', ...VENUE_TERMS, ...CHANGE });
  return lines;
}

function marketLines(marketId: DemoMarketId): BookLine[] {
  const terms = MARKETS[marketId];
  return [
    { type: 'fund', id: terms.fundId, assetId: terms.settlementAssetId, name: terms.fundName },
    { type: 'balance', accountId: terms.fundId, amount: terms.fundBalance },
    {
      type: 'market',
      id: marketId,
      payoff: terms.payoff,
      settlementAssetId: terms.settlementAssetId,
      contractSize: terms.contractSize,
      priceTick: terms.priceTick,
      sizeStep: terms.sizeStep,
      insuranceFundId: terms.fundId,
      liquidityProviderId: terms.liquidityProviderId,
      badDebtLimit: terms.badDebtLimit,
      brackets: terms.brackets.map(([floor, maintenanceRate, initialRate]) => ({
        floor,
        maintenanceRate,
        initialRate,
      })),
      ...MARKET_TERMS,
      ...CHANGE,
    },
  ];
}
