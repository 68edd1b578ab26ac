import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createAccount, createAsset, createFund, createTrader } from '../../src/ingest/accounts.js';
import { extendMarginCall } from '../../src/ingest/margin-calls.js';
import { haltMarket, resumeMarket } from '../../src/ingest/market-status.js';
import { createMarket, setBrackets, setPolicy, type MarketInput } from '../../src/ingest/markets.js';
import { setVenueParameters } from '../../src/ingest/venue-parameters.js';
import { assertInvariants } from '../support/checks.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { fingerprintOf } from '../support/fingerprint.js';

let db: TestDatabase;

async function open(): Promise<void> {
  db = await createTestDatabase();
  await createAsset(db.sql, { id: 'USDT' });
  await createAsset(db.sql, { id: 'BTC' });
  await createTrader(db.sql, { id: 'maker', verificationLevel: 2 });
  await createFund(db.sql, { id: 'fund', assetId: 'USDT', name: 'Insurance fund', perEventCap: '1000' });
  await createAccount(db.sql, { id: 'lp', traderId: 'maker', kind: 'LIQUIDITY_PROVIDER', marginAssetId: 'USDT' });
}
async function close(): Promise<void> {
  await assertInvariants(db.sql);
  await db.drop();
}

const change = { changedBy: 'operator', reason: 'listing' };
const market: MarketInput = {
  id: 'BTCUSDT',
  payoff: 'LINEAR',
  settlementAssetId: 'USDT',
  contractSize: '0.001',
  priceTick: '0.1',
  sizeStep: '1',
  insuranceFundId: 'fund',
  liquidityProviderId: 'lp',
  brackets: [
    { floor: '0', maintenanceRate: '0.004', initialRate: '0.008' },
    { floor: '50000', maintenanceRate: '0.005', initialRate: '0.01' },
  ],
  ...change,
};

async function expectUnchanged(work: () => Promise<unknown>, refusal: Record<string, unknown>): Promise<void> {
  const before = await fingerprintOf(db.sql);
  await expect(work()).rejects.toMatchObject(refusal);
  expect(await fingerprintOf(db.sql)).toBe(before);
}

describe('a market', () => {
  beforeEach(open);
  afterEach(close);

  it('gets the defaults of the domain and its first brackets and policy', async () => {
    expect(await createMarket(db.sql, market)).toEqual({ created: true });
    const [row] = await db.sql`
      select status, expires_at, trim_scale(max_fee_rate)::text as fee, trim_scale(max_deviation)::text as deviation,
        trim_scale(price_band)::text as band, stale_after_ms, trim_scale(bad_debt_limit)::text as debt from market`;
    expect(row).toEqual({
      status: 'ACTIVE',
      expires_at: null,
      fee: '0.0025',
      deviation: '0.1',
      band: '0.1',
      stale_after_ms: 30000,
      debt: '0',
    });
    expect([
      ...(await db.sql`select version, score, allocation, price_basis, trigger, changed_by, reason from policy_version`),
    ]).toEqual([
      {
        version: 1,
        score: 'LEVERAGED_RETURN',
        allocation: 'QUEUE',
        price_basis: 'BANKRUPTCY',
        trigger: 'FUND_EXHAUSTED',
        changed_by: 'operator',
        reason: 'listing',
      },
    ]);
    expect(await db.sql`select count(*)::int as n from bracket where version = 1`).toEqual([{ n: 2 }]);
  });

  it('created again is the same one; with other content the id is in use', async () => {
    await createMarket(db.sql, market);
    const before = await fingerprintOf(db.sql);
    expect(await createMarket(db.sql, { ...market, priceTick: '0.10' })).toEqual({ created: false });
    expect(await fingerprintOf(db.sql)).toBe(before);
    await expectUnchanged(() => createMarket(db.sql, { ...market, priceTick: '0.01' }), { code: 'ID_REUSED' });
  });

  it('of an inverse payoff may have any decimals', async () => {
    const fine = { contractSize: '0.0000000001', priceTick: '0.00000001', sizeStep: '0.1' };
    expect(await createMarket(db.sql, { ...market, ...fine, payoff: 'INVERSE' })).toEqual({ created: true });
  });
});

describe('a market refused', () => {
  beforeAll(open);
  afterAll(close);

  it.each([
    [
      'too many decimals for exact values',
      { contractSize: '0.0000000001', priceTick: '0.00000001', sizeStep: '0.1' },
      'BAD_INPUT',
      'contractSize',
    ],
    ['a fee that is not below the lowest rate', { maxFeeRate: '0.004' }, 'BAD_INPUT', 'maxFeeRate'],
    ['no bracket', { brackets: [] }, 'BAD_INPUT', 'brackets'],
    ['a gap at the bottom', { brackets: market.brackets.slice(1) }, 'BAD_INPUT', 'brackets'],
    ['a floor twice', { brackets: [...market.brackets, ...market.brackets.slice(1)] }, 'BAD_INPUT', 'brackets'],
    [
      'a rate that falls',
      { brackets: [market.brackets[0], { floor: '9', maintenanceRate: '0.003', initialRate: '0.01' }] },
      'BAD_INPUT',
      'brackets',
    ],
    [
      'an initial rate below the maintenance rate',
      { brackets: [{ floor: '0', maintenanceRate: '0.01', initialRate: '0.009' }] },
      'BAD_INPUT',
      'brackets',
    ],
    ['a rate of one', { brackets: [{ floor: '0', maintenanceRate: '1', initialRate: '1' }] }, 'BAD_INPUT', 'brackets'],
    [
      'a rate as a JSON number',
      { brackets: [{ floor: '0', maintenanceRate: 0.01, initialRate: '0.02' }] },
      'BAD_INPUT',
      'maintenanceRate',
    ],
    ['a deviation of one', { maxDeviation: '1' }, 'BAD_INPUT', 'maxDeviation'],
    ['a negative limit', { badDebtLimit: '-1' }, 'BAD_INPUT', 'badDebtLimit'],
    ['a staleness that is no whole number', { staleAfterMs: 0.5 }, 'BAD_INPUT', 'staleAfterMs'],
    ['a payoff that does not exist', { payoff: 'QUANTO' }, 'BAD_INPUT', 'payoff'],
    ['a policy that does not exist', { policy: { score: 'RANDOM' } }, 'BAD_INPUT', 'score'],
    ['a reason that is missing', { reason: '' }, 'BAD_INPUT', 'reason'],
    ['an unknown asset', { settlementAssetId: 'DOGE' }, 'UNKNOWN_ASSET', 'settlementAssetId'],
    ['an unknown fund', { insuranceFundId: 'x' }, 'UNKNOWN_ACCOUNT', 'insuranceFundId'],
    ['a fund that is none', { insuranceFundId: 'lp' }, 'UNKNOWN_ACCOUNT', 'insuranceFundId'],
    ['a fund in another asset', { settlementAssetId: 'BTC' }, 'OTHER_SETTLEMENT_ASSET', 'insuranceFundId'],
    ['a liquidity provider that is none', { liquidityProviderId: 'fund' }, 'CONFLICT', 'liquidityProviderId'],
  ])('with %s is refused', async (_, broken, code, field) => {
    await expectUnchanged(() => createMarket(db.sql, { ...market, ...broken } as MarketInput), { code, field });
  });
});

describe('brackets, policy and venue parameters', () => {
  beforeEach(open);
  afterEach(close);

  beforeEach(async () => {
    await createMarket(db.sql, market);
  });

  it('change by a new version that says who and why', async () => {
    const brackets = [{ floor: '0', maintenanceRate: '0.01', initialRate: '0.02' }];
    expect(
      await setBrackets(db.sql, { marketId: 'BTCUSDT', brackets, changedBy: 'risk', reason: 'thin book' }),
    ).toEqual({ version: 2 });
    expect(
      await setPolicy(db.sql, { marketId: 'BTCUSDT', allocation: 'PRO_RATA', changedBy: 'risk', reason: 'fairness' }),
    ).toEqual({ version: 2 });
    expect(await setVenueParameters(db.sql, { callDeadlineMs: 60000, changedBy: 'risk', reason: 'replay' })).toEqual({
      version: 2,
    });
    expect([...(await db.sql`select version, changed_by, reason from bracket_version order by version`)]).toEqual([
      { version: 1, changed_by: 'operator', reason: 'listing' },
      { version: 2, changed_by: 'risk', reason: 'thin book' },
    ]);
    expect(
      await db.sql`select call_deadline_ms, trim_scale(call_ratio)::text as call from venue_parameters where version = 2`,
    ).toEqual([{ call_deadline_ms: 60000, call: '0.8' }]);
  });

  it('two changes at once make two versions', async () => {
    const told = await Promise.all([1, 2, 3].map(() => setPolicy(db.sql, { marketId: 'BTCUSDT', ...change })));
    expect(told.map((each) => each.version).sort()).toEqual([2, 3, 4]);
    const venues = await Promise.all([1, 2, 3].map(() => setVenueParameters(db.sql, change)));
    expect(venues.map((each) => each.version).sort()).toEqual([2, 3, 4]);
  });

  it('are refused where they contradict the rest', async () => {
    const low = [{ floor: '0', maintenanceRate: '0.0025', initialRate: '0.01' }];
    await expectUnchanged(() => setBrackets(db.sql, { marketId: 'BTCUSDT', brackets: low, ...change }), {
      code: 'BAD_INPUT',
      field: 'brackets',
    });
    await expectUnchanged(() => setBrackets(db.sql, { marketId: 'x', brackets: market.brackets, ...change }), {
      code: 'UNKNOWN_MARKET',
    });
    await expectUnchanged(() => setPolicy(db.sql, { marketId: 'x', ...change }), { code: 'UNKNOWN_MARKET' });
    await expectUnchanged(() => setVenueParameters(db.sql, { warningRatio: '0.8', ...change }), {
      code: 'BAD_INPUT',
      field: 'warningRatio',
    });
    await expectUnchanged(() => setVenueParameters(db.sql, { callRatio: '1', ...change }), {
      code: 'BAD_INPUT',
      field: 'callRatio',
    });
    await expectUnchanged(() => setVenueParameters(db.sql, { liquidationTarget: '0.8', ...change }), {
      code: 'BAD_INPUT',
      field: 'liquidationTarget',
    });
  });
});

describe('a halt', () => {
  beforeEach(open);
  afterEach(close);

  it('and its end are history, each once', async () => {
    await createMarket(db.sql, market);
    const input = { marketId: 'BTCUSDT', changedBy: 'operator', reason: 'feed broken', at: '2025-10-10T21:21:00Z' };
    await haltMarket(db.sql, input);
    await expectUnchanged(() => haltMarket(db.sql, input), { code: 'CONFLICT' });
    await resumeMarket(db.sql, { ...input, reason: 'feed back', at: '2025-10-10T21:22:00Z' });
    await expectUnchanged(() => resumeMarket(db.sql, input), { code: 'CONFLICT' });
    await expectUnchanged(() => haltMarket(db.sql, { ...input, marketId: 'x' }), { code: 'UNKNOWN_MARKET' });
    expect([
      ...(await db.sql`select from_status, to_status, reason, lap_id, at from market_status_change order by id`),
    ]).toEqual([
      {
        from_status: 'ACTIVE',
        to_status: 'HALTED',
        reason: 'feed broken',
        lap_id: null,
        at: '2025-10-10T21:21:00.000000Z',
      },
      {
        from_status: 'HALTED',
        to_status: 'ACTIVE',
        reason: 'feed back',
        lap_id: null,
        at: '2025-10-10T21:22:00.000000Z',
      },
    ]);
  });
});

describe('accounts, traders and funds', () => {
  beforeEach(open);
  afterEach(close);

  it('created again are the same; with other content the id is in use', async () => {
    const account = { id: 'alice', traderId: 'maker', marginAssetId: 'USDT' };
    expect(await createAccount(db.sql, account)).toEqual({ created: true });
    expect(await createAccount(db.sql, { ...account, mode: 'CROSS' })).toEqual({ created: false });
    await expectUnchanged(() => createAccount(db.sql, { ...account, mode: 'ISOLATED' }), { code: 'ID_REUSED' });
    await expectUnchanged(() => createAccount(db.sql, { ...account, marginAssetId: 'BTC' }), { code: 'ID_REUSED' });
    expect(await createAsset(db.sql, { id: 'USDT' })).toEqual({ created: false });
    const fund = { id: 'fund', assetId: 'USDT', name: 'Insurance fund', perEventCap: '1000.0' };
    expect(await createFund(db.sql, fund)).toEqual({ created: false });
    await expectUnchanged(() => createFund(db.sql, { ...fund, perEventCap: '1' }), { code: 'ID_REUSED' });
    await expectUnchanged(() => createFund(db.sql, { ...fund, id: 'alice' }), { code: 'ID_REUSED' });
  });

  it('need what they name', async () => {
    await expectUnchanged(() => createAccount(db.sql, { id: 'a', traderId: 'x', marginAssetId: 'USDT' }), {
      code: 'UNKNOWN_TRADER',
    });
    await expectUnchanged(() => createAccount(db.sql, { id: 'a', traderId: 'maker', marginAssetId: 'x' }), {
      code: 'UNKNOWN_ASSET',
    });
    await expectUnchanged(() => createFund(db.sql, { id: 'f', assetId: 'x', name: 'n' }), { code: 'UNKNOWN_ASSET' });
    const isolated = {
      id: 'a',
      traderId: 'maker',
      marginAssetId: 'USDT',
      kind: 'LIQUIDITY_PROVIDER',
      mode: 'ISOLATED',
    } as const;
    await expectUnchanged(() => createAccount(db.sql, isolated), { code: 'BAD_INPUT', field: 'mode' });
  });

  it('of a trader the level may change', async () => {
    await createTrader(db.sql, { id: 'maker', verificationLevel: 3 });
    expect(await db.sql`select verification_level as level from trader where id = 'maker'`).toEqual([{ level: 3 }]);
    await expectUnchanged(() => createTrader(db.sql, { id: 'maker', verificationLevel: 10 }), { code: 'BAD_INPUT' });
  });
});

describe('a margin call', () => {
  beforeEach(open);
  afterEach(close);

  const at = (minute: string): string => `2025-10-10T21:${minute}:00.000000Z`;

  beforeEach(async () => {
    await createAccount(db.sql, { id: 'alice', traderId: 'maker', marginAssetId: 'USDT' });
    await db.sql`insert into lap (id, at, outcome_digest, more) values (1, ${at('00')}::timestamptz, ${'0'.repeat(64)}, false)`;
    await db.sql`
      with t as (insert into margin_status_transition (lap_id, account_id, to_status, held, at)
        values (1, 'alice', 'MARGIN_CALL', false, ${at('00')}::timestamptz) returning id)
      insert into margin_call
        (account_id, lap_id, transition_id, amount_required, equity, maintenance, called_at, deadline, latest_deadline, on_lapse)
      select 'alice', 1, id, 1, 1, 1, ${at('00')}::timestamptz, ${at('10')}::timestamptz, ${at('30')}::timestamptz, 'REDUCE_ONLY' from t`;
  });

  it('is extended later, at most to its latest deadline, and the extension is history', async () => {
    const extend = (deadline: string, marginCallId = '1'): Promise<void> =>
      extendMarginCall(db.sql, { marginCallId, deadline, changedBy: 'desk', reason: 'wire under way' });
    await extend(at('20'));
    await expectUnchanged(() => extend(at('20')), { code: 'CONFLICT', field: 'deadline' });
    await expectUnchanged(() => extend('2025-10-10T21:30:00.000001Z'), { code: 'CONFLICT', field: 'deadline' });
    await expectUnchanged(() => extend(at('25'), '2'), { code: 'NOT_FOUND' });
    await expectUnchanged(() => extend(at('25'), '1; drop'), { code: 'BAD_INPUT' });
    await extend(at('30'));
    expect([
      ...(await db.sql`select deadline_before, deadline_after, changed_by, reason from margin_call_extension order by id`),
    ]).toEqual([
      { deadline_before: at('10'), deadline_after: at('20'), changed_by: 'desk', reason: 'wire under way' },
      { deadline_before: at('20'), deadline_after: at('30'), changed_by: 'desk', reason: 'wire under way' },
    ]);
    expect(await db.sql`select deadline from margin_call`).toEqual([{ deadline: at('30') }]);
  });

  it('that has ended is not extended', async () => {
    await db.sql`update margin_call set status = 'MET', ended_at = ${at('05')}::timestamptz, ended_lap_id = 1`;
    const late = { marginCallId: '1', deadline: at('20'), ...change };
    await expectUnchanged(() => extendMarginCall(db.sql, late), { code: 'CONFLICT', field: 'marginCallId' });
  });
});
