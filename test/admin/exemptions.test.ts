import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { decideChange } from '../../src/admin/decide.js';
import { findImpact, type Impact } from '../../src/admin/impact.js';
import { proposeChange, type Proposal } from '../../src/admin/propose.js';
import { BookFollower, type FollowedBook } from '../../src/book/follower.js';
import { readChanges, type ProposedChange } from '../../src/db/read-changes.js';
import { sideOf } from '../../src/risk/contract.js';
import { entriesOf } from '../../src/risk/ranking.js';
import { createLog } from '../../src/telemetry.js';
import { assertInvariants } from '../support/checks.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { endExemption, exempt, person } from '../support/exemptions.js';
import { fingerprintOf } from '../support/fingerprint.js';
import { createTestVenue, type TestVenue } from '../support/venue.js';

const DAY = 86_400_000;
/** Where a refusal leaves its trace. */
const RECORDS = ['audit_entry', 'chain_due'];
const GRANT = {
  kind: 'EXEMPTION_GRANT',
  targetId: 'bob',
  terms: { until: null },
  reason: 'a test',
  input: {},
} as const;
const END = { ...GRANT, kind: 'EXEMPTION_END', terms: {} } as const;

let db: TestDatabase;
let venue: TestVenue;
let book: BookFollower;
beforeEach(async () => {
  db = await createTestDatabase();
  venue = await createTestVenue(db.sql, { staleAfterMs: DAY });
  venue.at = new Date().toISOString();
  book = new BookFollower({ sql: db.sql, log: createLog('silent') });
  for (const [k, id] of ['ann', 'bob', 'cat', 'dan', 'eve', 'fay'].entries()) {
    await venue.account(id, { deposit: String(100 + 40 * k) });
    await venue.trade('BTCUSDT', 'lp-usdt', id, String(5 + k), '100');
    await venue.trade('ETHUSDT', id, 'lp-usdt', String(12 - k), '10');
  }
  await venue.price('BTCUSDT', '99');
  await venue.price('ETHUSDT', '10');
});
afterEach(async () => {
  await assertInvariants(db.sql);
  await db.drop();
});

async function propose(proposal: Proposal, by = 'prue'): Promise<ProposedChange> {
  const [change] = await readChanges(db.sql, [await proposeChange(db.sql, person(by), proposal)]);
  if (change == null) throw new Error('no change');
  return change;
}

function decide({ id: changeId, digest }: ProposedChange, by: string): Promise<void> {
  return decideChange(db.sql, person(by), changeId, { changeId, digest, decision: 'APPROVE' });
}

const statuses = () => db.sql<Record<string, unknown>[]>`
  select account_id, version, reason, changed_by, change_id, end_cause, ended_by, end_change_id from exemption_status order by 1, 2`;
const flag = async (id = 'bob'): Promise<unknown> =>
  (await db.sql`select exempt from account where id = ${id}`)[0]?.['exempt'];

describe('an exemption', () => {
  it('is granted and ended by two persons, with its history and its audit entries', async () => {
    const grant = await propose(GRANT);
    expect(JSON.parse(grant.payload)).toEqual({ until: null, version: 1 });
    expect([await flag(), await statuses()]).toEqual([false, []]);
    await expect(decide(grant, 'prue')).rejects.toMatchObject({ code: 'SELF_APPROVAL' });
    expect(await flag()).toBe(false);
    await decide(grant, 'ada');
    expect(await flag()).toBe(true);
    const end = await propose(END, 'paul');
    await decide(end, 'ada');
    expect(await flag()).toBe(false);
    expect(await statuses()).toEqual([
      {
        ...{ account_id: 'bob', version: 1, reason: 'a test', changed_by: 'prue', change_id: grant.id },
        ...{ end_cause: 'CHANGE', ended_by: 'paul', end_change_id: end.id },
      },
    ]);
    const entries = await db.sql`
      select action, actor, before -> 'exempt' as before, after -> 'exempt' as after, after #> '{exemption,version}' as version
      from audit_entry where target_type = 'Account' and target_id = 'bob' and outcome = 'ACCEPTED' order by id`;
    expect(entries).toEqual([
      { action: 'exemptionGrant', actor: 'ada', before: false, after: true, version: '1' },
      { action: 'exemptionEnd', actor: 'ada', before: true, after: false, version: null },
    ]);
  });

  it.each([
    ['of nobody', { ...GRANT, targetId: 'nobody' }, 'UNKNOWN_ACCOUNT', 'accountId'],
    ['of a liquidity provider', { ...GRANT, targetId: 'lp-usdt' }, 'CONFLICT', 'accountId'],
    ['of a fund', { ...GRANT, targetId: 'fund-usdt' }, 'CONFLICT', 'accountId'],
    ['until a time that is over', { ...GRANT, terms: { until: '2020-01-01T00:00:00Z' } }, 'BAD_INPUT', 'until'],
    ['until no time', { ...GRANT, terms: { until: 'soon' } }, 'BAD_INPUT', 'until'],
    ['without a reason', { ...GRANT, reason: ' ' }, 'BAD_INPUT', 'reason'],
    ['that was never granted, at its end', END, 'CONFLICT', 'accountId'],
    ['of nobody, at its end', { ...END, targetId: 'nobody' }, 'UNKNOWN_ACCOUNT', 'accountId'],
  ])('%s is refused, and nothing changed', async (_what, proposal, code, field) => {
    const before = await fingerprintOf(db.sql, RECORDS);
    await expect(propose(proposal)).rejects.toMatchObject({ code, field });
    expect(await fingerprintOf(db.sql, RECORDS)).toBe(before);
  });

  it('is not granted twice, and what was meant for an earlier one is void', async () => {
    const [first, second] = [await propose(GRANT), await propose(GRANT)];
    await decide(first, 'ada');
    await expect(propose(GRANT)).rejects.toMatchObject({ code: 'CONFLICT', field: 'accountId' });
    await expect(decide(second, 'ada')).rejects.toMatchObject({ code: 'CONFLICT' });
    const [end, late] = [await propose(END), await propose(END)];
    await decide(end, 'ada');
    // It would be the second exemption of the account, and was proposed as the first.
    await expect(decide(second, 'ada')).rejects.toMatchObject({ code: 'CONFLICT', field: 'changeId' });
    await exempt(db.sql, 'bob');
    await expect(decide(late, 'ada')).rejects.toMatchObject({ code: 'CONFLICT', field: 'changeId' });
    expect(await flag()).toBe(true);
    expect((await statuses()).map(({ version, end_cause: cause }) => [version, cause])).toEqual([
      [1, 'CHANGE'],
      [2, null],
    ]);
  });

  it('whose time is over before it is approved is not granted', async () => {
    const until = new Date(Date.now() + 1500).toISOString();
    const grant = await propose({ ...GRANT, terms: { until } });
    await db.sql`select pg_sleep(1.6)`;
    await expect(decide(grant, 'ada')).rejects.toMatchObject({ code: 'BAD_INPUT', field: 'until' });
    expect(await flag()).toBe(false);
  });
});

describe('the database itself', () => {
  /** Of somebody who writes past the service. */
  const insert = (accountId: string, changeId: string, version = 1): Promise<unknown> =>
    db.sql`insert into exemption (account_id, version, changed_by, reason, change_id, first_lap)
      values (${accountId}, ${version}, 'x', 'x', ${changeId}::bigint, 1)`.execute();

  it('refuses an exemption that nobody approved, was meant for another account, or of no trader', async () => {
    const grant = await propose(GRANT);
    await expect(insert('bob', '77')).rejects.toThrow(/does not allow this of account bob|foreign key/);
    await expect(insert('bob', grant.id)).rejects.toThrow(/does not allow this of account bob, or nobody approved it/);
    await decide(grant, 'ada');
    await expect(insert('cat', grant.id)).rejects.toThrow(/does not allow this of account cat/);
    await expect(insert('bob', grant.id, 2)).rejects.toThrow(/is exempt already/);
    await expect(insert('lp-usdt', grant.id)).rejects.toThrow(/is no trader's/);
    const end = db.sql`insert into exemption_end (account_id, version, cause, changed_by, reason, change_id, last_lap)
      values ('bob', 1, 'CHANGE', 'x', 'x', ${grant.id}::bigint, 0)`;
    await expect(end.execute()).rejects.toThrow(/does not allow this of account bob/);
    expect([await flag(), await flag('cat')]).toEqual([true, false]);
  });

  it('keeps the history as it is, and the flag at what it comes to', async () => {
    await exempt(db.sql, 'bob');
    await expect(db.sql`update account set exempt = false where id = 'bob'`).rejects.toThrow(/follows from exemption/);
    await expect(db.sql`update account set exempt = true where id = 'cat'`).rejects.toThrow(/follows from exemption/);
    await expect(
      db.sql`insert into account (id, trader_id, kind, mode, margin_asset_id, exempt) values ('new', 'bob', 'TRADER', 'CROSS', 'USDT', true)`,
    ).rejects.toThrow(/follows from exemption/);
    await expect(db.sql`update exemption set reason = 'another'`).rejects.toThrow(/is history/);
    await expect(db.sql`delete from exemption`).rejects.toThrow(/is history/);
    await endExemption(db.sql, 'bob');
    await expect(db.sql`delete from exemption_end`).rejects.toThrow(/is history/);
    expect(await flag()).toBe(false);
  });

  it('tells by its invariants of a flag that is not what the history comes to', async () => {
    const violations = () => db.sql`select invariant, subject, detail from invariant_violations`;
    const tamper = (exempt: boolean): Promise<unknown> =>
      db.sql.begin(async (tx) => {
        await tx`set local session_replication_role = replica`;
        await tx`update account set exempt = ${exempt} where id = 'bob'`;
      });
    await tamper(true);
    expect(await violations()).toEqual([
      { invariant: 12, subject: 'account bob', detail: 'its exempt is t, its history says f' },
    ]);
    await tamper(false);
    expect(await violations()).toEqual([]);
  });
});

/** Levels of the others by name, and what stands in each queue of the account. */
function look(
  now: FollowedBook,
  accountId: string,
): Map<string, { levels: Map<string, number>; length: number; size: string }> {
  const found = new Map<string, { levels: Map<string, number>; length: number; size: string }>();
  for (const [marketId, { size }] of now.account(accountId)?.positions ?? []) {
    const ranking = now.ranking(marketId, sideOf(size));
    const levels = new Map([...entriesOf(ranking)].map((entry) => [entry.accountId, entry.level]));
    levels.delete(accountId);
    found.set(marketId, { levels, length: ranking.queueLength, size: ranking.queueSize.toFixed() });
  }
  return found;
}

describe('the impact of an exemption', () => {
  const suppose: BookFollower['suppose'] = (change) => book.suppose(change);
  const told = ({ queues }: Impact): unknown[] =>
    (queues ?? []).map((q) => ({
      ...q,
      size: q.size.toFixed(),
      notional: q.notional?.toFixed(),
      sizeBefore: q.sizeBefore.toFixed(),
      sizeAfter: q.sizeAfter.toFixed(),
    }));

  it('is what leaves the queues, and comes back, as it is seen when it is in force', async () => {
    const accounts = fc.constantFrom('ann', 'bob', 'cat', 'dan', 'eve', 'fay');
    await fc.assert(
      fc.asyncProperty(accounts, async (targetId) => {
        const proposal = (await flag(targetId)) === true ? END : GRANT;
        const before = look(await book.refresh(), targetId);
        const change = await propose({ ...proposal, targetId });
        const impact = await findImpact(change, suppose);
        expect(book.current().exemptIds().includes(targetId)).toBe(proposal === END);
        await decide(change, 'ada');
        const now = await book.refresh();
        const after = look(now, targetId);
        const expected = [...before].map(([marketId, was]) => {
          const is = after.get(marketId);
          const size = now.account(targetId)?.positions.get(marketId)?.size;
          const price = now.marks.get(marketId)?.price;
          if (is === undefined || size === undefined || price === undefined) throw new Error('no position');
          return {
            ...{
              marketId,
              side: sideOf(size),
              size: size.abs().toFixed(),
              notional: size.abs().times(price).toFixed(),
            },
            ...{ lengthBefore: was.length, lengthAfter: is.length, sizeBefore: was.size, sizeAfter: is.size },
            levelsChanged: [...is.levels].filter(([id, level]) => was.levels.get(id) !== level).length,
          };
        });
        expect(told(impact)).toEqual(expected);
        expect(expected).toHaveLength(2);
        expect(impact.statuses.map(({ newAccounts }) => newAccounts)).toEqual([0, 0, 0, 0, 0]);
      }),
      { numRuns: 12 },
    );
  });

  it('in figures', async () => {
    await book.refresh();
    const impact = await findImpact(await propose({ ...GRANT, targetId: 'fay' }), suppose);
    expect(told(impact)).toMatchObject([
      {
        ...{ marketId: 'BTCUSDT', side: 'SHORT', size: '10', notional: '990', lengthBefore: 6, lengthAfter: 5 },
        ...{ sizeBefore: '45', sizeAfter: '35' },
      },
      {
        ...{ marketId: 'ETHUSDT', side: 'LONG', size: '7', notional: '70', lengthBefore: 6, lengthAfter: 5 },
        ...{ sizeBefore: '57', sizeAfter: '50' },
      },
    ]);
  });
});
