import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { assertInvariants } from '../support/checks.js';
import { fingerprintOf } from '../support/fingerprint.js';
import { actOn, changeBoth, startApi, type TestApi } from './api.js';

/* eslint-disable @typescript-eslint/no-explicit-any, @typescript-eslint/no-unsafe-assignment, @typescript-eslint/no-unsafe-member-access, @typescript-eslint/no-unsafe-argument -- answers are JSON, read by the names just asked for */

const RECORD = { reason: 'a test' };
const BRACKETS = [
  { floor: '0', maintenanceRate: '0.01', initialRate: '0.02' },
  { floor: '1000', maintenanceRate: '0.02', initialRate: '0.04' },
];
const MARKET = {
  symbol: 'SOLUSDT',
  payoff: 'LINEAR',
  settlementAssetSymbol: 'USDT',
  contractSize: '1',
  priceTick: '0.01',
  sizeStep: '0.1',
  insuranceFundId: 'fund',
  liquidityProviderId: 'lp',
  brackets: BRACKETS,
  ...RECORD,
};

describe('what can be done over the API', () => {
  let api: TestApi;
  beforeAll(async () => {
    api = await startApi();
  });
  afterAll(() => api.stop());

  const act = (mutation: string, input: unknown, fields: string): Promise<any> => actOn(api, mutation, input, fields);

  it('is to build a venue', async () => {
    expect(await act('assetCreate', { symbol: 'USDT' }, 'asset { id symbol }')).toEqual({
      asset: { id: 'Asset:USDT', symbol: 'USDT' },
      userErrors: [],
    });
    expect(
      await act('traderUpsert', { externalId: 't1', verificationLevel: 2 }, 'trader { id verificationLevel }'),
    ).toEqual({
      trader: { id: 'Trader:t1', verificationLevel: 2 },
      userErrors: [],
    });
    expect(
      await act(
        'insuranceFundCreate',
        { externalId: 'fund', assetSymbol: 'USDT', name: 'Main fund', perEventCap: '4' },
        FUND,
      ),
    ).toEqual({
      insuranceFund: {
        id: 'InsuranceFund:fund',
        name: 'Main fund',
        balance: '0',
        available: '0',
        asset: { symbol: 'USDT' },
        allowance: { perEventCap: '4', window: null, windowMs: 28800000, paid: null },
      },
      userErrors: [],
    });
    for (const [externalId, kind] of [
      ['lp', 'LIQUIDITY_PROVIDER'],
      ['ann', 'TRADER'],
      ['ben', 'TRADER'],
    ]) {
      const { account, userErrors } = await act(
        'accountCreate',
        { externalId, traderId: 't1', kind, marginAssetSymbol: 'USDT' },
        'account { externalId kind mode trader { externalId } margin { equity } }',
      );
      expect(userErrors).toEqual([]);
      expect(account).toEqual({
        externalId,
        kind,
        mode: 'CROSS',
        trader: { externalId: 't1' },
        margin: { equity: '0' },
      });
    }
    expect(
      await act(
        'marketCreate',
        MARKET,
        'market { symbol payoff maxFeeRate brackets { floor } policy { version score } insuranceFund { externalId } }',
      ),
    ).toEqual({
      market: {
        symbol: 'SOLUSDT',
        payoff: 'LINEAR',
        maxFeeRate: '0.0025',
        brackets: [{ floor: '0' }, { floor: '1000' }],
        policy: { version: 1, score: 'LEVERAGED_RETURN' },
        insuranceFund: { externalId: 'fund' },
      },
      userErrors: [],
    });
  });
  const FUND =
    'insuranceFund { id name balance available asset { symbol } allowance { perEventCap window windowMs paid } }';

  it('is to feed it', async () => {
    const feed = 'recorded duplicates';
    const transfers = [
      { id: 'd1', accountId: 'ann', assetSymbol: 'USDT', amount: '50' },
      { id: 'd2', accountId: 'ben', assetSymbol: 'USDT', amount: '50' },
    ];
    expect(await act('transfersRecord', { transfers }, feed)).toEqual({ recorded: 2, duplicates: 0, userErrors: [] });
    expect(await act('transfersRecord', { transfers }, feed)).toEqual({ recorded: 0, duplicates: 2, userErrors: [] });
    const trades = [
      {
        id: 't1',
        marketSymbol: 'SOLUSDT',
        buyerId: 'ann',
        sellerId: 'ben',
        size: '2.5',
        price: '20',
        buyerFee: '0.01',
        sellerFee: '-0.005',
      },
    ];
    expect(await act('tradesRecord', { trades }, feed)).toEqual({ recorded: 1, duplicates: 0, userErrors: [] });
    const prices = [{ id: 'p1', marketSymbol: 'SOLUSDT', price: '20', indexPrice: '20.1' }];
    expect(await act('pricesRecord', { prices }, feed)).toEqual({ recorded: 1, duplicates: 0, userErrors: [] });
    const depths = [
      { id: 'b1', marketSymbol: 'SOLUSDT', bids: [{ price: '19.9', size: '3' }], asks: [{ price: '20.1', size: '1' }] },
    ];
    expect(await act('depthRecord', { depths }, feed)).toEqual({ recorded: 1, duplicates: 0, userErrors: [] });
    const fundings = [
      {
        id: 'f1',
        marketSymbol: 'SOLUSDT',
        payments: [
          { accountId: 'ann', amount: '-0.3' },
          { accountId: 'ben', amount: '0.3' },
        ],
      },
    ];
    expect(await act('fundingRecord', { fundings }, feed)).toEqual({ recorded: 1, duplicates: 0, userErrors: [] });
    expect(
      await act(
        'insuranceFundContribute',
        { id: 'c1', insuranceFundId: 'fund', amount: '10' },
        'insuranceFund { balance available }',
      ),
    ).toEqual({
      insuranceFund: { balance: '10', available: '4' },
      userErrors: [],
    });
    const { account, market } =
      await api.read(`{ account(externalId: "ann") { balances { amount } positions { size cost } }
      market(symbol: "SOLUSDT") { markPrice { price } indexPrice { price } } }`);
    expect(account).toEqual({ balances: [{ amount: '49.69' }], positions: [{ size: '2.5', cost: '50' }] });
    expect(market).toEqual({ markPrice: { price: '20' }, indexPrice: { price: '20.1' } });
    await assertInvariants(api.sql);
  });

  it('is to change it, with who and why', async () => {
    const applied = { change: { status: 'APPLIED', decidedBy: 'second' }, userErrors: [] };
    const brackets = { marketSymbol: 'SOLUSDT', brackets: [BRACKETS[0]], ...RECORD };
    expect(await changeBoth(api, 'bracketsChange', brackets)).toMatchObject(applied);
    const policy = { marketSymbol: 'SOLUSDT', policy: { allocation: 'PRO_RATA' }, ...RECORD };
    expect(await changeBoth(api, 'policyChange', policy)).toMatchObject(applied);
    const { market } = await api.read(
      '{ market(symbol: "SOLUSDT") { brackets { floor } policy { version score allocation changedBy reason } } }',
    );
    expect(market).toEqual({
      brackets: [{ floor: '0' }],
      policy: {
        ...{ version: 2, score: 'LEVERAGED_RETURN', allocation: 'PRO_RATA' },
        ...{ changedBy: 'tester', reason: 'a test' },
      },
    });
    expect(
      await act(
        'marketHalt',
        { marketSymbol: 'SOLUSDT', ...RECORD },
        'market { status markPrice { freshness { code } } }',
      ),
    ).toEqual({
      market: { status: 'HALTED', markPrice: { freshness: { code: 'STALE' } } },
      userErrors: [],
    });
    expect(
      (await act('marketHalt', { marketSymbol: 'SOLUSDT', ...RECORD }, 'market { status }')).userErrors[0],
    ).toMatchObject({
      code: 'CONFLICT',
      field: ['input', 'marketSymbol'],
    });
    expect(await changeBoth(api, 'marketResume', { marketSymbol: 'SOLUSDT', ...RECORD })).toMatchObject(applied);
    expect(await api.read('{ market(symbol: "SOLUSDT") { status } }')).toEqual({ market: { status: 'ACTIVE' } });
  });

  it('is to vouch for a suspect price', async () => {
    const prices = [{ id: 'p2', marketSymbol: 'SOLUSDT', price: '30' }];
    await act('pricesRecord', { prices }, 'recorded');
    const seen = await api.read(
      '{ market(symbol: "SOLUSDT") { markPrice { price } suspectPrice { externalId price } } }',
    );
    expect(seen.market).toEqual({ markPrice: { price: '20' }, suspectPrice: { externalId: 'p2', price: '30' } });
    const { market } = await act(
      'priceConfirm',
      { marketSymbol: 'SOLUSDT', priceId: 'p2' },
      'market { markPrice { price } suspectPrice { price } }',
    );
    expect(market).toEqual({ markPrice: { price: '30' }, suspectPrice: null });
    const refused = await act('priceConfirm', { marketSymbol: 'SOLUSDT', priceId: 'p9' }, 'market { symbol }');
    expect(refused.userErrors[0]).toMatchObject({ code: 'NOT_FOUND', field: ['input', 'priceId'] });
  });

  it('is to give a margin call more time, up to its cap', async () => {
    // At 30 Ben, 2.5 short from 20, has 25.305 + 0 of equity; 23.4 less leaves 1.905 over a maintenance of 0.75.
    await act(
      'transfersRecord',
      { transfers: [{ id: 'w1', accountId: 'ben', assetSymbol: 'USDT', amount: '-24.405' }] },
      'recorded',
    );
    await act('jobRun', { name: 'waterfall' }, 'outcome');
    const { marginCalls } = await api.read(
      '{ marginCalls(statuses: [OPEN]) { edges { node { id account { externalId } status amountRequired deadline latestDeadline } } } }',
    );
    const call = marginCalls.edges[0].node;
    // equity 0.9: 0.75 / 0.66 − 0.9, up
    expect(call).toMatchObject({
      account: { externalId: 'ben' },
      status: 'OPEN',
      amountRequired: '0.236363636363636364',
    });
    const extend = (deadline: string): Promise<any> =>
      act('marginCallExtend', { marginCallId: call.id, deadline, ...RECORD }, 'marginCall { deadline }');
    expect((await extend(call.latestDeadline)).marginCall).toEqual({ deadline: call.latestDeadline });
    const [audit] = await api.sql<{ before: string; after: string }[]>`
      select (before ->> 'deadline')::timestamptz as before, (after ->> 'deadline')::timestamptz as after
      from audit_entry where action = 'marginCallExtend' and outcome = 'ACCEPTED'`;
    expect(audit).toEqual({ before: call.deadline, after: call.latestDeadline });
    expect((await extend(call.deadline)).userErrors[0]).toMatchObject({
      code: 'CONFLICT',
      field: ['input', 'deadline'],
    });
    const { account } = await api.read(
      '{ account(externalId: "ben") { marginCalls(statuses: [MET]) { edges { cursor } } margin { status } } }',
    );
    expect(account).toEqual({ marginCalls: { edges: [] }, margin: { status: 'MARGIN_CALL' } });
  });

  it('is to try a round dry, with the same digest as the live one', async () => {
    const before = await fingerprintOf(api.sql);
    const fields = 'outcome round outcomeDigest more counts { name count }';
    const dry = await act('jobRun', { name: 'waterfall', dryRun: true }, fields);
    expect(await fingerprintOf(api.sql)).toBe(before);
    const live = await act('jobRun', { name: 'waterfall' }, fields);
    expect(dry).toEqual({ ...live, round: null });
    expect(live.round).toBe('2');
    expect((await act('jobRun', { name: 'sweep' }, 'outcome')).userErrors).toEqual([
      { code: 'NOT_FOUND', message: 'name: no job sweep', field: ['input', 'name'] },
    ]);
  });
});
