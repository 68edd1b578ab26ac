import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { generateVenue } from '../../src/generate/generate.js';
import { MARKETS } from '../../src/generate/parameters.js';
import { createAsset } from '../../src/ingest/accounts.js';
import { assertInvariants } from '../support/checks.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { dumpOf } from '../support/dump.js';
import { fingerprintOf } from '../support/fingerprint.js';

describe('a venue in the database', () => {
  let db: TestDatabase;
  const told: number[] = [];
  beforeAll(async () => {
    db = await createTestDatabase();
    const made = await generateVenue(db.sql, { positions: 3000, seed: 7 }, ({ positions }) => told.push(positions));
    expect(made).toMatchObject({ positions: 3000, seed: 7, funds: 7, markets: 7 });
    expect(made.accounts).toBeGreaterThan(made.traders);
  });
  afterAll(() => db.drop());

  it('holds every promise', async () => {
    await assertInvariants(db.sql);
    expect(told.at(-1)).toBe(3000);
    expect([...told]).toEqual([...told].sort((a, b) => a - b));
  });

  it('has as many positions as were asked for, each with its opening', async () => {
    const [row] = await db.sql`
      select (select count(*)::int from position) as positions, (select count(*)::int from opening_position) as openings,
        (select count(*)::int from position_change) as changes,
        (select count(*)::int from balance b left join ledger_entry e using (account_id) where b.amount <> e.balance_after) as apart`;
    expect(row).toEqual({ positions: 3000, openings: 3000, changes: 3000, apart: 0 });
  });

  it('has nobody in trouble, and nobody held', async () => {
    const rows = await db.sql`select distinct status, held from margin_status where kind = 'TRADER'`;
    expect([...rows]).toEqual([{ status: 'HEALTHY', held: false }]);
  });

  it('has open interest, a live price, a fund and depth in every market', async () => {
    const rows = await db.sql`
      select o.market_id from open_interest o join market m on m.id = o.market_id
      where o.is_live and o.longs > 0 and o.shorts > 0 and o.long_size = o.short_size
        and exists (select from balance b where b.account_id = m.insurance_fund_id and b.amount > 0)
        and exists (select from depth_snapshot d where d.market_id = m.id)`;
    expect(rows.map((row) => row['market_id'] as string).sort()).toEqual(Object.keys(MARKETS).sort());
  });

  it('is refused a second time, in a sentence, and nothing changes', async () => {
    const before = await fingerprintOf(db.sql);
    await expect(generateVenue(db.sql, { positions: 200, seed: 1 })).rejects.toMatchObject({
      code: 'CONFLICT',
      message: 'The database is not empty: a whole venue is made in an empty one only.',
    });
    expect(await fingerprintOf(db.sql)).toBe(before);
  });
});

describe('the same seed', () => {
  it('makes the same venue to the last digit, but for the time it was made', async () => {
    const dumps = [];
    for (let run = 0; run < 2; run++) {
      const db = await createTestDatabase();
      await generateVenue(db.sql, { positions: 200, seed: 11 });
      await assertInvariants(db.sql);
      const dump = Object.entries(await dumpOf(db.sql)).map(
        ([table, rows]) => [table, rows.map((row) => row.replace(/"at": "[^"]*"/, '"at": ""')).sort()] as const,
      );
      dumps.push(Object.fromEntries(dump));
      await db.drop();
    }
    expect(dumps[1]).toEqual(dumps[0]);
  });
});

describe('a venue is refused', () => {
  let db: TestDatabase;
  beforeAll(async () => {
    db = await createTestDatabase();
  });
  afterAll(() => db.drop());

  it.each([
    ['positions', { positions: 99, seed: 1 }],
    ['positions', { positions: 10_000_001, seed: 1 }],
    ['positions', { positions: 200.5, seed: 1 }],
    ['positions', { positions: NaN, seed: 1 }],
    ['seed', { positions: 200, seed: -1 }],
    ['seed', { positions: 200, seed: 2 ** 32 }],
  ])('for its %s: %j', async (field, size) => {
    await expect(generateVenue(db.sql, size)).rejects.toMatchObject({ code: 'BAD_INPUT', field });
  });

  it('where there is but an asset', async () => {
    await createAsset(db.sql, { id: 'USDT' });
    await expect(generateVenue(db.sql, { positions: 200, seed: 1 })).rejects.toMatchObject({ code: 'CONFLICT' });
  });
});
