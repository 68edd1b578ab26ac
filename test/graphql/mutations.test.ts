import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { assertInvariants } from '../support/checks.js';
import { startApi, type TestApi } from './api.js';

/* eslint-disable @typescript-eslint/no-explicit-any, @typescript-eslint/no-unsafe-assignment, @typescript-eslint/no-unsafe-member-access,
   @typescript-eslint/no-unsafe-call, @typescript-eslint/no-unsafe-return, @typescript-eslint/no-unsafe-argument
   -- answers are JSON, read by the names just asked for */

const RECORD = { changedBy: 'operator', reason: 'a test' };
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
const ERRORS = 'userErrors { code message field }';

describe('what can be done over the API', () => {
  let api: TestApi;
  beforeAll(async () => {
    api = await startApi();
  });
  afterAll(() => api.stop());

  async function act(mutation: string, input: unknown, fields: string, name = mutation): Promise<any> {
    const type = `${mutation[0]?.toUpperCase() ?? ''}${mutation.slice(1)}`;
    const inputType = mutation === 'marketHalt' || mutation === 'marketResume' ? 'MarketStatusInput' : `${type}Input`;
    const { data, errors } = await api.ask(
      `mutation($input: ${inputType}!) { ${name}: ${mutation}(input: $input) { ${fields} ${ERRORS} } }`,
      { input },
    );
    if (errors !== undefined) throw new Error(JSON.stringify(errors));
    return data[name];
  }

  /** Every row of every table, so that a refusal can be shown to have changed nothing. */
  async function contents(): Promise<string> {
    const tables = await api.sql<{ name: string }[]>`
      select table_name as name from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE' order by 1`;
    const found = [];
    for (const { name } of tables)
      found.push(await api.sql`select ${name}, to_jsonb(t) from ${api.sql(name)} t order by 2`);
    return JSON.stringify(found);
  }

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
    expect(
      await act(
        'bracketsChange',
        { marketSymbol: 'SOLUSDT', brackets: [BRACKETS[0]], ...RECORD },
        'market { brackets { floor } }',
      ),
    ).toEqual({
      market: { brackets: [{ floor: '0' }] },
      userErrors: [],
    });
    expect(
      await act(
        'policyChange',
        { marketSymbol: 'SOLUSDT', policy: { allocation: 'PRO_RATA' }, ...RECORD },
        'market { policy { version score allocation changedBy reason } }',
      ),
    ).toEqual({
      market: {
        policy: {
          version: 2,
          score: 'LEVERAGED_RETURN',
          allocation: 'PRO_RATA',
          changedBy: 'operator',
          reason: 'a test',
        },
      },
      userErrors: [],
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
    expect((await act('marketResume', { marketSymbol: 'SOLUSDT', ...RECORD }, 'market { status }')).market).toEqual({
      status: 'ACTIVE',
    });
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
      { marketSymbol: 'SOLUSDT', priceId: 'p2', confirmedBy: 'operator' },
      'market { markPrice { price } suspectPrice { price } }',
    );
    expect(market).toEqual({ markPrice: { price: '30' }, suspectPrice: null });
    const refused = await act(
      'priceConfirm',
      { marketSymbol: 'SOLUSDT', priceId: 'p9', confirmedBy: 'operator' },
      'market { symbol }',
    );
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
    const before = await contents();
    const fields = 'outcome round outcomeDigest more counts { name count }';
    const dry = await act('jobRun', { name: 'waterfall', dryRun: true }, fields);
    expect(await contents()).toBe(before);
    const live = await act('jobRun', { name: 'waterfall' }, fields);
    expect(dry).toEqual({ ...live, round: null });
    expect(live.round).toBe('2');
    expect((await act('jobRun', { name: 'sweep' }, 'outcome')).userErrors).toEqual([
      { code: 'NOT_FOUND', message: 'name: no job sweep', field: ['input', 'name'] },
    ]);
  });

  it('is refused with a code, the path of the row at fault, and nothing changed', async () => {
    const before = await contents();
    const trade = { id: 'x1', marketSymbol: 'SOLUSDT', buyerId: 'ann', sellerId: 'ben', size: '1', price: '20' };
    const cases: [mutation: string, input: unknown, code: string, field: string[]][] = [
      [
        'tradesRecord',
        { trades: [trade, { ...trade, id: 'x2', price: '-1' }] },
        'BAD_INPUT',
        ['input', 'trades', '1', 'price'],
      ],
      [
        'tradesRecord',
        { trades: [trade, { ...trade, id: 'x2', marketSymbol: 'NONE' }] },
        'UNKNOWN_MARKET',
        ['input', 'trades', '1', 'marketSymbol'],
      ],
      [
        'tradesRecord',
        { trades: [{ ...trade, buyerId: 'nobody' }] },
        'UNKNOWN_ACCOUNT',
        ['input', 'trades', '0', 'buyerId'],
      ],
      ['tradesRecord', { trades: [trade, { ...trade, id: 't1' }] }, 'ID_REUSED', ['input', 'trades', '1', 'id']],
      [
        'transfersRecord',
        { transfers: [{ id: 'x', accountId: 'fund', assetSymbol: 'USDT', amount: '-11' }] },
        'FUND_BELOW_ZERO',
        ['input', 'transfers', '0', 'amount'],
      ],
      [
        'pricesRecord',
        { prices: [{ id: 'x', marketSymbol: 'SOLUSDT', price: '0' }] },
        'BAD_INPUT',
        ['input', 'prices', '0', 'price'],
      ],
      [
        'depthRecord',
        {
          depths: [
            {
              id: 'x',
              marketSymbol: 'SOLUSDT',
              bids: [
                { price: '1', size: '1' },
                { price: '2', size: '1' },
              ],
              asks: [],
            },
          ],
        },
        'BAD_INPUT',
        ['input', 'depths', '0', 'bids', '1'],
      ],
      [
        'fundingRecord',
        { fundings: [{ id: 'x', marketSymbol: 'SOLUSDT', payments: [{ accountId: 'ann', amount: '1' }] }] },
        'BAD_INPUT',
        ['input', 'fundings', '0', 'payments'],
      ],
    ];
    for (const [mutation, input, code, field] of cases) {
      const payload = await act(mutation, input, 'recorded duplicates');
      expect(payload).toEqual({
        recorded: 0,
        duplicates: 0,
        userErrors: [{ code, message: expect.any(String), field }],
      });
    }
    const many = Array.from({ length: 1001 }, (_, k) => ({ ...trade, id: `many-${String(k)}` }));
    expect((await act('tradesRecord', { trades: many }, 'recorded')).userErrors[0].code).toBe('BATCH_TOO_LARGE');
    const gaps = { ...MARKET, symbol: 'GAP', brackets: [{ floor: '5', maintenanceRate: '0.01', initialRate: '0.02' }] };
    expect((await act('marketCreate', gaps, 'market { symbol }')).userErrors[0]).toMatchObject({
      code: 'BAD_INPUT',
      field: ['input', 'brackets'],
    });
    const fine = { ...MARKET, symbol: 'FINE', contractSize: '0.000000001', sizeStep: '0.000000001' };
    expect((await act('marketCreate', fine, 'market { symbol }')).userErrors[0]).toMatchObject({
      code: 'BAD_INPUT',
      field: ['input', 'contractSize'],
    });
    const asFund = { externalId: 'x', traderId: 't1', kind: 'INSURANCE_FUND', marginAssetSymbol: 'USDT' };
    expect((await act('accountCreate', asFund, 'account { id }')).userErrors[0]).toMatchObject({
      code: 'BAD_INPUT',
      field: ['input', 'kind'],
    });
    const lost = { externalId: 'x', traderId: 'nobody', marginAssetSymbol: 'USDT' };
    expect((await act('accountCreate', lost, 'account { id }')).userErrors[0]).toMatchObject({
      code: 'UNKNOWN_TRADER',
      field: ['input', 'traderId'],
    });
    expect(
      (await act('insuranceFundContribute', { id: 'x', insuranceFundId: 'fund', amount: '-1' }, 'insuranceFund { id }'))
        .userErrors[0],
    ).toMatchObject({ field: ['input', 'amount'] });
    expect((await act('assetCreate', { symbol: 'no good' }, 'asset { id }')).userErrors[0]).toMatchObject({
      field: ['input', 'symbol'],
    });
    expect(
      (
        await act(
          'marginCallExtend',
          { marginCallId: 'x', deadline: '2025-01-01T00:00:00Z', ...RECORD },
          'marginCall { id }',
        )
      ).userErrors[0].code,
    ).toBe('NOT_FOUND');
    expect(await contents()).toBe(before);
  });

  it('takes an amount only as a plain decimal string', async () => {
    const before = await contents();
    const query =
      'mutation($amount: Decimal!) { transfersRecord(input: { transfers: [{ id: "x", accountId: "ann", assetSymbol: "USDT", amount: $amount }] }) { recorded } }';
    for (const amount of [
      'NaN',
      'Infinity',
      '1e3',
      '1E-2',
      '+1',
      '.5',
      '5.',
      '',
      ' 1',
      '1'.repeat(40),
      '1.0000000000000000001',
      12.5,
      3,
      true,
      null,
    ]) {
      const { status, data, errors } = await api.ask(query, { amount });
      expect([amount, status, data, errors[0].extensions.code]).toEqual([amount, 400, undefined, 'BAD_USER_INPUT']);
    }
    const literal = await api.ask(
      'mutation { transfersRecord(input: { transfers: [{ id: "x", accountId: "ann", assetSymbol: "USDT", amount: 12.5 }] }) { recorded } }',
    );
    expect(literal.errors[0].message).toContain('Decimal must be a string');
    expect(await contents()).toBe(before);
  });
});
