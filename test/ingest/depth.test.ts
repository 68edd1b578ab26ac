import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { recordDepth } from '../../src/ingest/depth.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { fingerprintOf } from '../support/fingerprint.js';
import { createTestVenue } from '../support/venue.js';

let db: TestDatabase;

beforeAll(async () => {
  db = await createTestDatabase();
  await createTestVenue(db.sql);
});
afterAll(async () => {
  await db.drop();
});

type Levels = [price: string, size: string][];
const at = '2025-10-10T21:00:00Z';
const bids: Levels = [
  ['99', '4'],
  ['98.5', '0.0000000001'],
];
const asks: Levels = [['99.01', '2']];

describe('depth', () => {
  it('is stored as it was sent, sides of different lengths and empty ones too', async () => {
    const batch = [
      { id: 'd1', marketId: 'BTCUSDT', at, bids, asks },
      { id: 'd2', marketId: 'BTCUSDT', at, bids: [], asks },
      { id: 'd3', marketId: 'BTCUSDT', at, bids: [], asks: [] },
      { id: 'd1', marketId: 'BTCUSD', at, bids: [['100000.123', '5']] as Levels, asks: [] },
    ];
    expect(await recordDepth(db.sql, batch)).toEqual({ recorded: 4, duplicates: 0 });
    const [row] =
      await db.sql`select bid_prices, bid_sizes, ask_prices, ask_sizes from depth_snapshot order by id limit 1`;
    expect(row).toEqual({
      bid_prices: ['99.000000000000000000', '98.500000000000000000'],
      bid_sizes: ['4.000000000000000000', '0.000000000100000000'],
      ask_prices: ['99.010000000000000000'],
      ask_sizes: ['2.000000000000000000'],
    });
    expect(await recordDepth(db.sql, batch)).toEqual({ recorded: 0, duplicates: 4 });
  });

  it('older than the newest is stored and does not count', async () => {
    await recordDepth(db.sql, [{ id: 'new', marketId: 'ETHUSDT', at: '2025-10-10T21:00:02Z', bids, asks }]);
    expect(await recordDepth(db.sql, [{ id: 'old', marketId: 'ETHUSDT', at, bids: [], asks }])).toEqual({
      recorded: 1,
      duplicates: 0,
    });
    const [row] =
      await db.sql`select external_id from depth_snapshot where market_id = 'ETHUSDT' order by at desc, id desc limit 1`;
    expect(row).toEqual({ external_id: 'new' });
  });

  it.each([
    [
      'bids that rise',
      {
        bids: [
          ['98', '1'],
          ['99', '1'],
        ],
      },
      'BAD_INPUT',
      'bids[1]',
    ],
    [
      'a price twice',
      {
        asks: [
          ['99.5', '1'],
          ['99.5', '1'],
        ],
      },
      'BAD_INPUT',
      'asks[1]',
    ],
    ['sides that cross', { asks: [['99', '1']] }, 'BAD_INPUT', 'asks'],
    ['a size of zero', { bids: [['99', '0']] }, 'BAD_INPUT', 'bids[0]'],
    ['a negative price', { bids: [['-99', '1']] }, 'BAD_INPUT', 'bids[0]'],
    ['a JSON number', { bids: [[99, '1']] }, 'BAD_INPUT', 'bids[0]'],
    ['three numbers a level', { bids: [['99', '1', '1']] }, 'BAD_INPUT', 'bids[0]'],
    ['a level that is none', { bids: ['99'] }, 'BAD_INPUT', 'bids[0]'],
    ['no asks', { asks: undefined }, 'BAD_INPUT', 'asks'],
    ['a price finer than the tick', { bids: [['98.999', '1']] }, 'BAD_INPUT', 'bids[0]'],
    ['an unknown market', { marketId: 'x' }, 'UNKNOWN_MARKET', 'marketId'],
    [
      '1,001 levels',
      { bids: Array.from({ length: 1001 }, (_, i) => [String(2000 - i), '1']), asks: [] },
      'BAD_INPUT',
      'bids',
    ],
    ['the id of another', { id: 'd1', bids: [['97', '1']] }, 'ID_REUSED', 'id'],
  ])('with %s is refused', async (_, change, code, field) => {
    const before = await fingerprintOf(db.sql);
    const sound = { id: 'fresh', marketId: 'BTCUSDT', at, bids, asks };
    const broken = { ...sound, id: 'broken', ...change } as typeof sound;
    await expect(recordDepth(db.sql, [sound, broken])).rejects.toMatchObject({ code, rowIndex: 1, field });
    expect(await fingerprintOf(db.sql)).toBe(before);
  });
});
