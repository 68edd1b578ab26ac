import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { confirmPrice, recordPrices } from '../../src/ingest/prices.js';
import { assertInvariants } from '../support/checks.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { fingerprintOf } from '../support/fingerprint.js';
import { createTestVenue } from '../support/venue.js';

let db: TestDatabase;

beforeEach(async () => {
  db = await createTestDatabase();
  await createTestVenue(db.sql);
});
afterEach(async () => {
  await assertInvariants(db.sql);
  await db.drop();
});

/** `id price@second` in BTCUSDT, whose band is 10 %. */
async function tell(...prices: string[]): Promise<string[]> {
  const rows = prices.map((text) => {
    const [id = '', price = '', second = ''] = text.split(/[ @]/);
    return { id, marketId: 'BTCUSDT', price, at: `2025-10-10T21:00:${second.padStart(2, '0')}Z` };
  });
  return [...(await recordPrices(db.sql, rows)).states];
}

async function stored(): Promise<string[]> {
  const rows = await db.sql<{ text: string }[]>`
    select external_id || ' ' || state || coalesce(' by ' || confirmed_by, '') as text from price_mark order by id`;
  return rows.map((row) => row.text);
}

async function mark(): Promise<string | undefined> {
  const [row] = await db.sql<{ price: string }[]>`
    select trim_scale(price)::text as price from price_mark
    where market_id = 'BTCUSDT' and state in ('ACCEPTED', 'CONFIRMED') order by at desc, id desc limit 1`;
  return row?.price;
}

describe('a price', () => {
  it('becomes the mark, to the last digit, and the index is kept beside it', async () => {
    const input = {
      id: 'p1',
      marketId: 'BTCUSD',
      price: '100000.000000000000000001',
      indexPrice: '99999.123456789012345678',
    };
    expect(await recordPrices(db.sql, [{ ...input, at: '2025-10-10T21:00:00.000001Z' }])).toEqual({
      recorded: 1,
      duplicates: 0,
      states: ['ACCEPTED'],
    });
    expect([...(await db.sql`select market_id, external_id, price, index_price, at from price_mark`)]).toEqual([
      {
        market_id: 'BTCUSD',
        external_id: 'p1',
        price: '100000.000000000000000001',
        index_price: '99999.123456789012345678',
        at: '2025-10-10T21:00:00.000001Z',
      },
    ]);
  });

  it('is given the database clock when it brings no time', async () => {
    await recordPrices(db.sql, [{ id: 'p1', marketId: 'BTCUSDT', price: '100' }]);
    const [row] =
      await db.sql`select at <= received_at and at > received_at - interval '1 minute' as near from price_mark`;
    expect(row?.['near']).toBe(true);
  });

  it('dated long after now is stored, shown as an anomaly and never the mark; true prices go on', async () => {
    expect(await tell('a 100@10')).toEqual(['ACCEPTED']);
    const ahead = await recordPrices(db.sql, [
      { id: 'b', marketId: 'BTCUSDT', price: '101', at: '2199-01-01T00:00:00Z' },
    ]);
    expect(ahead.states).toEqual(['AHEAD']);
    expect(await tell('c 102@11')).toEqual(['ACCEPTED']);
    expect(await mark()).toBe('102');
    const anomalies = await db.sql`select kind, external_id from feed_anomalies`;
    expect([...anomalies]).toEqual([{ kind: 'AHEAD_PRICE', external_id: 'b' }]);
  });

  it('older than the newest is stored and never becomes the mark; of the same time the later one does', async () => {
    expect(await tell('a 100@10', 'b 101@09', 'c 102@10')).toEqual(['ACCEPTED', 'LATE', 'ACCEPTED']);
    expect(await mark()).toBe('102');
    expect(await tell('d 103@05')).toEqual(['LATE']);
    expect(await mark()).toBe('102');
    expect(await stored()).toEqual(['a ACCEPTED', 'b LATE', 'c ACCEPTED', 'd LATE']);
  });

  it('is late after a suspect one too', async () => {
    expect(await tell('a 100@10', 'b 150@20', 'c 101@15')).toEqual(['ACCEPTED', 'SUSPECT', 'LATE']);
  });

  it('exactly at the band is accepted, one grid step beyond is not', async () => {
    expect(await tell('a 100@1', 'b 110@2')).toEqual(['ACCEPTED', 'ACCEPTED']);
    expect(await tell('c 99@3', 'd 108.90@4', 'e 119.79@5')).toEqual(['ACCEPTED', 'ACCEPTED', 'ACCEPTED']);
    expect(await tell('f 107.82@6', 'g 97.03@7')).toEqual(['ACCEPTED', 'SUSPECT']);
  });

  it('outside the band of its own index is suspect, even as the first', async () => {
    const row = { id: 'a', marketId: 'BTCUSDT', price: '100', indexPrice: '90', at: '2025-10-10T21:00:00Z' };
    expect((await recordPrices(db.sql, [row])).states).toEqual(['SUSPECT']);
    expect(await mark()).toBeUndefined();
  });
});

describe('a suspect price', () => {
  it('drives nothing until a second one within the band of it confirms it', async () => {
    expect(await tell('a 100@1', 'b 80@2')).toEqual(['ACCEPTED', 'SUSPECT']);
    expect(await mark()).toBe('100');
    expect(await tell('c 79@3')).toEqual(['ACCEPTED']);
    expect(await mark()).toBe('79');
    expect(await stored()).toEqual(['a ACCEPTED', 'b CONFIRMED by c', 'c ACCEPTED']);
  });

  it('is confirmed inside one batch as between two', async () => {
    expect(await tell('a 100@1', 'b 80@2', 'c 79@3')).toEqual(['ACCEPTED', 'CONFIRMED', 'ACCEPTED']);
    expect(await stored()).toEqual(['a ACCEPTED', 'b CONFIRMED by c', 'c ACCEPTED']);
  });

  it('is not confirmed by another jump, which is the suspect one from then on', async () => {
    expect(await tell('a 100@1', 'b 80@2', 'c 60@3', 'd 80@4', 'e 81@5')).toEqual([
      'ACCEPTED',
      'SUSPECT',
      'SUSPECT',
      'CONFIRMED',
      'ACCEPTED',
    ]);
  });

  it('is forgotten once a price in the old band comes', async () => {
    expect(await tell('a 100@1', 'b 80@2', 'c 101@3', 'd 79@4')).toEqual([
      'ACCEPTED',
      'SUSPECT',
      'ACCEPTED',
      'SUSPECT',
    ]);
    expect(await mark()).toBe('101');
  });

  it('is forgotten between batches too', async () => {
    await tell('a 100@1', 'b 80@2');
    expect(await tell('c 101@3')).toEqual(['ACCEPTED']);
    expect(await tell('d 79@4')).toEqual(['SUSPECT']);
    expect(await mark()).toBe('101');
  });

  it('may be confirmed by an operator, once, and not when a newer price was accepted', async () => {
    await tell('a 100@1', 'b 80@2');
    const confirm = { marketId: 'BTCUSDT', priceId: 'b', by: 'operator' };
    expect(await confirmPrice(db.sql, confirm)).toEqual({ changed: true });
    expect(await mark()).toBe('80');
    const before = await fingerprintOf(db.sql);
    expect(await confirmPrice(db.sql, confirm)).toEqual({ changed: false });
    await expect(confirmPrice(db.sql, { ...confirm, priceId: 'a' })).rejects.toMatchObject({ code: 'CONFLICT' });
    await expect(confirmPrice(db.sql, { ...confirm, priceId: 'x' })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(confirmPrice(db.sql, { ...confirm, marketId: 'x' })).rejects.toMatchObject({ code: 'UNKNOWN_MARKET' });
    expect(await fingerprintOf(db.sql)).toBe(before);
    await tell('c 50@3', 'd 81@4');
    await expect(confirmPrice(db.sql, { ...confirm, priceId: 'c' })).rejects.toMatchObject({ code: 'CONFLICT' });
  });
});

describe('a repeat', () => {
  it('of the same content counts as a duplicate and changes nothing, in one batch or the next', async () => {
    await tell('a 100@1', 'b 80@2');
    const before = await fingerprintOf(db.sql);
    const again = { id: 'a', marketId: 'BTCUSDT', price: '100.00' };
    expect(await recordPrices(db.sql, [again, { ...again, at: '2025-10-10T21:00:01+00:00' }])).toEqual({
      recorded: 0,
      duplicates: 2,
      states: ['ACCEPTED', 'ACCEPTED'],
    });
    expect(await fingerprintOf(db.sql)).toBe(before);
    const fresh = { id: 'c', marketId: 'BTCUSDT', price: '101', at: '2025-10-10T21:00:05Z' };
    expect(await recordPrices(db.sql, [fresh, again, fresh])).toMatchObject({ recorded: 1, duplicates: 2 });
  });

  it('has an id of its own in each market', async () => {
    await tell('a 100@1');
    expect(await recordPrices(db.sql, [{ id: 'a', marketId: 'ETHUSDT', price: '7' }])).toMatchObject({ recorded: 1 });
  });

  it.each([
    ['another price', { price: '101' }],
    ['another time', { at: '2025-10-10T21:00:02Z' }],
    ['an index where there was none', { indexPrice: '100' }],
  ])('with %s is refused', async (_, change) => {
    await tell('a 100@1');
    const before = await fingerprintOf(db.sql);
    const fresh = { id: 'b', marketId: 'BTCUSDT', price: '100', at: '2025-10-10T21:00:09Z' };
    const reused = { id: 'a', marketId: 'BTCUSDT', price: '100', at: '2025-10-10T21:00:01Z', ...change };
    await expect(recordPrices(db.sql, [fresh, reused])).rejects.toMatchObject({
      code: 'ID_REUSED',
      rowIndex: 1,
      field: 'id',
    });
    expect(await fingerprintOf(db.sql)).toBe(before);
  });
});

it('an empty batch is no fault', async () => {
  expect(await recordPrices(db.sql, [])).toEqual({ recorded: 0, duplicates: 0, states: [] });
});
