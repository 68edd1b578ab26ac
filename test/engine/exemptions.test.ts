import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { setTimeout as wait } from 'node:timers/promises';
import { decideChange } from '../../src/admin/decide.js';
import { proposeChange } from '../../src/admin/propose.js';
import { BookFollower } from '../../src/book/follower.js';
import { runLap, type LapMemory, type LapRan } from '../../src/engine/run-lap.js';
import { addMilliseconds } from '../../src/risk/instant.js';
import { createLog } from '../../src/telemetry.js';
import { isEqual, verifyStoredEvent } from '../../src/verify-event.js';
import { assertInvariants } from '../support/checks.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { endExemption, exempt, person } from '../support/exemptions.js';
import { fingerprintOf } from '../support/fingerprint.js';
import { takeAnew, toldWhole } from '../support/followed-venue.js';
import { createTestVenue, type TestVenue } from '../support/venue.js';

const DAY = 86_400_000;

let db: TestDatabase;
let venue: TestVenue;
let now: string;
beforeEach(async () => {
  db = await createTestDatabase();
  venue = await createTestVenue(db.sql, { staleAfterMs: 7 * DAY });
  now = venue.at = new Date().toISOString().replace('Z', '000Z');
  await venue.account('alice', { deposit: '20' });
  await venue.account('bob', { deposit: '30' });
  await venue.account('carol', { deposit: '60' });
  await venue.trade('BTCUSDT', 'alice', 'bob', '4', '100');
  await venue.trade('BTCUSDT', 'alice', 'carol', '6', '100');
  await venue.price('BTCUSDT', '100');
});
afterEach(async () => {
  await assertInvariants(db.sql);
  await db.drop();
});

async function lap(options: { at?: string; dryRun?: boolean; memory?: LapMemory } = {}): Promise<LapRan> {
  const ran = await runLap(db.sql, { worker: 'test', ...options });
  if (ran.kind !== 'RAN') throw new Error(ran.kind);
  return ran;
}

const ends = () =>
  db.sql`select account_id, version, cause, lap_id, last_lap, ended_at from exemption_end order by 1, 2`;
const exemptInDatabase = async (): Promise<unknown> =>
  (await db.sql`select exempt from margin_status where account_id = 'bob'`)[0]?.['exempt'];
const inQueue = async (): Promise<number> =>
  (await db.sql`select from adl_queue where account_id = 'bob' and market_id = 'BTCUSDT'`).length;

describe('an exemption until a time', () => {
  it('is ended by the first lap at or after it, as a fact that book, views and history tell alike', async () => {
    const until = addMilliseconds(now, DAY);
    await exempt(db.sql, 'bob', until);
    const [before, follower] = [
      addMilliseconds(until, -1),
      new BookFollower({ sql: db.sql, log: createLog('silent') }),
    ];
    await lap({ at: before });
    expect(await ends()).toEqual([]);
    expect((await follower.refresh()).indicator('bob', 'BTCUSDT')).toEqual({ state: 'EXEMPT' });
    // The clock of whoever looks says nothing: until a lap has ended it, it stands.
    const views = await db.sql.begin(async (tx) => {
      await tx`select set_config('backstop.now', ${addMilliseconds(until, DAY)}, true)`;
      return tx`select exempt from margin_status where account_id = 'bob'`;
    });
    expect(views).toEqual([{ exempt: true }]);

    const ran = await lap({ at: until, memory: { books: follower } });
    expect(ran.book.indicator('bob', 'BTCUSDT')).toMatchObject({ state: 'RANKED' });
    const [round, last] = [ran.round, String(Number(ran.round) - 1)];
    expect(await ends()).toEqual([
      { account_id: 'bob', version: 1, cause: 'EXPIRED', lap_id: round, last_lap: last, ended_at: until },
    ]);
    const followed = await follower.refresh();
    expect(followed.indicator('bob', 'BTCUSDT')).toMatchObject({ state: 'RANKED' });
    expect(toldWhole(followed)).toBe(toldWhole(await takeAnew(db.sql)));
    expect([await exemptInDatabase(), await inQueue()]).toEqual([false, 1]);
    await lap({ at: addMilliseconds(until, 1) });
    expect(await ends()).toHaveLength(1);
  });

  it('counts no more in the lap that ends it', async () => {
    const until = addMilliseconds(now, DAY);
    await exempt(db.sql, 'bob', until);
    await venue.price('BTCUSDT', '97', addMilliseconds(now, 1000));
    await lap({ at: until });
    const legs = await db.sql`select account_id, stage, rank from deleverage_leg order by ordinal`;
    expect(legs).toEqual([
      { account_id: 'bob', stage: 'DELEVERAGE', rank: 1 },
      { account_id: 'carol', stage: 'DELEVERAGE', rank: 2 },
    ]);
    expect(isEqual(await verifyStoredEvent(db.sql, '1'))).toBe(true);
  });

  it('stands after a dry run, which says what the lap will', async () => {
    const until = addMilliseconds(now, DAY);
    await exempt(db.sql, 'bob', until);
    await venue.price('BTCUSDT', '97', addMilliseconds(now, 1000));
    const follower = new BookFollower({ sql: db.sql, log: createLog('silent') });
    await follower.refresh();
    const before = await fingerprintOf(db.sql);
    const dry = await lap({ at: until, dryRun: true, memory: { books: follower } });
    expect(await fingerprintOf(db.sql)).toBe(before);
    expect(toldWhole(follower.current())).toBe(toldWhole(await takeAnew(db.sql)));
    expect(follower.current().indicator('bob', 'BTCUSDT')).toEqual({ state: 'EXEMPT' });
    expect((await lap({ at: until })).digest).toBe(dry.digest);
  });
});

describe('an ADL event that passed over an exempt account', () => {
  it('is made again from what is stored, whatever became of the exemption', async () => {
    await venue.account('dora', { deposit: '900' });
    await venue.trade('BTCUSDT', 'lp-usdt', 'dora', '9', '100');
    await lap();
    await exempt(db.sql, 'bob');
    await venue.price('BTCUSDT', '97', addMilliseconds(now, 1000));
    await lap();
    const skips = await db.sql`select account_id, rank, reason, trim_scale(size)::text as size from deleverage_skip`;
    expect(skips).toEqual([{ account_id: 'bob', rank: null, reason: 'EXEMPT', size: '4' }]);
    const first = await verifyStoredEvent(db.sql, '1');
    expect(first.flatMap(({ differences }) => differences)).toEqual([]);
    await endExemption(db.sql, 'bob');
    await exempt(db.sql, 'carol');
    await lap();
    expect(await verifyStoredEvent(db.sql, '1')).toEqual(first);
    // Without it he would have been the first: the ranking, the legs and the skips would be others.
    await db.sql.begin(async (tx) => {
      await tx`set local session_replication_role = replica`;
      await tx`update exemption set first_lap = first_lap + 1 where account_id = 'bob'`;
    });
    const parts = (await verifyStoredEvent(db.sql, '1')).filter(({ differences }) => differences.length > 0);
    expect(parts.map(({ part }) => part)).toEqual(['RANKING', 'LEGS', 'SKIPS']);
    await db.sql.begin(async (tx) => {
      await tx`set local session_replication_role = replica`;
      await tx`update exemption set first_lap = first_lap - 1 where account_id = 'bob'`;
    });
  });
});

describe('a grant', () => {
  it('waits for a lap that runs, and counts from the next one on', async () => {
    let granted: Promise<void> | undefined;
    await db.sql.begin(async (running) => {
      // As a lap has it.
      await running`select from job where id = 'waterfall' for update`;
      granted = exempt(db.sql, 'bob');
      expect(await Promise.race([granted.then(() => 'granted'), wait(200, 'waiting')])).toBe('waiting');
      await running`update job set round = round + 1 where id = 'waterfall'`;
    });
    await granted;
    expect(await db.sql`select first_lap from exemption`).toEqual([{ first_lap: '2' }]);
  });

  it('has a lap begin anew that took its snapshot before', async () => {
    const changeId = await proposeChange(db.sql, person('ann'), {
      ...{ kind: 'EXEMPTION_GRANT', targetId: 'bob', terms: {}, reason: 'a test', input: {} },
    });
    const [change] = await db.sql<{ digest: string }[]>`select digest from change where id = ${changeId}`;
    const decision = { changeId, digest: change?.digest ?? '', decision: 'APPROVE' };
    let granted: Promise<void> | undefined;
    let begun: Promise<LapRan> | undefined;
    await db.sql.begin(async (other) => {
      await other`select from account where id = 'bob' for update`;
      granted = decideChange(db.sql, person('ben'), changeId, decision);
      await wait(200);
      begun = lap();
      await wait(200);
    });
    await granted;
    const ran = await begun;
    expect(ran?.attempts).toBe(2);
    expect(ran?.book.indicator('bob', 'BTCUSDT')).toEqual({ state: 'EXEMPT' });
    expect(await db.sql`select first_lap::text as round from exemption`).toEqual([{ round: ran?.round }]);
  });
});
