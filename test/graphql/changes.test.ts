import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { proposeChange } from '../../src/admin/propose.js';
import { runLap } from '../../src/engine/run-lap.js';
import { bearer } from '../support/access.js';
import { assertInvariants } from '../support/checks.js';
import { fingerprintOf } from '../support/fingerprint.js';
import { actOn, decideOn, freshVenue, startApi, tellOfAlice, type TestApi } from './api.js';

/* eslint-disable @typescript-eslint/no-explicit-any, @typescript-eslint/no-unsafe-assignment, @typescript-eslint/no-unsafe-member-access, @typescript-eslint/no-unsafe-return, @typescript-eslint/no-unsafe-call, @typescript-eslint/no-unsafe-argument -- answers are JSON, read by the names just asked for */

const WHY = { reason: 'a test' };
const STEEP = [{ floor: '0', maintenanceRate: '0.015', initialRate: '0.03' }];
const BRACKETS = { marketSymbol: 'BTCUSDT', brackets: STEEP, ...WHY };
const CHANGE = 'id kind targetType targetId payload digest reason proposedBy proposedAt expiresAt status decidedBy';
/** Where a proposal, a decision and a refusal stand; all else must stay as it was. */
const RECORDS = ['audit_entry', 'chain_due', 'change', 'change_decision'];

let api: TestApi;
beforeAll(async () => {
  api = await startApi();
  const venue = await freshVenue(api.sql);
  await tellOfAlice(venue);
  await venue.deposit('fund-usdt', '10');
});
afterAll(async () => {
  await assertInvariants(api.sql);
  await api.stop();
});

async function propose(mutation: string, input: unknown, authorization?: string): Promise<any> {
  const { change, userErrors } = await actOn(api, mutation, input, `change { ${CHANGE} }`, authorization);
  expect(userErrors).toEqual([]);
  return change;
}

const codeOf = ({ userErrors }: any): string => userErrors[0]?.code;

async function statusOf(id: string): Promise<string> {
  const { node } = await api.read('query($id: ID!) { node(id: $id) { ... on Change { status } } }', { id });
  return node.status;
}

async function entries(targetId: string): Promise<any[]> {
  return api.sql`
    select actor, action, target_type as "targetType", outcome, code, before, after from audit_entry
    where target_id = ${targetId} order by id`;
}

describe('a proposal', () => {
  it('applies nothing: it is stored, with its digest and its end', async () => {
    const before = await fingerprintOf(api.sql, RECORDS);
    const change = await propose('bracketsChange', BRACKETS);
    expect(await fingerprintOf(api.sql, RECORDS)).toBe(before);
    expect(change).toMatchObject({
      ...{ kind: 'BRACKETS_CHANGE', targetType: 'Market', targetId: 'BTCUSDT', reason: 'a test' },
      ...{ proposedBy: 'tester', status: 'PROPOSED', decidedBy: null },
    });
    expect(JSON.parse(change.payload)).toEqual({ brackets: STEEP, version: 2 });
    expect(Date.parse(change.expiresAt) - Date.parse(change.proposedAt)).toBe(24 * 60 * 60 * 1000);
    const [row] = await api.sql`
      select change_digest('BRACKETS_CHANGE', 'Market', 'BTCUSDT', ${change.payload}::text::jsonb, 'a test') as digest`;
    expect(change.digest).toBe(row?.['digest']);
  });

  it.each([
    ['bracketsChange', { ...BRACKETS, marketSymbol: 'NONE' }, 'UNKNOWN_MARKET', ['input', 'marketSymbol']],
    ['bracketsChange', { ...BRACKETS, brackets: [] }, 'BAD_INPUT', ['input', 'brackets']],
    // Not above the largest fee, which the market alone knows.
    [
      'bracketsChange',
      { ...BRACKETS, brackets: [{ ...STEEP[0], maintenanceRate: '0.001' }] },
      'BAD_INPUT',
      ['input', 'brackets'],
    ],
    ['policyChange', { marketSymbol: 'NONE', policy: {}, ...WHY }, 'UNKNOWN_MARKET', ['input', 'marketSymbol']],
    ['marketResume', { marketSymbol: 'BTCUSDT', ...WHY }, 'CONFLICT', ['input', 'marketSymbol']],
    ['engineStart', WHY, 'CONFLICT', null],
    ['engineStart', { reason: '' }, 'BAD_INPUT', ['input', 'reason']],
    [
      'insuranceFundWithdraw',
      { id: 'w0', insuranceFundId: 'fund-usdt', amount: '10.01', ...WHY },
      'FUND_BELOW_ZERO',
      ['input', 'amount'],
    ],
    [
      'insuranceFundWithdraw',
      { id: 'w0', insuranceFundId: 'none', amount: '1', ...WHY },
      'NOT_FOUND',
      ['input', 'insuranceFundId'],
    ],
  ])('%s that could not be applied is refused at once', async (mutation, input, code, field) => {
    const before = await fingerprintOf(api.sql, ['audit_entry', 'chain_due']);
    const { change, userErrors } = await actOn(api, mutation, input, 'change { id }');
    expect([change, userErrors[0].code, userErrors[0].field]).toEqual([null, code, field]);
    expect(await fingerprintOf(api.sql, ['audit_entry', 'chain_due'])).toBe(before);
  });
});

describe('another person', () => {
  it('approves, and what was proposed is in force, with both in the audit log', async () => {
    const change = await propose('bracketsChange', { ...BRACKETS, marketSymbol: 'ETHUSDT' });
    expect(await decideOn(api, change)).toMatchObject({
      change: { status: 'APPLIED', decidedBy: 'second' },
      userErrors: [],
    });
    const { market } = await api.read(
      '{ market(symbol: "ETHUSDT") { brackets { floor maintenanceRate initialRate } } }',
    );
    expect(market.brackets).toEqual(STEEP);
    const [version] = await api.sql`
      select changed_by, reason from bracket_version where market_id = 'ETHUSDT' and version = 2`;
    expect(version).toEqual({ changed_by: 'tester', reason: 'a test' });
    expect(await entries(change.id.slice('Change:'.length))).toMatchObject([
      {
        actor: 'tester',
        action: 'bracketsChange',
        outcome: 'ACCEPTED',
        before: null,
        after: { status: 'PROPOSED', payload: { brackets: STEEP } },
      },
      {
        actor: 'second',
        action: 'changeDecide',
        outcome: 'ACCEPTED',
        before: { status: 'PROPOSED' },
        after: { status: 'APPLIED', decided_by: 'second', digest: change.digest },
      },
    ]);
    expect(await entries('ETHUSDT')).toMatchObject([
      {
        actor: 'second',
        action: 'bracketsChange',
        targetType: 'Market',
        before: { brackets: [{ version: '1' }, {}] },
        after: { brackets: [{ version: '2', maintenance_rate: '0.015' }] },
      },
    ]);
  });

  it('rejects, and it never comes into force', async () => {
    const change = await propose('policyChange', { marketSymbol: 'BTCUSDT', policy: { priceBasis: 'MARK' }, ...WHY });
    const before = await fingerprintOf(api.sql, RECORDS);
    expect((await decideOn(api, change, 'REJECT')).change.status).toBe('REJECTED');
    expect(codeOf(await decideOn(api, change))).toBe('CONFLICT');
    expect(await fingerprintOf(api.sql, RECORDS)).toBe(before);
    expect(await entries(change.id.slice('Change:'.length))).toMatchObject([
      { after: { status: 'PROPOSED' } },
      { after: { status: 'REJECTED' } },
      { action: 'changeDecide', outcome: 'REFUSED', code: 'CONFLICT' },
    ]);
  });

  it('is not who proposed, whatever his scopes', async () => {
    const change = await propose('bracketsChange', BRACKETS);
    const before = await fingerprintOf(api.sql, ['audit_entry', 'chain_due']);
    for (const decision of ['APPROVE', 'REJECT'] as const)
      expect(codeOf(await decideOn(api, change, decision, await bearer()))).toBe('SELF_APPROVAL');
    expect(await fingerprintOf(api.sql, ['audit_entry', 'chain_due'])).toBe(before);
    expect(await statusOf(change.id)).toBe('PROPOSED');
  });

  it('decides on what was seen, in time, on what there is, once', async () => {
    const change = await propose('bracketsChange', BRACKETS);
    const other = { ...change, digest: 'a'.repeat(64) };
    const mismatch = await decideOn(api, other);
    expect(codeOf(mismatch)).toBe('DIGEST_MISMATCH');
    expect(JSON.stringify(mismatch)).not.toContain(change.digest);
    expect(codeOf(await decideOn(api, { ...change, id: 'Change:999' }))).toBe('NOT_FOUND');
    const actor = { subject: 'tester', scopes: [], requestId: 'r' };
    const terms = { brackets: STEEP };
    const late = { kind: 'BRACKETS_CHANGE', targetId: 'BTCUSDT', terms, input: {}, ...WHY } as const;
    const id = await proposeChange(api.sql, actor, late, 1);
    const [row] = await api.sql<{ digest: string }[]>`select digest, pg_sleep(0.01) from change where id = ${id}`;
    expect(codeOf(await decideOn(api, { id: `Change:${id}`, digest: row?.digest ?? '' }))).toBe('EXPIRED');
    expect(await statusOf(`Change:${id}`)).toBe('EXPIRED');
    expect((await decideOn(api, change)).change.status).toBe('APPLIED');
    expect(codeOf(await decideOn(api, change))).toBe('CONFLICT');
  });

  it('cannot apply what was overtaken: terms of another version, a halt that is over', async () => {
    const [first, second] = [await propose('bracketsChange', BRACKETS), await propose('bracketsChange', BRACKETS)];
    expect((await decideOn(api, first)).change.status).toBe('APPLIED');
    expect(codeOf(await decideOn(api, second))).toBe('CONFLICT');
    const halt = { marketSymbol: 'BTCUSD', ...WHY };
    await actOn(api, 'marketHalt', halt, 'market { status }');
    const [now, later] = [await propose('marketResume', halt), await propose('marketResume', halt)];
    expect((await decideOn(api, now)).change.status).toBe('APPLIED');
    expect(codeOf(await decideOn(api, later))).toBe('CONFLICT');
    await actOn(api, 'marketHalt', halt, 'market { status }');
    const before = await fingerprintOf(api.sql, ['audit_entry', 'chain_due']);
    expect(codeOf(await decideOn(api, later))).toBe('CONFLICT');
    expect(await fingerprintOf(api.sql, ['audit_entry', 'chain_due'])).toBe(before);
    expect((await decideOn(api, later, 'REJECT')).change.status).toBe('REJECTED');
  });

  it('or two at once: it is applied once', async () => {
    const change = await propose('bracketsChange', { ...BRACKETS, marketSymbol: 'BTCUSD' });
    const someone = (subject: string): Promise<string> => bearer({ subject, scopes: ['approve:admin'] });
    const persons = ['p1', 'p2', 'p3', 'p4'];
    const answers = await Promise.all(
      persons.map(async (person) => decideOn(api, change, 'APPROVE', await someone(person))),
    );
    expect(answers.filter(({ userErrors }) => userErrors.length === 0)).toHaveLength(1);
    expect(answers.flatMap(({ userErrors }) => userErrors.map(({ code }: any) => code))).toEqual(
      Array(3).fill('CONFLICT'),
    );
    const versions = await api.sql`select from bracket_version where market_id = 'BTCUSD'`;
    expect(versions).toHaveLength(2);
  });

  it('decides nothing when the transaction ends before its commit', async () => {
    const change = await propose('policyChange', { marketSymbol: 'BTCUSD', policy: {}, ...WHY });
    const before = await fingerprintOf(api.sql, ['audit_entry', 'chain_due']);
    await api.sql.unsafe(`
      create function cut() returns trigger language plpgsql as
        $$ begin perform pg_terminate_backend(pg_backend_pid()); return null; end $$;
      create constraint trigger cut after insert on change_decision deferrable initially deferred
        for each row execute function cut()`);
    await expect(decideOn(api, change)).rejects.toThrow();
    await api.sql.unsafe('drop trigger cut on change_decision; drop function cut()');
    expect(await statusOf(change.id)).toBe('PROPOSED');
    expect(await fingerprintOf(api.sql, ['audit_entry', 'chain_due'])).toBe(before);
    expect((await decideOn(api, change)).change.status).toBe('APPLIED');
  });
});

describe('the database itself', () => {
  const decide = (id: string, digest: string, by: string): Promise<unknown> =>
    api.sql`insert into change_decision (change_id, decision, digest, decided_by, decided_at)
      values (${id}::bigint, 'APPROVE', ${digest}, ${by}, '2000-01-01')`.execute();

  it('refuses self-approval, what has expired, another digest and a second decision', async () => {
    const { id: node, digest } = await propose('policyChange', { marketSymbol: 'BTCUSDT', policy: {}, ...WHY });
    const id = node.slice('Change:'.length);
    await expect(decide(id, digest, 'tester')).rejects.toThrow(/was proposed by tester: another person decides/);
    await expect(decide(id, 'x', 'second')).rejects.toThrow(/has another digest/);
    const [late] = await api.sql<{ id: string; digest: string }[]>`
      insert into change (kind, target_type, target_id, payload, reason, proposed_by, proposed_at, expires_at)
      values ('ENGINE_START', 'Job', 'waterfall', '{}', 'x', 'tester', now() - interval '2 s', now() - interval '1 s')
      returning id, digest`;
    await expect(decide(late?.id ?? '', late?.digest ?? '', 'second')).rejects.toThrow(/has expired/);
    await decide(id, digest, 'second');
    await expect(decide(id, digest, 'third')).rejects.toThrow(/duplicate key/);
    const [row] = await api.sql<{ decided_at: string }[]>`
      select decided_at from change_decision where change_id = ${id}::bigint`;
    expect(row?.decided_at.slice(0, 4)).not.toBe('2000');
  });

  it('refuses a proposal without an end, or with an end too far away', async () => {
    const insert = (expires: string): Promise<unknown> =>
      api.sql`insert into change (kind, target_type, target_id, payload, reason, proposed_by, expires_at)
        values ('ENGINE_START', 'Job', 'waterfall', '{}', 'x', 'tester', now() + ${expires}::interval)`.execute();
    await expect(insert('-1 s')).rejects.toThrow(/check/);
    await expect(insert('8 days')).rejects.toThrow(/check/);
  });
});

describe('the engine', () => {
  it('is stopped by one and started by two', async () => {
    const lap = (): Promise<string> => runLap(api.sql, { worker: 'test' }).then(({ kind }) => kind);
    expect(await lap()).toBe('RAN');
    const stopped = await actOn(api, 'engineStop', WHY, 'engine { name paused }');
    expect(stopped).toEqual({ engine: { name: 'waterfall', paused: true }, userErrors: [] });
    expect(await lap()).toBe('PAUSED');
    expect((await actOn(api, 'jobRun', { name: 'waterfall' }, 'outcome')).outcome).toBe('PAUSED');
    expect(codeOf(await actOn(api, 'engineStop', WHY, 'engine { name }'))).toBe('CONFLICT');
    const change = await propose('engineStart', WHY);
    expect(await lap()).toBe('PAUSED');
    expect(codeOf(await decideOn(api, change, 'APPROVE', await bearer()))).toBe('SELF_APPROVAL');
    expect(await lap()).toBe('PAUSED');
    expect((await decideOn(api, change)).change.status).toBe('APPLIED');
    expect(await lap()).toBe('RAN');
    expect(await entries('waterfall')).toMatchObject([
      { action: 'engineStart', outcome: 'REFUSED' },
      { action: 'engineStart', outcome: 'REFUSED' },
      { action: 'engineStop', before: { paused: false }, after: { paused: true } },
      { action: 'jobRun', outcome: 'REFUSED' },
      { action: 'engineStop', outcome: 'REFUSED', code: 'CONFLICT' },
      { action: 'engineStart', actor: 'second', before: { paused: true }, after: { paused: false } },
    ]);
  });
});

describe('a withdrawal from a fund', () => {
  it('is paid once, by two, and at most what is there then', async () => {
    const input = { id: 'w1', insuranceFundId: 'fund-usdt', amount: '6', ...WHY };
    const change = await propose('insuranceFundWithdraw', input);
    const other = await propose('insuranceFundWithdraw', { ...input, id: 'w2' });
    const again = await propose('insuranceFundWithdraw', input);
    expect((await decideOn(api, change)).change.status).toBe('APPLIED');
    expect(codeOf(await decideOn(api, other))).toBe('FUND_BELOW_ZERO');
    expect(codeOf(await decideOn(api, again))).toBe('CONFLICT');
    expect(await statusOf(other.id)).toBe('PROPOSED');
    // A feed may tell it again, and may not do the same by itself.
    const told = { accountId: 'fund-usdt', assetSymbol: 'USDT', amount: '-6' };
    const feed = (id: string): Promise<any> =>
      actOn(api, 'transfersRecord', { transfers: [{ id, ...told }] }, 'recorded duplicates');
    expect(await feed('w1')).toEqual({ recorded: 0, duplicates: 1, userErrors: [] });
    expect(codeOf(await feed('w3'))).toBe('NEEDS_APPROVAL');
    const payments = [
      { accountId: 'fund-usdt', amount: '-1' },
      { accountId: 'bob', amount: '1' },
    ];
    const fundings = [{ id: 'f1', marketSymbol: 'BTCUSDT', payments }];
    expect(codeOf(await actOn(api, 'fundingRecord', { fundings }, 'recorded'))).toBe('NEEDS_APPROVAL');
    const { insuranceFunds } = await api.read(
      '{ insuranceFunds { externalId balance ledger(first: 1) { edges { node { amount kind } } } } }',
    );
    expect(insuranceFunds.find(({ externalId }: any) => externalId === 'fund-usdt')).toMatchObject({
      balance: '4',
      ledger: { edges: [{ node: { amount: '-6', kind: 'TRANSFER' } }] },
    });
  });
});

describe('the list of changes', () => {
  it('has all of them, newest first, by status, in pages', async () => {
    const query = `query($first: Int, $after: String, $statuses: [ChangeStatus!]) {
      changes(first: $first, after: $after, statuses: $statuses) {
        edges { node { id status impact { computedAt } } } pageInfo { hasNextPage endCursor } } }`;
    const all: any[] = [];
    for (let after: string | null = null, more = true; more;) {
      const { changes } = await api.read(query, { first: 3, after });
      all.push(...changes.edges.map(({ node }: any) => node));
      more = changes.pageInfo.hasNextPage;
      after = changes.pageInfo.endCursor;
    }
    const [row] = await api.sql<{ count: number }[]>`select count(*)::integer as count from change`;
    expect(all).toHaveLength(row?.count ?? 0);
    expect(new Set(all.map(({ status }) => status))).toEqual(new Set(['PROPOSED', 'APPLIED', 'REJECTED', 'EXPIRED']));
    for (const { status, impact } of all) expect([status, impact !== null]).toEqual([status, status === 'PROPOSED']);
    const { changes } = await api.read(query, { first: 50, statuses: ['REJECTED', 'EXPIRED'] });
    expect(changes.edges.map(({ node }: any) => node.id)).toEqual(
      all.filter(({ status }) => status === 'REJECTED' || status === 'EXPIRED').map(({ id }) => id),
    );
  });
});
