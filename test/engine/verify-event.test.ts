import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { runLap } from '../../src/engine/run-lap.js';
import type { VerifiedPart } from '../../src/engine/verify-event.js';
import { isEqual, tellVerifiedEvent, verifyStoredEvent } from '../../src/verify-event.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { createTestVenue, type TestVenue } from '../support/venue.js';
import { playCrash } from '../support/crash.js';

const found = (parts: readonly VerifiedPart[]): string[] =>
  parts.flatMap(({ part, differences }) =>
    differences.map(({ name, stored, recomputed }) => `${part} ${name}: ${stored ?? '-'} for ${recomputed ?? '-'}`),
  );

describe('an ADL event made again from what is stored', () => {
  let db: TestDatabase;
  let venue: TestVenue;
  beforeEach(async () => {
    db = await createTestDatabase();
  });
  afterEach(() => db.drop());

  /** Two bankrupts with positions in two markets each, the fund emptied by the first, one counterparty without room. */
  async function tell(): Promise<void> {
    venue = await createTestVenue(db.sql);
    await venue.deposit('fund-usdt', '5');
    await venue.account('alice', { deposit: '40' });
    await venue.account('amy', { deposit: '31.007' });
    for (const [id, deposit] of [
      ['bob', '100'],
      ['carol', '60'],
      ['dora', '30'],
      ['eve', '4'],
    ] as const)
      await venue.account(id, { deposit });
    await venue.trade('BTCUSDT', 'alice', 'bob', '3', '100', { buyerFee: '0.1' });
    await venue.trade('BTCUSDT', 'alice', 'carol', '4', '100.5');
    await venue.trade('BTCUSDT', 'amy', 'dora', '3', '101');
    await venue.trade('BTCUSDT', 'lp-usdt', 'eve', '1', '94');
    await venue.trade('ETHUSDT', 'carol', 'alice', '7', '10');
    await venue.trade('ETHUSDT', 'bob', 'amy', '20', '10.1');
    await venue.price('BTCUSDT', '100');
    await venue.price('ETHUSDT', '10');
    await runLap(db.sql, { worker: 'test', at: venue.at });
    venue.at = '2025-10-10T21:00:20.000000Z';
    await venue.price('BTCUSDT', '93');
    await venue.price('ETHUSDT', '10.9');
    await venue.depth('BTCUSDT', { bids: '1@92.5', asks: '1@93.5' });
    await runLap(db.sql, { worker: 'test', at: venue.at });
  }

  const events = async (): Promise<string[]> =>
    (await db.sql<{ id: string }[]>`select id from deleverage_event order by id`).map(({ id }) => id);
  /** Past every guard, as somebody who owns the database can. */
  async function alter(statement: string): Promise<void> {
    await db.sql.begin(async (tx) => {
      await tx`set local session_replication_role = replica`;
      await tx.unsafe(statement);
    });
  }

  it('is equal in every figure, whatever came later', async () => {
    await tell();
    const ids = await events();
    expect(ids.length).toBeGreaterThan(2);
    const first = await Promise.all(ids.map((id) => verifyStoredEvent(db.sql, id)));
    expect(first.flatMap(found)).toEqual([]);
    const [ranking] = await db.sql<{ digest: string }[]>`
      select r.digest from ranking r join deleverage_event e on e.ranking_id = r.id where e.id = ${ids[0] ?? ''}`;
    expect(ranking?.digest).toMatch(/^[0-9a-f]{64}$/);
    expect(first.every(isEqual)).toBe(true);
    // The live state, the terms and the prices move on; what is stored of the lap does not.
    await venue.deposit('bob', '1000');
    await venue.trade('BTCUSDT', 'lp-usdt', 'carol', '9', '93');
    await venue.price('BTCUSDT', '90');
    await db.sql`insert into policy_version (market_id, version, score, allocation, price_basis, trigger, changed_by, reason)
      values ('BTCUSDT', 2, 'ACCOUNT_RETURN', 'PRO_RATA', 'MARK', 'FUND_EXHAUSTED', 'test', 'later')`;
    expect(await Promise.all(ids.map((id) => verifyStoredEvent(db.sql, id)))).toEqual(first);
  });

  it('is equal in the story of a crash', async () => {
    await playCrash(db.sql);
    const ids = await events();
    expect(ids.length).toBeGreaterThan(0);
    for (const id of ids) expect(found(await verifyStoredEvent(db.sql, id))).toEqual([]);
  });

  it('names what was altered', async () => {
    await tell();
    const [id = ''] = await events();
    const verified = (): Promise<VerifiedPart[]> => verifyStoredEvent(db.sql, id);
    const alterations: readonly (readonly [string, string, RegExp])[] = [
      ['deleverage_event', 'price_value = price_value + 0.000000000000000001', /^PRICE price_value: /],
      ['deleverage_event', 'fund_paid = fund_paid - 0.01', /^PRICE fund_paid: /],
      ['deleverage_leg', 'score = score + 1', /^LEGS leg 1 score: /],
      ['deleverage_leg', `account_id = 'lp-usdt'`, /^LEGS leg 1 account_id: lp-usdt for /],
      ['ranking_entry', 'score = score + 1', /^RANKING rank 1 score: /],
    ];
    for (const [table, change, expected] of alterations) {
      const where =
        table === 'ranking_entry'
          ? `rank = 1 and ranking_id = (select ranking_id from deleverage_event where id = ${id})`
          : table === 'deleverage_leg'
            ? `event_id = ${id} and ordinal = 1`
            : `id = ${id}`;
      await alter(`create table kept as select * from ${table} where ${where}`);
      await alter(`update ${table} set ${change} where ${where}`);
      const parts = await verified();
      expect(isEqual(parts)).toBe(false);
      expect(found(parts)).toEqual([expect.stringMatching(expected)]);
      expect(parts.filter((part) => part.storedDigest !== part.recomputedDigest)).toHaveLength(1);
      expect(tellVerifiedEvent(parts)).toContain('DIFFERS in 1 of');
      await alter(`delete from ${table} where ${where}`);
      await alter(`insert into ${table} overriding system value select * from kept`);
      await alter('drop table kept');
      expect(isEqual(await verified())).toBe(true);
    }
  });

  it('names what follows from an altered input', async () => {
    await tell();
    const [event] = await db.sql<
      { id: string }[]
    >`select min(id) as id from deleverage_event where market_id = 'BTCUSDT'`;
    const id = event?.id ?? '';
    await alter(
      `update lap_price set price = 93.01 where market_id = 'BTCUSDT' and lap_id = (select lap_id from deleverage_event where id = ${id})`,
    );
    const names = found(await verifyStoredEvent(db.sql, id)).map((line) => line.split(':')[0]);
    expect(names).toEqual(
      expect.arrayContaining([
        'RANKING id',
        'RANKING rank 1 score',
        'PRICE mark',
        'PRICE deficit',
        'LEGS leg 1 mark_value',
      ]),
    );
  });

  it('is refused of what is no event', async () => {
    for (const name of ['1', 'alice', ''])
      await expect(verifyStoredEvent(db.sql, name)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});
