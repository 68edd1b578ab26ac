import { openSql, closeSql } from '/work/main/src/db/connect.js';
import { startEmbedded } from '/work/main/src/db/embedded.js';
import { deployMigrations } from '/work/main/src/db/migrate.js';
import { importBookLines } from '/work/main/src/ingest/import-book.js';
import { recordTrades } from '/work/main/src/ingest/trades.js';
const server = await startEmbedded({ dataDir: '/tmp/bench-h4', database: 'b' + Date.now(), unsafeFast: true });
await deployMigrations(server.url, '/work/main/prisma/migrations');
const sql = openSql(server.url);
const ch = { changedBy: 'x', reason: 'y' };
const N = 100000;
function* lines(): any {
  yield { type: 'asset', id: 'USDT' }; yield { type: 'trader', id: 'maker' };
  yield { type: 'account', id: 'lp', traderId: 'maker', kind: 'LIQUIDITY_PROVIDER', marginAssetId: 'USDT' };
  yield { type: 'fund', id: 'fund', assetId: 'USDT', name: 'Fund' };
  yield { type: 'market', id: 'M', payoff: 'LINEAR', settlementAssetId: 'USDT', contractSize: '1', priceTick: '0.1', sizeStep: '0.001', insuranceFundId: 'fund', liquidityProviderId: 'lp', brackets: [{ floor: '0', maintenanceRate: '0.01', initialRate: '0.02' }], ...ch };
  for (let i = 0; i < N; i++) {
    yield { type: 'trader', id: `t${i}` };
    yield { type: 'account', id: `a${i}`, traderId: `t${i}`, marginAssetId: 'USDT' };
    yield { type: 'balance', accountId: `a${i}`, amount: `${i}.5` };
    yield { type: 'position', accountId: `a${i}`, marketId: 'M', size: i % 2 === 0 ? '1.234' : '-1.234', entryPrice: '100' };
  }
}
console.time('import'); await importBookLines(sql, lines(), { onProgress: (p) => { if (p.lines % 100000 === 0) console.timeLog('import', p.lines); } }); console.timeEnd('import');
for (let b = 0; b < 5; b++) {
  console.time('1000 trades');
  await recordTrades(sql, Array.from({ length: 1000 }, (_, i) => ({ id: `x${b}-${i}`, marketId: 'M', buyerId: `a${(i * 7 + b) % N}`, sellerId: `a${(i * 13 + 1 + b) % N === (i * 7 + b) % N ? 5 : (i * 13 + 1 + b) % N}`, size: '0.5', price: '101', buyerFee: '0.1', sellerFee: '0.1' })));
  console.timeEnd('1000 trades');
}
await closeSql(sql); await server.stop();
