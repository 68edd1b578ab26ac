import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { SCOPES } from '../../src/access/caller.js';
import { sealChains } from '../../src/db/chains.js';
import { loadSchema } from '../../src/graphql/schema.js';
import { bearer } from '../support/access.js';
import { assertInvariants } from '../support/checks.js';
import { actOn, aliceGoesBankrupt, changeBoth, startApi, type TestApi } from './api.js';

/* eslint-disable @typescript-eslint/no-explicit-any, @typescript-eslint/no-unsafe-assignment, @typescript-eslint/no-unsafe-member-access, @typescript-eslint/no-unsafe-return, @typescript-eslint/no-unsafe-call, @typescript-eslint/no-unsafe-argument -- answers are JSON, read by the names just asked for */

const RECORD = { reason: 'a test' };
const MARKET = {
  ...{ payoff: 'LINEAR', settlementAssetSymbol: 'EUR', contractSize: '1', priceTick: '0.01', sizeStep: '0.1' },
  ...{ insuranceFundId: 'fund-eur', liquidityProviderId: 'lp-eur', ...RECORD },
  brackets: [{ floor: '0', maintenanceRate: '0.01', initialRate: '0.02' }],
};
const ENTRY =
  'id actor scopes action targetType targetId input before after reason requestId outcome code message sequence hash';

let api: TestApi;
beforeAll(async () => {
  api = await startApi();
  await aliceGoesBankrupt(api);
});
afterAll(() => api.stop());

/** The newest entries, JSON read. */
async function newest(first = 1, filter: object = {}): Promise<any[]> {
  const { auditLog } = await api.read(
    `query($first: Int, $filter: AuditFilter) { auditLog(first: $first, filter: $filter) { edges { node { ${ENTRY} } } } }`,
    { first, filter },
  );
  return auditLog.edges.map(({ node }: any) => ({
    ...node,
    input: JSON.parse(node.input),
    before: JSON.parse(node.before),
    after: JSON.parse(node.after),
  }));
}

const count = async (): Promise<number> => {
  const [row] = await api.sql<{ number: number }[]>`select count(*)::integer as number from audit_entry`;
  return row?.number ?? 0;
};

describe('an action of an administrator', () => {
  it('stands in the audit log: who, what, before, after, why', async () => {
    await actOn(api, 'marketHalt', { marketSymbol: 'BTCUSDT', ...RECORD }, 'market { status }');
    const [entry] = await newest();
    expect(entry).toMatchObject({
      ...{
        actor: 'tester',
        scopes: [...SCOPES],
        action: 'marketHalt',
        targetType: 'Market',
        targetId: 'BTCUSDT',
        reason: 'a test',
      },
      ...{ input: { marketSymbol: 'BTCUSDT', ...RECORD }, outcome: 'ACCEPTED', code: null, message: null },
      before: { id: 'BTCUSDT', status: 'ACTIVE', contract_size: '1', policy: { version: 1 } },
      after: {
        id: 'BTCUSDT',
        status: 'HALTED',
        brackets: [{ floor: '0', maintenance_rate: '0.01' }, { floor: '1000000' }],
      },
    });
    expect(entry.requestId).toMatch(/^[0-9a-f-]{36}$/);
    await changeBoth(api, 'marketResume', { marketSymbol: 'BTCUSDT', ...RECORD });
    expect(await newest(1, { targetType: 'Market' })).toMatchObject([
      { before: { status: 'HALTED' }, after: { status: 'ACTIVE' } },
    ]);
  });

  it.each([
    ['assetCreate', { symbol: 'EUR' }, 'asset { id }', 'Asset', 'EUR', null, { id: 'EUR' }],
    [
      'traderUpsert',
      { externalId: 'zoe', verificationLevel: 2 },
      'trader { id }',
      'Trader',
      'zoe',
      null,
      { verification_level: '2' },
    ],
    [
      'traderUpsert',
      { externalId: 'zoe', verificationLevel: 3 },
      'trader { id }',
      'Trader',
      'zoe',
      { verification_level: '2' },
      { verification_level: '3' },
    ],
    [
      'accountCreate',
      { externalId: 'zoe-1', traderId: 'zoe', marginAssetSymbol: 'EUR' },
      'account { id }',
      'Account',
      'zoe-1',
      null,
      { trader_id: 'zoe', mode: 'CROSS' },
    ],
    [
      'accountCreate',
      { externalId: 'lp-eur', traderId: 'zoe', kind: 'LIQUIDITY_PROVIDER', marginAssetSymbol: 'EUR' },
      'account { id }',
      'Account',
      'lp-eur',
      null,
      { kind: 'LIQUIDITY_PROVIDER' },
    ],
    [
      'insuranceFundCreate',
      { externalId: 'fund-eur', assetSymbol: 'EUR', name: 'Fund' },
      'insuranceFund { id }',
      'InsuranceFund',
      'fund-eur',
      null,
      { name: 'Fund', balance: '0' },
    ],
    [
      'insuranceFundContribute',
      { id: 'c1', insuranceFundId: 'fund-eur', amount: '7.25' },
      'insuranceFund { id }',
      'InsuranceFund',
      'fund-eur',
      { balance: '0' },
      { balance: '7.25' },
    ],
    [
      'bracketsChange',
      { marketSymbol: 'ETHUSDT', brackets: [{ floor: '0', maintenanceRate: '0.02', initialRate: '0.03' }], ...RECORD },
      'change { id }',
      'Change',
      '2',
      null,
      { kind: 'BRACKETS_CHANGE', target_id: 'ETHUSDT', status: 'PROPOSED', payload: { version: 2 } },
    ],
    [
      'policyChange',
      { marketSymbol: 'ETHUSDT', policy: { allocation: 'PRO_RATA' }, ...RECORD },
      'change { id }',
      'Change',
      '3',
      null,
      { kind: 'POLICY_CHANGE', payload: { allocation: 'PRO_RATA', version: 2 }, proposed_by: 'tester' },
    ],
    [
      'insuranceFundWithdraw',
      { id: 'w1', insuranceFundId: 'fund-eur', amount: '7', ...RECORD },
      'change { id }',
      'Change',
      '4',
      null,
      { kind: 'FUND_WITHDRAWAL', target_id: 'fund-eur', payload: { id: 'w1', amount: '7' } },
    ],
    [
      'marketCreate',
      { ...MARKET, symbol: 'SOLEUR' },
      'market { symbol }',
      'Market',
      'SOLEUR',
      null,
      { id: 'SOLEUR', status: 'ACTIVE', size_step: '0.1', policy: { version: 1 }, brackets: [{ version: '1' }] },
    ],
    ['jobRun', { name: 'waterfall' }, 'outcome', 'Job', 'waterfall', { round: '2' }, { round: '3', more: false }],
    ['engineStop', RECORD, 'userErrors { code }', 'Job', 'waterfall', { paused: false }, { paused: true }],
    ['engineStart', RECORD, 'change { id }', 'Change', '5', null, { kind: 'ENGINE_START', target_id: 'waterfall' }],
  ])('%s too', async (action, input, fields, targetType, targetId, before, after) => {
    const had = await count();
    expect((await actOn(api, action, input, fields)).userErrors).toEqual([]);
    const [entry] = await newest();
    expect(entry).toMatchObject({ action, targetType, targetId, input, before, after, outcome: 'ACCEPTED' });
    expect(await count()).toBe(had + 1);
  });

  it('that exempts an account, and ends it, too', async () => {
    await changeBoth(api, 'exemptionGrant', { accountId: 'carol', ...RECORD });
    await changeBoth(api, 'exemptionEnd', { accountId: 'carol', ...RECORD });
    // Each is proposed, decided on, and done.
    const entries = await newest(6);
    expect(entries.map(({ action, targetType, actor }) => [action, targetType, actor])).toEqual([
      ['changeDecide', 'Change', 'second'],
      ['exemptionEnd', 'Account', 'second'],
      ['exemptionEnd', 'Change', 'tester'],
      ['changeDecide', 'Change', 'second'],
      ['exemptionGrant', 'Account', 'second'],
      ['exemptionGrant', 'Change', 'tester'],
    ]);
    const exemption = { version: '1', until: null, reason: 'a test', changed_by: 'tester' };
    expect(entries[4]).toMatchObject({
      before: { exempt: false, exemption: null },
      after: { exempt: true, exemption },
    });
    expect(entries[1]).toMatchObject({
      before: { exempt: true, exemption },
      after: { exempt: false, exemption: null },
    });
  });

  it('that vouches for a price names who did as its actor', async () => {
    const price = { id: 'wild', marketSymbol: 'ETHUSDT', price: '100' };
    await actOn(api, 'pricesRecord', { prices: [price, { ...price, id: 'wilder', price: '300' }] }, 'recorded');
    await actOn(api, 'priceConfirm', { marketSymbol: 'ETHUSDT', priceId: 'wilder' }, 'market { symbol }');
    expect(await newest()).toMatchObject([
      {
        actor: 'tester',
        targetType: 'Price',
        targetId: 'ETHUSDT/wilder',
        before: { state: 'SUSPECT' },
        after: { state: 'CONFIRMED', price: '300' },
      },
    ]);
  });

  it('that is refused leaves its entry, and nothing else', async () => {
    const input = { marketSymbol: 'NONE', ...RECORD };
    const { userErrors } = await actOn(api, 'marketHalt', input, 'market { symbol }');
    expect(userErrors[0].code).toBe('UNKNOWN_MARKET');
    expect(await newest()).toMatchObject([
      {
        ...{
          actor: 'tester',
          action: 'marketHalt',
          targetId: 'NONE',
          input,
          reason: 'a test',
          before: null,
          after: null,
        },
        ...{ outcome: 'REFUSED', code: 'UNKNOWN_MARKET', message: userErrors[0].message },
      },
    ]);
  });

  it.each([
    [
      'accountCreate',
      { externalId: 'x', traderId: 'zoe', kind: 'INSURANCE_FUND', marginAssetSymbol: 'EUR' },
      'account { id }',
      'BAD_INPUT',
    ],
    ['assetCreate', { symbol: 'no \u0000 such \ud800 id' }, 'asset { id }', 'BAD_INPUT'],
    ['assetCreate', { symbol: 'x'.repeat(100_000) }, 'asset { id }', 'BAD_INPUT'],
    ['marketResume', { marketSymbol: 'ETHUSDT', reason: '\ud800'.repeat(5000) }, 'change { id }', 'BAD_INPUT'],
    [
      'marginCallExtend',
      { marginCallId: 'MarginCall:99', deadline: '2030-01-01T00:00:00Z', ...RECORD },
      'marginCall { id }',
      'NOT_FOUND',
    ],
    [
      'marginCallExtend',
      { marginCallId: 'nonsense', deadline: '2030-01-01T00:00:00Z', ...RECORD },
      'marginCall { id }',
      'NOT_FOUND',
    ],
    ['priceConfirm', { marketSymbol: 'ETHUSDT', priceId: 'none' }, 'market { symbol }', 'NOT_FOUND'],
    ['changeDecide', { changeId: 'nonsense', digest: 'x', decision: 'APPROVE' }, 'change { id }', 'NOT_FOUND'],
    ['jobRun', { name: 'tea' }, 'outcome', 'NOT_FOUND'],
  ])('%s of what is refused stands there, whatever was sent', async (action, input, fields, code) => {
    const had = await count();
    const { userErrors } = await actOn(api, action, input, fields);
    expect([userErrors.length, await count()]).toEqual([1, had + 1]);
    expect(await newest()).toMatchObject([{ action, outcome: 'REFUSED', code: userErrors[0].code }]);
    expect(userErrors[0].code).toBe(code);
  });

  it('that the database refuses when it commits leaves no acceptance, and says a fault only', async () => {
    await api.sql.unsafe(`
      create function refuse_late() returns trigger language plpgsql as $$ begin raise exception 'secret of the schema'; end $$;
      create constraint trigger refuse_late after insert on asset deferrable initially deferred for each row execute function refuse_late()`);
    const { errors } = await api.ask('mutation { assetCreate(input: { symbol: "LATE" }) { asset { id } } }');
    await api.sql.unsafe('drop trigger refuse_late on asset; drop function refuse_late()');
    expect(errors[0].extensions.code).toBe('INTERNAL');
    expect(await newest(50, { targetId: 'LATE' })).toMatchObject([
      { outcome: 'REFUSED', code: 'INTERNAL', message: 'Backstop met a fault; its log has it whole' },
    ]);
    expect(await api.sql`select from asset where id = 'LATE'`).toHaveLength(0);
  });

  it('is not done, and is a fault, when its entry cannot be written', async () => {
    await api.sql.unsafe('alter table audit_entry rename to audit_entry_away');
    const accepted = await api.ask('mutation { assetCreate(input: { symbol: "UNSEEN" }) { asset { id } } }');
    const refused = await api.ask('mutation { assetCreate(input: { symbol: "" }) { asset { id } } }');
    await api.sql.unsafe('alter table audit_entry_away rename to audit_entry');
    expect([accepted.errors[0].extensions.code, refused.errors[0].extensions.code]).toEqual(['INTERNAL', 'INTERNAL']);
    expect(api.logged.join('')).toMatch(/the audit log could not record that assetCreate was refused/);
    expect(await api.sql`select from asset where id = 'UNSEEN'`).toHaveLength(0);
  });

  it('is no feed, no question and no dry run', async () => {
    const had = await count();
    const prices = [{ id: 'p-quiet', marketSymbol: 'BTCUSDT', price: '97' }];
    await actOn(api, 'pricesRecord', { prices }, 'recorded');
    await actOn(api, 'jobRun', { name: 'waterfall', dryRun: true }, 'outcome');
    expect(await count()).toBe(had);
  });

  it('while a lap is running, or the job is paused, is refused in the log', async () => {
    await api.sql`update job set paused = true`;
    expect(await actOn(api, 'jobRun', { name: 'waterfall' }, 'outcome')).toMatchObject({ outcome: 'PAUSED' });
    await api.sql`update job set paused = false`;
    expect(await newest()).toMatchObject([
      { action: 'jobRun', outcome: 'REFUSED', code: 'CONFLICT', message: 'The job is paused.' },
    ]);
  });

  it('is every mutation that is no feed', async () => {
    const mutations = Object.keys(loadSchema().getMutationType()?.getFields() ?? {});
    const actions = await api.sql<{ action: string }[]>`select distinct action from audit_entry`;
    expect(actions.map(({ action }) => action).sort()).toEqual(
      mutations.filter((name) => !/Record$|^reconciliation/.test(name)).sort(),
    );
  });
});

describe('the id of a request', () => {
  const send = async (id: string): Promise<string> => {
    const query = 'mutation { assetCreate(input: { symbol: "USD" }) { asset { id } } }';
    await api.server.app.inject({
      method: 'POST',
      url: '/graphql',
      payload: { query },
      headers: { 'x-request-id': id, authorization: await bearer() },
    });
    const [entry] = await newest();
    return entry.requestId;
  };

  it('is what the sender gave, if it is one', async () => {
    expect(await send('desk-7/a.1')).toBe('desk-7/a.1');
    expect(await newest(5, { requestId: 'desk-7/a.1' })).toHaveLength(1);
    expect(await send('no id')).toMatch(/^[0-9a-f-]{36}$/);
    expect(await send('x'.repeat(129))).toMatch(/^[0-9a-f-]{36}$/);
  });
});

describe('the audit log', () => {
  it('is read in pages, newest first, by what is asked', async () => {
    const ids: string[] = [];
    for (let after: string | null = null, more = true; more;) {
      const { auditLog } = await api.read(
        'query($after: String) { auditLog(first: 4, after: $after) { edges { node { id } } pageInfo { hasNextPage endCursor } } }',
        { after },
      );
      ids.push(...auditLog.edges.map(({ node }: any) => node.id));
      more = auditLog.pageInfo.hasNextPage;
      after = auditLog.pageInfo.endCursor;
    }
    expect(ids).toHaveLength(await count());
    expect(ids).toEqual([...ids].sort((a, b) => Number(b.slice(11)) - Number(a.slice(11))));
    expect(await newest(50, { actor: 'tester', action: 'priceConfirm', outcome: 'ACCEPTED' })).toMatchObject([
      { action: 'priceConfirm' },
    ]);
    expect(await newest(50, { action: 'traderUpsert', targetType: 'Trader', targetId: 'zoe' })).toHaveLength(2);
    const [entry] = await newest();
    const { node } = await api.read('query($id: ID!) { node(id: $id) { ... on AuditEntry { requestId } } }', {
      id: entry.id,
    });
    expect(node).toEqual({ requestId: entry.requestId });
  });

  it('and the deleverage history show where they are sealed', async () => {
    const events = '{ deleverageEvents { edges { node { sequence hash } } } }';
    expect((await api.read(events)).deleverageEvents.edges[0].node).toEqual({ sequence: null, hash: null });
    expect((await newest())[0]).toMatchObject({ sequence: null, hash: null });
    const ask = async (chain: string): Promise<any> => {
      const query = `query($chain: Chain!) { chainVerification(chain: $chain) {
        chain isWhole links headSequence headHash pending pendingSince badSequence badRow reason } }`;
      return (await api.read(query, { chain })).chainVerification;
    };
    const waiting = await ask('DELEVERAGE');
    expect(waiting).toMatchObject({
      isWhole: true,
      links: '0',
      headSequence: '0',
      headHash: '0'.repeat(64),
      pending: '1',
    });
    expect(waiting.pendingSince).toMatch(/^20.*Z$/);
    await sealChains(api.sql);
    const sealed = await ask('DELEVERAGE');
    expect(sealed).toMatchObject({
      isWhole: true,
      links: '1',
      headSequence: '1',
      pending: '0',
      pendingSince: null,
      reason: null,
    });
    expect((await api.read(events)).deleverageEvents.edges[0].node).toEqual({ sequence: '1', hash: sealed.headHash });
    const log = await ask('AUDIT_LOG');
    expect((await newest())[0]).toMatchObject({ sequence: log.headSequence, hash: log.headHash });
    await api.sql.begin(async (tx) => {
      await tx`set local session_replication_role = replica`;
      await tx`update deleverage_leg set concession = concession + 1, mark_value = mark_value + 1 where ordinal = 2`;
    });
    expect(await ask('DELEVERAGE')).toMatchObject({ isWhole: false, badSequence: '1', reason: 'ROW_ALTERED' });
    await api.sql.begin(async (tx) => {
      await tx`set local session_replication_role = replica`;
      await tx`update deleverage_leg set concession = concession - 1, mark_value = mark_value - 1 where ordinal = 2`;
    });
    expect(await ask('DELEVERAGE')).toMatchObject({ isWhole: true });
    await assertInvariants(api.sql);
  });
});
