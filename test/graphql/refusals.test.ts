import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { fingerprintOf } from '../support/fingerprint.js';
import { actOn, freshVenue, startApi, tellOfAlice, type TestApi } from './api.js';

/* eslint-disable @typescript-eslint/no-explicit-any, @typescript-eslint/no-unsafe-assignment, @typescript-eslint/no-unsafe-member-access -- answers are JSON, read by the names just asked for */

/** In it each refusal of an administrator stands; all else must stay as it was. */
const AUDIT = ['audit_entry', 'chain_due'];
const RECORD = { reason: 'a test' };
const MARKET = {
  symbol: 'SOLUSDT',
  payoff: 'LINEAR',
  settlementAssetSymbol: 'USDT',
  contractSize: '1',
  priceTick: '0.01',
  sizeStep: '0.1',
  insuranceFundId: 'fund-usdt',
  liquidityProviderId: 'lp-usdt',
  brackets: [{ floor: '0', maintenanceRate: '0.01', initialRate: '0.02' }],
  ...RECORD,
};

describe('bad input', () => {
  let api: TestApi;
  beforeAll(async () => {
    api = await startApi();
    const venue = await freshVenue(api.sql);
    await tellOfAlice(venue);
    await venue.deposit('fund-usdt', '10');
  });
  afterAll(() => api.stop());
  const act = (mutation: string, input: unknown, fields: string): Promise<any> => actOn(api, mutation, input, fields);

  it('is refused with a code, the path of the row at fault, and nothing changed', async () => {
    const before = await fingerprintOf(api.sql, AUDIT);
    const trade = { id: 'x1', marketSymbol: 'BTCUSDT', buyerId: 'alice', sellerId: 'bob', size: '1', price: '20' };
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
      ['tradesRecord', { trades: [trade, { ...trade, id: 'trade-1' }] }, 'ID_REUSED', ['input', 'trades', '1', 'id']],
      [
        'transfersRecord',
        { transfers: [{ id: 'x', accountId: 'fund-usdt', assetSymbol: 'USDT', amount: '-11' }] },
        'NEEDS_APPROVAL',
        ['input', 'transfers', '0', 'amount'],
      ],
      [
        'pricesRecord',
        { prices: [{ id: 'x', marketSymbol: 'BTCUSDT', price: '0' }] },
        'BAD_INPUT',
        ['input', 'prices', '0', 'price'],
      ],
      [
        'depthRecord',
        {
          depths: [
            {
              id: 'x',
              marketSymbol: 'BTCUSDT',
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
        { fundings: [{ id: 'x', marketSymbol: 'BTCUSDT', payments: [{ accountId: 'alice', amount: '1' }] }] },
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
    const asFund = { externalId: 'x', traderId: 'venue', kind: 'INSURANCE_FUND', marginAssetSymbol: 'USDT' };
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
      (
        await act(
          'insuranceFundContribute',
          { id: 'x', insuranceFundId: 'fund-usdt', amount: '-1' },
          'insuranceFund { id }',
        )
      ).userErrors[0],
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
    expect(await fingerprintOf(api.sql, AUDIT)).toBe(before);
  });

  it('takes an amount only as a plain decimal string', async () => {
    const before = await fingerprintOf(api.sql);
    const query =
      'mutation($amount: Decimal!) { transfersRecord(input: { transfers: [{ id: "x", accountId: "alice", assetSymbol: "USDT", amount: $amount }] }) { recorded } }';
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
    // Written into the document it is refused alike, and so is a time.
    for (const [amount, at] of [
      ['12.5', null],
      ['"1e3"', null],
      ['"1"', '"2025-02-30T00:00:00Z"'],
      ['"1"', '1'],
    ]) {
      const transfer = `{ id: "x", accountId: "alice", assetSymbol: "USDT", amount: ${amount ?? ''}, at: ${at ?? 'null'} }`;
      const literal = await api.ask(`mutation { transfersRecord(input: { transfers: [${transfer}] }) { recorded } }`);
      expect([amount, literal.status, literal.data, literal.errors[0].extensions]).toEqual([
        ...[amount, 400, undefined],
        { code: 'BAD_USER_INPUT' },
      ]);
      expect(literal.errors[0].message).toMatch(at === null ? /^Decimal must be/ : /^DateTime must be/);
    }
    expect(await fingerprintOf(api.sql)).toBe(before);
  });
});
