import type { Sql } from '../../src/db/connect.js';
import { createAccount, createAsset, createFund, createTrader } from '../../src/ingest/accounts.js';
import { recordDepth } from '../../src/ingest/depth.js';
import { createMarket, type MarketInput } from '../../src/ingest/markets.js';
import { recordPrices } from '../../src/ingest/prices.js';
import { recordTrades, type TradeInput } from '../../src/ingest/trades.js';
import { recordTransfers } from '../../src/ingest/transfers.js';

/** One account a trader, of the same id. */
export interface AccountOptions {
  readonly mode?: 'CROSS' | 'ISOLATED';
  readonly asset?: 'USDT' | 'BTC';
  /** Paid in at once. */
  readonly deposit?: string;
}

/**
 * A small venue to tell stories in: assets USDT and BTC, each with a fund (`fund-usdt`, `fund-btc`) and a liquidity
 * provider (`lp-usdt`, `lp-btc`); linear BTCUSDT and ETHUSDT, one contract = one coin, and inverse BTCUSD of 100 USD
 * a contract. Maintenance is 1 % up to 1,000,000 of notional and 2 % above (of BTCUSD: 100 and BTC), initial double.
 */
export interface TestVenue {
  /** `at` of everything that is told without one; ids count up, so that a story has the same ids every time. */
  at: string;
  account(id: string, options?: AccountOptions): Promise<void>;
  /** Negative: a withdrawal. */
  deposit(accountId: string, amount: string, at?: string): Promise<void>;
  trade(
    marketId: string,
    buyerId: string,
    sellerId: string,
    size: string,
    price: string,
    more?: Partial<TradeInput>,
  ): Promise<void>;
  price(marketId: string, price: string, at?: string): Promise<void>;
  depth(marketId: string, sides: DepthSides, at?: string): Promise<void>;
}

export interface DepthSides {
  /** `4@99 4@98`: sizes at prices, best first. */
  readonly bids?: string;
  readonly asks?: string;
}

const CHANGE = { changedBy: 'test', reason: 'story' };

const LINEAR: Omit<MarketInput, 'id'> = {
  payoff: 'LINEAR',
  settlementAssetId: 'USDT',
  contractSize: '1',
  priceTick: '0.01',
  sizeStep: '0.001',
  insuranceFundId: 'fund-usdt',
  liquidityProviderId: 'lp-usdt',
  brackets: [
    { floor: '0', maintenanceRate: '0.01', initialRate: '0.02' },
    { floor: '1000000', maintenanceRate: '0.02', initialRate: '0.04' },
  ],
  ...CHANGE,
};

const INVERSE: Omit<MarketInput, 'id'> = {
  payoff: 'INVERSE',
  settlementAssetId: 'BTC',
  contractSize: '100',
  priceTick: '0.5',
  sizeStep: '1',
  insuranceFundId: 'fund-btc',
  liquidityProviderId: 'lp-btc',
  brackets: [
    { floor: '0', maintenanceRate: '0.01', initialRate: '0.02' },
    { floor: '100', maintenanceRate: '0.02', initialRate: '0.04' },
  ],
  ...CHANGE,
};

export const STORY_TIME = '2025-10-10T21:00:00.000000Z';

export async function createTestVenue(sql: Sql, overrides: Partial<MarketInput> = {}): Promise<TestVenue> {
  await createTrader(sql, { id: 'venue' });
  for (const asset of ['USDT', 'BTC']) {
    const suffix = asset.toLowerCase();
    await createAsset(sql, { id: asset });
    await createFund(sql, { id: `fund-${suffix}`, assetId: asset, name: `Insurance fund ${asset}` });
    await createAccount(sql, {
      id: `lp-${suffix}`,
      traderId: 'venue',
      kind: 'LIQUIDITY_PROVIDER',
      marginAssetId: asset,
    });
  }
  await createMarket(sql, { ...LINEAR, ...overrides, id: 'BTCUSDT' });
  await createMarket(sql, { ...LINEAR, ...overrides, id: 'ETHUSDT' });
  await createMarket(sql, { ...INVERSE, ...overrides, id: 'BTCUSD' });
  const told = new Map<string, number>();
  const next = (kind: string): string => {
    const count = (told.get(kind) ?? 0) + 1;
    told.set(kind, count);
    return `${kind}-${count}`;
  };
  const venue: TestVenue = {
    at: STORY_TIME,
    async account(id, { mode = 'CROSS', asset = 'USDT', deposit } = {}) {
      await createTrader(sql, { id });
      await createAccount(sql, { id, traderId: id, mode, marginAssetId: asset });
      if (deposit !== undefined) await venue.deposit(id, deposit);
    },
    async deposit(accountId, amount, at = venue.at) {
      const [row] = await sql<
        { asset: string }[]
      >`select margin_asset_id as asset from account where id = ${accountId}`;
      await recordTransfers(sql, [{ id: next('transfer'), accountId, assetId: row?.asset ?? 'none', amount, at }]);
    },
    async trade(marketId, buyerId, sellerId, size, price, more = {}) {
      await recordTrades(sql, [{ id: next('trade'), marketId, buyerId, sellerId, size, price, at: venue.at, ...more }]);
    },
    async price(marketId, price, at = venue.at) {
      await recordPrices(sql, [{ id: next('price'), marketId, price, at }]);
    },
    async depth(marketId, { bids = '', asks = '' }, at = venue.at) {
      await recordDepth(sql, [{ id: next('depth'), marketId, bids: parseLevels(bids), asks: parseLevels(asks), at }]);
    },
  };
  return venue;
}

function parseLevels(text: string): [price: string, size: string][] {
  return text
    .split(' ')
    .filter((level) => level !== '')
    .map((level) => {
      const [size = '', price = ''] = level.split('@');
      return [price, size];
    });
}
