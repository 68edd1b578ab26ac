import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { bearer } from '../support/access.js';
import { fingerprintOf } from '../support/fingerprint.js';
import type { TestVenue } from '../support/venue.js';
import { freshVenue, startApi, tellOfAlice, type TestApi } from './api.js';

/* eslint-disable @typescript-eslint/no-explicit-any, @typescript-eslint/no-unsafe-assignment, @typescript-eslint/no-unsafe-member-access, @typescript-eslint/no-unsafe-return, @typescript-eslint/no-unsafe-call -- answers are JSON, read by the names just asked for */

interface Supposed {
  readonly transfer?: string;
  readonly trades?: readonly { marketSymbol: string; size: string; price?: string; fee?: string }[];
  readonly prices?: readonly { marketSymbol: string; price: string }[];
}

const MARGIN =
  'margin { status held equity initial maintenance marginRatio accountLeverage withdrawable freshness { code } }';
const POSITION = `market { symbol } side size cost entryPrice markPrice notional unrealizedPnl effectiveLeverage initialMargin
  maintenanceMargin liquidationPrice liquidationDistance bankruptcyPrice`;
const ADL = 'adl { state level rank queueLength sizeAhead percentile score { name value profitRatio leverage } }';
const PORTFOLIO = `{ balance ${MARGIN} positions { ${POSITION} ${ADL} } }`;
const SIMULATION = `query($input: MarginSimulationInput!) {
  marginSimulation(input: $input) { account { externalId } before ${PORTFOLIO} after ${PORTFOLIO} } }`;

describe('what an account would be', () => {
  let api: TestApi;
  let venue: TestVenue;
  beforeEach(async () => {
    api = await startApi();
    venue = await freshVenue(api.sql);
    await tellOfAlice(venue);
    await venue.price('BTCUSDT', '98.5');
    await venue.price('ETHUSDT', '10');
    await venue.trade('ETHUSDT', 'lp-usdt', 'bob', '7', '10.4');
    await venue.trade('ETHUSDT', 'lp-usdt', 'carol', '2', '11');
    await venue.trade('ETHUSDT', 'dora', 'lp-usdt', '5', '9');
    await api.book.refresh();
  });
  afterEach(() => api.stop());

  const ownToken = (account: string): Promise<string> => bearer({ scopes: ['read:account'], traderId: account });
  const suppose = async (account: string, supposed: Supposed, token?: string): Promise<any> =>
    api.ask(SIMULATION, { input: { accountExternalId: account, ...supposed } }, token ?? (await ownToken(account)));
  async function simulated(account: string, supposed: Supposed, token?: string): Promise<any> {
    const { data, errors } = await suppose(account, supposed, token);
    expect(errors).toBeUndefined();
    return data.marginSimulation;
  }
  /** The same figures of the account as it is. */
  async function seen(account: string, token?: string): Promise<any> {
    await api.book.refresh();
    const query = `{ account(externalId: "${account}") { balances { amount } ${MARGIN} positions { ${POSITION} ${ADL} } } }`;
    const { data } = await api.ask(query, {}, token ?? (await ownToken(account)));
    const { balances, ...rest } = data.account;
    return { balance: balances[0].amount, ...rest };
  }
  /** Does what was supposed. */
  async function record(account: string, { transfer, trades = [], prices = [] }: Supposed): Promise<void> {
    if (transfer !== undefined) await venue.deposit(account, transfer);
    for (const { marketSymbol, size, price = '98.5', fee = '0' } of trades) {
      if (size.startsWith('-'))
        await venue.trade(marketSymbol, 'lp-usdt', account, size.slice(1), price, { sellerFee: fee });
      else await venue.trade(marketSymbol, account, 'lp-usdt', size, price, { buyerFee: fee });
    }
    for (const { marketSymbol, price } of prices) await venue.price(marketSymbol, price);
  }

  const STORIES: readonly (readonly [string, string, Supposed])[] = [
    ['nothing', 'bob', {}],
    ['a deposit', 'dora', { transfer: '20.000000000000000001' }],
    ['a withdrawal below zero', 'carol', { transfer: '-90' }],
    ['a part closed at mark', 'dora', { trades: [{ marketSymbol: 'BTCUSDT', size: '1.007' }] }],
    [
      'all closed, with a fee',
      'carol',
      { trades: [{ marketSymbol: 'BTCUSDT', size: '4', price: '97.77', fee: '0.31' }] },
    ],
    [
      'a flip into the other queue',
      'bob',
      { trades: [{ marketSymbol: 'BTCUSDT', size: '6.5', price: '98.01', fee: '-0.02' }] },
    ],
    [
      'a new position',
      'alice',
      { transfer: '500', trades: [{ marketSymbol: 'ETHUSDT', size: '-30.003', price: '9.99' }] },
    ],
    [
      'several of all',
      'dora',
      {
        transfer: '11',
        trades: [
          { marketSymbol: 'BTCUSDT', size: '-2', price: '98.6' },
          { marketSymbol: 'ETHUSDT', size: '-9', price: '10.2', fee: '0.1' },
          { marketSymbol: 'BTCUSDT', size: '1', price: '98.4' },
        ],
      },
    ],
  ];

  it.each(STORIES)('is what it is seen to be once it is done: %s', async (_name, account, supposed) => {
    const exact = await bearer({ scopes: ['read:risk'] });
    const stored = await fingerprintOf(api.sql);
    const [before, own, whole] = [
      await seen(account),
      await simulated(account, supposed),
      await simulated(account, supposed, exact),
    ];
    expect(await fingerprintOf(api.sql)).toBe(stored);
    expect(own.account).toEqual({ externalId: account });
    expect(own.before).toEqual(before);
    await record(account, supposed);
    expect(own.after).toEqual(await seen(account));
    expect(whole.after).toEqual(await seen(account, exact));
    if (Object.keys(supposed).length > 0) expect(own.after).not.toEqual(own.before);
  });

  it('is the same at another price, but for the places, which would be those of others too', async () => {
    const supposed = { transfer: '3', prices: [{ marketSymbol: 'BTCUSDT', price: '99.2' }] };
    const { before, after } = await simulated('alice', supposed);
    expect([before.margin.status, after.margin.status]).toEqual(['LIQUIDATABLE', 'WARNING']);
    await record('alice', supposed);
    const then = await seen('alice');
    const none = { level: null, rank: null, queueLength: null, sizeAhead: null, percentile: null, score: null };
    const places = then.positions.map((one: any) => ({ ...one, adl: { state: 'UNKNOWN', ...none } }));
    expect(after).toEqual({ ...then, positions: places });
  });

  it('counts a supposed price as one that has come', async () => {
    await api.sql`update market set stale_after_ms = 1 where id = 'BTCUSDT'`;
    await api.book.refresh();
    const { before, after } = await simulated('bob', { prices: [{ marketSymbol: 'BTCUSDT', price: '98.5' }] });
    expect([before.margin.held, before.margin.freshness.code]).toEqual([true, 'STALE']);
    expect([after.margin.held, after.margin.equity]).toEqual([false, before.margin.equity]);
  });

  it('tells a trader sizes of others to two digits, and nothing of an account that is not his', async () => {
    const { after } = await simulated('bob', { transfer: '1' });
    expect(after.positions[0].adl.sizeAhead).toMatch(/^\d{1,2}$/);
    // What the account would refuse is not told either: isolated or not, there or not.
    const foul = { trades: [{ marketSymbol: 'nowhere', size: '0.0001' }] };
    const token = await ownToken('bob');
    for (const [account, supposed] of [
      ['dora', {}],
      ['dora', foul],
      ['nobody', foul],
      ['lp-usdt', foul],
    ] as const)
      expect(await suppose(account, supposed, token)).toEqual({ status: 200, data: { marginSimulation: null } });
  });

  it('has no place for a liquidity provider', async () => {
    const { after } = await simulated('lp-usdt', { transfer: '1' }, await bearer({ scopes: ['read:risk'] }));
    expect(after.positions[0].adl).toMatchObject({ state: 'EXEMPT', level: null });
  });

  const trade = (more: object): Supposed => ({ trades: [{ marketSymbol: 'BTCUSDT', size: '1', ...more }] });
  const REFUSALS: readonly (readonly [string, string, string, Supposed])[] = [
    ['UNKNOWN_MARKET', 'trades.0.marketSymbol', 'bob', trade({ marketSymbol: 'XYZ' })],
    ['BAD_INPUT', 'trades.0.size', 'bob', trade({ size: '0.0005' })],
    ['BAD_INPUT', 'trades.0.size', 'bob', trade({ size: '0' })],
    ['BAD_INPUT', 'trades.0.price', 'bob', trade({ price: '98.555' })],
    ['BAD_INPUT', 'trades.0.price', 'bob', trade({ price: '-1' })],
    ['BAD_INPUT', 'trades.0.size', 'bob', trade({ size: '9999999999999999999', price: '98' })],
    ['OTHER_SETTLEMENT_ASSET', 'trades.0.marketSymbol', 'bob', trade({ marketSymbol: 'BTCUSD', price: '98' })],
    ['BAD_INPUT', 'prices.0.price', 'bob', { prices: [{ marketSymbol: 'BTCUSDT', price: '0' }] }],
    [
      'BAD_INPUT',
      'prices.1.marketSymbol',
      'bob',
      { prices: ['98', '99'].map((price) => ({ marketSymbol: 'BTCUSDT', price })) },
    ],
    [
      'BAD_INPUT',
      'input',
      'bob',
      { trades: Array.from({ length: 101 }, () => ({ marketSymbol: 'BTCUSDT', size: '1' })) },
    ],
    ['BAD_INPUT', 'input', 'bob', { transfer: '99999999999999999999' }],
    ['CONFLICT', 'trades', 'fund-usdt', trade({})],
    ['CONFLICT', 'trades.0.price', 'btc', trade({ marketSymbol: 'BTCUSD' })],
    [
      'SECOND_POSITION_IN_ISOLATED_ACCOUNT',
      'trades.1',
      'iso',
      { trades: ['BTCUSDT', 'ETHUSDT'].map((marketSymbol) => ({ marketSymbol, size: '1' })) },
    ],
  ];

  it('is refused with a code when it could not be recorded', async () => {
    await venue.account('iso', { mode: 'ISOLATED', deposit: '100' });
    await venue.account('btc', { asset: 'BTC', deposit: '1' });
    await api.book.refresh();
    const everything = await bearer();
    for (const [code, field, account, supposed] of REFUSALS) {
      const { data, errors } = await suppose(account, supposed, everything);
      const { message, path, extensions } = errors[0];
      expect([errors.length, message.split(': ')[0], path, extensions]).toEqual([
        1,
        field,
        ['marginSimulation'],
        { code },
      ]);
      expect(data).toEqual({ marginSimulation: null });
      // Whatever is asked of it.
      for (const field of ['account { externalId }', 'before { balance }', '__typename']) {
        const query = `query($input: MarginSimulationInput!) { marginSimulation(input: $input) { ${field} } }`;
        const told = await api.ask(query, { input: { accountExternalId: account, ...supposed } }, everything);
        expect([field, told.errors[0].extensions, told.data]).toEqual([field, { code }, data]);
      }
      // To whom it is not his there is no such account.
      const [mine] = [await suppose(account, supposed, await ownToken('alice'))];
      expect([mine.data, mine.errors]).toEqual([{ marginSimulation: null }, undefined]);
    }
    await api.sql`update market set status = 'SETTLED' where id = 'ETHUSDT'`;
    await api.book.refresh();
    const { errors } = await suppose('bob', trade({ marketSymbol: 'ETHUSDT' }), everything);
    expect(errors[0].extensions).toEqual({ code: 'MARKET_SETTLED' });
  });
});
