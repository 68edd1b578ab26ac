import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { isInputObjectType, isObjectType } from 'graphql';
import { loadSchema } from '../../src/graphql/schema.js';
import { bearer } from '../support/access.js';
import { assertInvariants } from '../support/checks.js';
import { exempt } from '../support/exemptions.js';
import { fingerprintOf } from '../support/fingerprint.js';
import { actOn, approver, decideOn, freshVenue, startApi, tellOfAlice, type TestApi } from './api.js';

/* eslint-disable @typescript-eslint/no-explicit-any, @typescript-eslint/no-unsafe-assignment, @typescript-eslint/no-unsafe-member-access, @typescript-eslint/no-unsafe-return, @typescript-eslint/no-unsafe-argument -- answers are JSON, read by the names just asked for */

const WHY = { reason: 'a test' };
const STEEP = [{ floor: '0', maintenanceRate: '0.015', initialRate: '0.03' }];
const ETH = { marketSymbol: 'ETHUSDT', ...WHY };
/** What a refusal writes. */
const REFUSALS = ['audit_entry', 'chain_due'];

let api: TestApi;
let call: { id: string; deadline: string; latestDeadline: string };
beforeAll(async () => {
  api = await startApi();
  const venue = await freshVenue(api.sql);
  await tellOfAlice(venue);
  await venue.deposit('fund-usdt', '10');
  await venue.price('BTCUSDT', '99.2');
  await actOn(api, 'jobRun', { name: 'waterfall' }, 'outcome');
  await exempt(api.sql, 'bob');
  const { marginCalls } = await api.read('{ marginCalls { edges { node { id deadline latestDeadline } } } }');
  call = marginCalls.edges[0].node;
});
afterAll(async () => {
  await assertInvariants(api.sql);
  await api.stop();
});

/** The payload, without user errors unless they are expected. */
async function act(mutation: string, input: object, fields: string, authorization?: string): Promise<any> {
  const { userErrors, ...payload } = await actOn(api, mutation, input, `${fields} replayed`, authorization);
  expect(userErrors).toEqual([]);
  return payload;
}

async function refusalOf(mutation: string, input: object, authorization?: string): Promise<any> {
  const { userErrors, replayed } = await actOn(api, mutation, input, 'replayed', authorization);
  expect(replayed).toBe(false);
  return userErrors[0];
}

async function entriesOf(action: string): Promise<any[]> {
  return [...(await api.sql`select outcome, code from audit_entry where action = ${action} order by id`)];
}

const CHANGE = 'change { id kind targetId payload digest proposedAt expiresAt }';
const KEYED: [mutation: string, input: () => object, fields: string][] = [
  ['jobRun', () => ({ name: 'waterfall' }), 'outcome round at outcomeDigest more counts { name count }'],
  [
    'marginCallExtend',
    () => ({ marginCallId: call.id, deadline: call.latestDeadline, ...WHY }),
    'marginCall { id deadline }',
  ],
  ['bracketsChange', () => ({ brackets: STEEP, ...ETH }), CHANGE],
  ['policyChange', () => ({ policy: { priceBasis: 'MARK' }, ...ETH }), CHANGE],
  ['insuranceFundWithdraw', () => ({ id: 'w1', insuranceFundId: 'fund-usdt', amount: '1', ...WHY }), CHANGE],
  ['marketHalt', () => ETH, 'market { id status }'],
  ['marketResume', () => ETH, CHANGE],
  ['exemptionGrant', () => ({ accountId: 'alice', until: null, ...WHY }), CHANGE],
  ['exemptionEnd', () => ({ accountId: 'bob', ...WHY }), CHANGE],
  ['engineStop', () => WHY, 'engine { id paused }'],
  ['engineStart', () => WHY, CHANGE],
];

/** What these make or record goes by ids of the exchange. */
const BY_IDS_OF_THE_EXCHANGE = [
  ...['pricesRecord', 'tradesRecord', 'transfersRecord', 'depthRecord', 'fundingRecord', 'assetCreate', 'traderUpsert'],
  ...['accountCreate', 'insuranceFundCreate', 'insuranceFundContribute', 'marketCreate', 'priceConfirm'],
  ...['reconciliationRowsAdd', 'reconciliationFinish'],
];

describe('a request with a key', () => {
  it('is there for every mutation that does not go by ids of the exchange', () => {
    const schema = loadSchema();
    const mutations = Object.values(schema.getMutationType()?.getFields() ?? {});
    const takesKey = mutations.map(({ name, args, type }) => {
      const input = schema.getType(String(args[0]?.type).replace('!', ''));
      const payload = schema.getType(String(type).replace('!', ''));
      const [takes, says] = [
        isInputObjectType(input) && 'idempotencyKey' in input.getFields(),
        isObjectType(payload) && 'replayed' in payload.getFields(),
      ];
      expect([name, says]).toEqual([name, takes]);
      return [name, takes];
    });
    const [keyed, others] = [true, false].map((is) =>
      takesKey.filter(([, takes]) => takes === is).map(([name]) => name),
    );
    expect(keyed?.sort()).toEqual([...KEYED.map(([name]) => name), 'changeDecide'].sort());
    expect(others?.sort()).toEqual([...BY_IDS_OF_THE_EXCHANGE].sort());
  });

  it.each(KEYED)('%s is answered again, and does nothing twice', async (mutation, inputOf, fields) => {
    const input = { ...inputOf(), idempotencyKey: `once-${mutation}` };
    const first = await act(mutation, input, fields);
    expect(first.replayed).toBe(false);
    const [entry] = await api.sql`select input from audit_entry where action = ${mutation} order by id desc limit 1`;
    expect(entry?.['input']).toMatchObject(input);
    const before = await fingerprintOf(api.sql);
    expect(await act(mutation, input, fields)).toEqual({ ...first, replayed: true });
    expect(await fingerprintOf(api.sql)).toBe(before);
  });

  it('changeDecide is answered again, though the change is decided', async () => {
    const { change } = await act('policyChange', { policy: {}, marketSymbol: 'BTCUSD', ...WHY }, CHANGE);
    const input = { changeId: change.id, digest: change.digest, decision: 'APPROVE', idempotencyKey: 'decide' };
    const fields = 'change { id status decidedBy decidedAt }';
    const first = await act('changeDecide', input, fields, await approver());
    expect(first).toMatchObject({ change: { status: 'APPLIED', decidedBy: 'second' }, replayed: false });
    const before = await fingerprintOf(api.sql);
    expect(await act('changeDecide', input, fields, await approver())).toEqual({ ...first, replayed: true });
    expect(await fingerprintOf(api.sql)).toBe(before);
    expect((await refusalOf('changeDecide', { ...input, decision: 'REJECT' }, await approver())).code).toBe(
      'IDEMPOTENCY_KEY_REUSED',
    );
  });

  it('tells what it did, of objects as they are now', async () => {
    const input = { policy: { allocation: 'PRO_RATA' }, marketSymbol: 'BTCUSDT', ...WHY, idempotencyKey: 'stands' };
    const { change } = await act('policyChange', input, 'change { id digest status }');
    await decideOn(api, change);
    expect(await act('policyChange', input, 'change { id status }')).toEqual({
      ...{ change: { id: change.id, status: 'APPLIED' }, replayed: true },
    });
  });

  it('is the same however its fields are written, and another with any other content', async () => {
    const reason = 'as written';
    const input = { marketSymbol: 'BTCUSD', policy: { score: 'ACCOUNT_RETURN' }, reason, idempotencyKey: 'content' };
    const { change } = await act('policyChange', input, CHANGE);
    const turned = { idempotencyKey: 'content', reason, policy: { score: 'ACCOUNT_RETURN' }, marketSymbol: 'BTCUSD' };
    expect(await act('policyChange', turned, CHANGE)).toEqual({ change, replayed: true });
    const before = await fingerprintOf(api.sql, REFUSALS);
    for (const other of [
      { ...input, reason: 'other' },
      { ...input, policy: {} },
    ])
      expect(await refusalOf('policyChange', other)).toEqual({
        code: 'IDEMPOTENCY_KEY_REUSED',
        message: 'idempotencyKey: the key was used for another request',
        field: ['input', 'idempotencyKey'],
      });
    // Nor can another mutation have it, were its input the same; a lap refused like this has not failed.
    expect((await refusalOf('marketHalt', { marketSymbol: 'BTCUSD', ...WHY, idempotencyKey: 'content' })).code).toBe(
      'IDEMPOTENCY_KEY_REUSED',
    );
    await api.sql`update job set paused = false`;
    expect((await refusalOf('jobRun', { name: 'waterfall', idempotencyKey: 'content' })).code).toBe(
      'IDEMPOTENCY_KEY_REUSED',
    );
    await api.sql`update job set paused = true`;
    expect(await fingerprintOf(api.sql, REFUSALS)).toBe(before);
    expect((await entriesOf('policyChange')).slice(-2)).toEqual(
      Array(2).fill({ outcome: 'REFUSED', code: 'IDEMPOTENCY_KEY_REUSED' }),
    );
  });

  it('is one caller’s: another one may use the same key', async () => {
    const input = { policy: {}, marketSymbol: 'BTCUSDT', ...WHY, idempotencyKey: 'shared' };
    const first = await act('policyChange', input, 'change { id proposedBy }');
    const other = await bearer({ subject: 'third' });
    const second = await act('policyChange', input, 'change { id proposedBy }', other);
    expect([first.change.proposedBy, second.change.proposedBy]).toEqual(['tester', 'third']);
    expect(second.replayed).toBe(false);
    expect((await act('policyChange', input, 'change { id }', other)).change.id).toBe(second.change.id);
  });

  it('that was refused leaves no key: it is tried again', async () => {
    const input = { marketSymbol: 'BTCUSD', ...WHY, idempotencyKey: 'later' };
    const before = await fingerprintOf(api.sql, REFUSALS);
    expect((await refusalOf('marketResume', input)).code).toBe('CONFLICT');
    expect((await refusalOf('marketResume', input)).code).toBe('CONFLICT');
    expect(await fingerprintOf(api.sql, REFUSALS)).toBe(before);
    await act('marketHalt', { marketSymbol: 'BTCUSD', ...WHY }, 'market { id }');
    const { change, replayed } = await act('marketResume', input, 'change { id }');
    expect([change.id, replayed]).toEqual([expect.any(String), false]);
    expect((await act('marketResume', input, 'change { id }')).change).toEqual(change);
  });

  it('leaves none for a lap that did not run or ran dry', async () => {
    const input = { name: 'waterfall', idempotencyKey: 'lap' };
    await api.sql`update job set paused = true`;
    expect(await act('jobRun', input, 'outcome')).toEqual({ outcome: 'PAUSED', replayed: false });
    await api.sql`update job set paused = false`;
    const before = await fingerprintOf(api.sql);
    const dry = { ...input, dryRun: true };
    for (const lap of [dry, dry])
      expect(await act('jobRun', lap, 'outcome')).toEqual({ outcome: 'RAN', replayed: false });
    expect(await fingerprintOf(api.sql)).toBe(before);
    const ran = await act('jobRun', input, 'outcome round');
    expect(ran).toMatchObject({ outcome: 'RAN', replayed: false });
    // A stopped engine does not matter to what has been done.
    await api.sql`update job set paused = true`;
    expect(await act('jobRun', input, 'outcome round')).toEqual({ ...ran, replayed: true });
    await api.sql`update job set paused = false`;
  });

  it.each(['', 'a b', 'é', 'x'.repeat(256), 'nul\0'])('whose key is %j is refused', async (idempotencyKey) => {
    const before = await fingerprintOf(api.sql, REFUSALS);
    expect(await refusalOf('marketHalt', { ...ETH, idempotencyKey })).toMatchObject({
      code: 'BAD_INPUT',
      field: ['input', 'idempotencyKey'],
    });
    expect(await fingerprintOf(api.sql, REFUSALS)).toBe(before);
  });

  it('may have 255 characters, or null for none', async () => {
    const input = { policy: {}, marketSymbol: 'BTCUSDT', ...WHY };
    await act('policyChange', { ...input, idempotencyKey: '~'.repeat(255) }, 'change { id }');
    const [one, two] = [
      await act('policyChange', { ...input, idempotencyKey: null }, 'change { id }'),
      await act('policyChange', { ...input, idempotencyKey: null }, 'change { id }'),
    ];
    expect(one.change.id).not.toBe(two.change.id);
  });
});

describe('two requests with one key at once', () => {
  /** Starts them while a row is locked that the work needs, and lets go when so many wait. */
  async function meet(lock: string, waiting: number, requests: (() => Promise<any>)[]): Promise<any[]> {
    const holder = await api.sql.reserve();
    await holder.unsafe(`begin; ${lock}`).simple();
    const answers = Promise.all(requests.map((request) => request()));
    for (let waits = 0; waits < waiting;) {
      await sleep(10);
      const rows = await api.sql`
        select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
      waits = rows.length;
    }
    await holder.unsafe('rollback').simple();
    holder.release();
    return answers;
  }

  const sorted = (answers: any[]): boolean[] => answers.map(({ replayed }) => replayed).sort();

  it('propose one change', async () => {
    const input = { policy: {}, marketSymbol: 'ETHUSDT', ...WHY, idempotencyKey: 'at-once' };
    const ask = (): Promise<any> => act('policyChange', input, 'change { id }');
    const lock = `select from market where id = 'ETHUSDT' for no key update`;
    const answers = await meet(lock, 4, [ask, ask, ask, ask]);
    expect(sorted(answers)).toEqual([false, true, true, true]);
    expect(new Set(answers.map(({ change }) => change.id)).size).toBe(1);
  });

  it('halt a market once, though the second could not have', async () => {
    const ask = (): Promise<any> =>
      act('marketHalt', { marketSymbol: 'BTCUSDT', ...WHY, idempotencyKey: 'halt-once' }, 'market { status }');
    const lock = `select from market where id = 'BTCUSDT' for no key update`;
    const answers = await meet(lock, 2, [ask, ask]);
    expect(answers.map(({ market }) => market.status)).toEqual(['HALTED', 'HALTED']);
    expect(sorted(answers)).toEqual([false, true]);
    expect((await entriesOf('marketHalt')).filter(({ outcome }) => outcome === 'REFUSED').length).toBe(6);
  });

  it('run one lap', async () => {
    const ask = (): Promise<any> =>
      act('jobRun', { name: 'waterfall', idempotencyKey: 'lap-once' }, 'outcome round at outcomeDigest');
    const [job] = await api.sql<{ round: string }[]>`select round from job`;
    const [one, two] = await meet('select from job for update', 2, [ask, ask]);
    expect(sorted([one, two])).toEqual([false, true]);
    expect({ ...one, replayed: null }).toEqual({ ...two, replayed: null });
    expect(one.round).toBe((BigInt(job?.round ?? '') + 1n).toString());
    expect(await api.sql`select from job_run where status = 'FAILED'`).toHaveLength(0);
  });
});

describe('a crash', () => {
  it('before the commit leaves neither the deed nor the key', async () => {
    const input = { policy: {}, marketSymbol: 'ETHUSDT', ...WHY, idempotencyKey: 'cut' };
    const before = await fingerprintOf(api.sql, REFUSALS);
    await api.sql.unsafe(`
      create function cut() returns trigger language plpgsql as
        $$ begin perform pg_terminate_backend(pg_backend_pid()); return null; end $$;
      create constraint trigger cut after insert on idempotency_key deferrable initially deferred
        for each row execute function cut()`);
    await expect(act('policyChange', input, 'change { id }')).rejects.toThrow();
    await api.sql.unsafe('drop trigger cut on idempotency_key; drop function cut()');
    expect(await fingerprintOf(api.sql, REFUSALS)).toBe(before);
    expect((await act('policyChange', input, 'change { id }')).replayed).toBe(false);
    expect((await act('policyChange', input, 'change { id }')).replayed).toBe(true);
  });
});

describe('what goes by ids of the exchange', () => {
  it.each([
    ['assetCreate', { symbol: 'EUR' }, 'asset { id }'],
    ['traderUpsert', { externalId: 't9', verificationLevel: 2 }, 'trader { id verificationLevel }'],
    ['accountCreate', { externalId: 'a9', traderId: 't9', marginAssetSymbol: 'USDT' }, 'account { id }'],
    ['insuranceFundCreate', { externalId: 'f9', assetSymbol: 'USDT', name: 'nine' }, 'insuranceFund { id }'],
    ['insuranceFundContribute', { id: 'c9', insuranceFundId: 'f9', amount: '5' }, 'insuranceFund { id balance }'],
    [
      'marketCreate',
      {
        ...{ symbol: 'EURUSDT', payoff: 'LINEAR', settlementAssetSymbol: 'USDT', contractSize: '1', priceTick: '0.01' },
        ...{ sizeStep: '0.1', insuranceFundId: 'f9', liquidityProviderId: 'lp-usdt', brackets: STEEP, ...WHY },
      },
      'market { id }',
    ],
  ])('%s is answered alike when it is sent again', async (mutation, input, fields) => {
    const first = await actOn(api, mutation, input, fields);
    expect(first.userErrors).toEqual([]);
    const before = await fingerprintOf(api.sql, REFUSALS);
    expect(await actOn(api, mutation, input, fields)).toEqual(first);
    expect(await fingerprintOf(api.sql, REFUSALS)).toBe(before);
  });

  it('priceConfirm as well', async () => {
    const prices = [
      { id: 'q1', marketSymbol: 'EURUSDT', price: '1' },
      { id: 'q2', marketSymbol: 'EURUSDT', price: '2' },
    ];
    await actOn(api, 'pricesRecord', { prices }, 'recorded');
    const confirm = (): Promise<any> =>
      actOn(api, 'priceConfirm', { marketSymbol: 'EURUSDT', priceId: 'q2' }, 'market { markPrice { price } }');
    const first = await confirm();
    expect(first).toEqual({ market: { markPrice: { price: '2' } }, userErrors: [] });
    expect(await confirm()).toEqual(first);
  });
});
