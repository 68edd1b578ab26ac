import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { runLap } from '../../src/engine/run-lap.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { lapMemory } from '../support/lap-memory.js';
import { createTestVenue, type TestVenue } from '../support/venue.js';

const NAMES = ['ann', 'bob', 'cat', 'dan', 'eve', 'fay', 'gus', 'hal'];

let db: TestDatabase;
let venue: TestVenue;

beforeEach(async () => {
  db = await createTestDatabase();
  venue = await openVenue(db);
});
afterEach(() => db.drop());

async function openVenue({ sql }: TestDatabase): Promise<TestVenue> {
  const opened = await createTestVenue(sql);
  for (const name of NAMES) await opened.account(name, { deposit: '100000' });
  await opened.price('BTCUSDT', '100');
  for (const [k, buyer] of NAMES.entries()) {
    const seller = NAMES[(k + 3) % NAMES.length] ?? '';
    await opened.trade('BTCUSDT', buyer, seller, `${String(k + 1)}.5`, String(95 + k));
  }
  return opened;
}

/** When and by which lap as well: what stands unchanged was not written. */
const published = (): Promise<unknown> =>
  db.sql`select market_id, account_id, level, rank, lap_id, shown_at from adl_level order by 1, 2`;

const lap = async (memory?: ReturnType<typeof lapMemory>): Promise<void> => {
  const ran = await runLap(db.sql, { worker: 'test', at: venue.at, ...(memory && { memory }) });
  if (ran.kind !== 'RAN') throw new Error(ran.kind);
};

describe('the published levels', () => {
  it('are left alone by a process that remembers nothing, where they are right', async () => {
    await lap(lapMemory());
    const first = await published();
    expect(first).toHaveLength(NAMES.length);
    await lap();
    expect(await published()).toEqual(first);
  });

  it('are the same, whether or not the process remembers its last lap', async () => {
    const other = await createTestDatabase();
    const memory = lapMemory();
    for (const [each, told] of [
      [db, venue],
      [other, await openVenue(other)],
    ] as const) {
      const options = { worker: 'test', at: venue.at, ...(each === db && { memory }) };
      await runLap(each.sql, options);
      await told.price('BTCUSDT', '97.5');
      await runLap(each.sql, options);
      await told.trade('BTCUSDT', 'ann', 'hal', '7.5', '98');
      await told.deposit('dan', '-90000');
      await runLap(each.sql, options);
    }
    const rows = (of: TestDatabase): Promise<unknown> =>
      of.sql`select market_id, account_id, level, rank, lap_id from adl_level order by 1, 2`;
    expect(await rows(db)).toEqual(await rows(other));
    await other.drop();
  });

  it('go with the position', async () => {
    const memory = lapMemory();
    await lap(memory);
    const [{ size } = { size: '0' }] = await db.sql<{ size: string }[]>`
      select size from position where account_id = 'ann' and market_id = 'BTCUSDT'`;
    const [buyer, seller] = size.startsWith('-') ? ['ann', 'bob'] : ['bob', 'ann'];
    await venue.trade('BTCUSDT', buyer, seller, size.replace('-', ''), '100');
    await lap(memory);
    expect(await db.sql`select 1 from adl_level where account_id = 'ann'`).toHaveLength(0);
  });
});
