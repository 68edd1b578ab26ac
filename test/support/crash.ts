import { runLap, type LapRan } from '../../src/engine/run-lap.js';
import type { Sql } from '../../src/db/connect.js';
import { createAccount, createAsset, createFund, createTrader, contributeToFund } from '../../src/ingest/accounts.js';
import { recordDepth } from '../../src/ingest/depth.js';
import { haltMarket, resumeMarket } from '../../src/ingest/market-status.js';
import { createMarket } from '../../src/ingest/markets.js';
import { recordPrices } from '../../src/ingest/prices.js';
import { recordTrades } from '../../src/ingest/trades.js';
import { recordTransfers } from '../../src/ingest/transfers.js';

const CHANGE = { changedBy: 'desk', reason: 'the story of a crash' };
const DEPOSITS = { whale: '60', ann: '200', bob: '300', carl: '24', dora: '500' } as const;

/** The last instant of the story, at which its prices are fresh. */
export const CRASH_END = '2025-10-10T21:14:00.000000Z';

/**
 * A small crash by the real ingest and engine: carl's margin call lapses and he buys more all the same; the price of
 * BTCUSDT falls by a tenth, whale (long 10) is bankrupt, depth takes 2, the fund pays what it has, ann and bob the
 * rest; then a trade while the market is halted, and a price that comes too late.
 */
export async function playCrash(sql: Sql): Promise<void> {
  await openVenue(sql);
  await price(sql, '21:00:00', '100', '1');
  await trade(sql, 'open-1', 'BTCUSDT', 'whale', 'ann', '6', '100', '21:00:00');
  await trade(sql, 'open-2', 'BTCUSDT', 'whale', 'bob', '4', '100', '21:00:00');
  await trade(sql, 'open-3', 'XRPUSDT', 'carl', 'dora', '1000', '1', '21:00:00');
  await lap(sql, '21:00:01');
  await price(sql, '21:10:00', '100', '1');
  await lap(sql, '21:10:02');
  await trade(sql, 'grows', 'XRPUSDT', 'carl', 'dora', '10', '1', '21:10:10');
  await price(sql, '21:11:00', '90', '1');
  const bids = [['90', '2']] as const;
  await recordDepth(sql, [{ id: 'd1', marketId: 'BTCUSDT', at: instant('21:11:00'), bids, asks: [] }]);
  await lap(sql, '21:11:01');
  await haltMarket(sql, { marketId: 'BTCUSDT', at: instant('21:12:00'), ...CHANGE });
  await trade(sql, 'halted', 'BTCUSDT', 'bob', 'lp', '1', '90', '21:12:30');
  await resumeMarket(sql, { marketId: 'BTCUSDT', at: instant('21:13:00'), ...CHANGE });
  await price(sql, '21:14:00', '90', '1');
  await recordPrices(sql, [{ id: 'late', marketId: 'BTCUSDT', price: '99', at: instant('21:05:00') }]);
}

export function instant(time: string): string {
  return `2025-10-10T${time}.000000Z`;
}

async function openVenue(sql: Sql): Promise<void> {
  await createAsset(sql, { id: 'USDT' });
  await createTrader(sql, { id: 'desk' });
  await createFund(sql, { id: 'fund', traderId: 'desk', assetId: 'USDT', name: 'Insurance fund USDT' });
  const provider = { id: 'lp', traderId: 'desk', kind: 'LIQUIDITY_PROVIDER', marginAssetId: 'USDT' } as const;
  await createAccount(sql, provider);
  for (const id of ['BTCUSDT', 'XRPUSDT']) await createMarket(sql, marketInput(id));
  for (const [id, amount] of Object.entries(DEPOSITS)) {
    await createTrader(sql, { id: `trader-${id}` });
    await createAccount(sql, { id, traderId: `trader-${id}`, marginAssetId: 'USDT' });
    const at = instant('20:59:00');
    await recordTransfers(sql, [{ id: `deposit-${id}`, accountId: id, assetId: 'USDT', amount, at }]);
  }
  await contributeToFund(sql, { id: 'contribution', fundId: 'fund', amount: '20', at: instant('20:59:00') });
}

function marketInput(id: string): Parameters<typeof createMarket>[1] {
  return {
    id,
    payoff: 'LINEAR',
    settlementAssetId: 'USDT',
    contractSize: '1',
    priceTick: '0.01',
    sizeStep: '1',
    insuranceFundId: 'fund',
    liquidityProviderId: 'lp',
    brackets: [{ floor: '0', maintenanceRate: '0.02', initialRate: '0.04' }],
    ...CHANGE,
  };
}

async function price(sql: Sql, time: string, btc: string, xrp: string): Promise<void> {
  const rows = [
    ['BTCUSDT', btc],
    ['XRPUSDT', xrp],
  ] as const;
  await recordPrices(
    sql,
    rows.map(([marketId, amount]) => ({ id: `at-${time}`, marketId, price: amount, at: instant(time) })),
  );
}

type TradeWords = [
  id: string,
  marketId: string,
  buyerId: string,
  sellerId: string,
  size: string,
  price: string,
  time: string,
];

async function trade(sql: Sql, ...words: TradeWords): Promise<void> {
  const [id, marketId, buyerId, sellerId, size, amount, time] = words;
  await recordTrades(sql, [{ id, marketId, buyerId, sellerId, size, price: amount, at: instant(time) }]);
}

async function lap(sql: Sql, time: string): Promise<LapRan> {
  const result = await runLap(sql, { worker: 'story', at: instant(time) });
  if (result.kind !== 'RAN') throw new Error(`the lap did not run: ${result.kind}`);
  return result;
}
