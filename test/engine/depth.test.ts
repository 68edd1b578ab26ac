import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { loadDepthLeft } from '../../src/db/lap-inputs.js';
import { inTransaction } from '../../src/db/transaction.js';
import { recordDepth } from '../../src/ingest/depth.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { createTestVenue } from '../support/venue.js';

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
  await createTestVenue(db.sql);
});
afterAll(() => db.drop());

async function best(): Promise<string | undefined> {
  const depths = await inTransaction(db.sql, { isolation: 'repeatable read' }, (tx) => loadDepthLeft(tx));
  return depths.find((depth) => depth.marketId === 'BTCUSDT')?.bids[0]?.price.toFixed();
}

describe('depth that a lap sees', () => {
  it('is the newest, whatever came later with an older time or a time far ahead', async () => {
    const at = (time: string, id: string, price: string): Promise<unknown> =>
      recordDepth(db.sql, [{ id, marketId: 'BTCUSDT', at: time, bids: [[price, '1']], asks: [] }]);
    await at('2025-10-10T21:00:00Z', 'a', '100');
    expect(await best()).toBe('100');
    await at('2025-10-10T20:59:00Z', 'b', '101');
    await at('2199-01-01T00:00:00Z', 'c', '102');
    expect(await best()).toBe('100');
    await at('2025-10-10T21:01:00Z', 'd', '103');
    expect(await best()).toBe('103');
  });
});
