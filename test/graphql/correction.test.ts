import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { bearer } from '../support/access.js';
import { assertInvariants } from '../support/checks.js';
import { fingerprintOf } from '../support/fingerprint.js';
import { actOn, freshVenue, startApi, type TestApi } from './api.js';

/* eslint-disable @typescript-eslint/no-explicit-any, @typescript-eslint/no-unsafe-assignment, @typescript-eslint/no-unsafe-return, @typescript-eslint/no-unsafe-member-access, @typescript-eslint/no-unsafe-call -- answers are JSON, read by the names just asked for */

let api: TestApi;
beforeAll(async () => {
  api = await startApi();
  const venue = await freshVenue(api.sql);
  for (const id of ['alice', 'bob']) await venue.account(id, { deposit: '1000' });
  await venue.price('BTCUSDT', '100');
});
afterAll(async () => {
  await assertInvariants(api.sql);
  await api.stop();
});

const told = { marketSymbol: 'BTCUSDT', buyerId: 'alice', sellerId: 'bob', size: '2', price: '90', buyerFee: '0.1' };
const correction = {
  ...told,
  id: 'c1',
  buyerId: 'bob',
  sellerId: 'alice',
  buyerFee: null,
  sellerFee: '-0.1',
  corrects: 't1',
};
const record = (...trades: unknown[]): Promise<any> => actOn(api, 'tradesRecord', { trades }, 'recorded duplicates');

it('a trade is corrected by its opposite, once, and both say so', async () => {
  await record(
    { ...told, id: 't1' },
    { ...told, id: 't2', price: '80' },
    { ...told, id: 't3', buyerId: 'bob', sellerId: 'alice', size: '1', price: '100' },
  );
  const before = await fingerprintOf(api.sql);
  const wrong = await record({ ...correction, price: '91' });
  expect(wrong.userErrors).toEqual([
    { code: 'CONFLICT', field: ['input', 'trades', '0', 'price'], message: 'price: the opposite of t1 has 90, not 91' },
  ]);
  const unknown = await record({ ...correction, corrects: 'forced-1' });
  expect(unknown.userErrors[0]).toMatchObject({ code: 'NOT_FOUND', field: ['input', 'trades', '0', 'corrects'] });
  expect(await fingerprintOf(api.sql)).toBe(before);
  expect(await record(correction)).toEqual({ recorded: 1, duplicates: 0, userErrors: [] });
  expect(await record(correction)).toEqual({ recorded: 0, duplicates: 1, userErrors: [] });
  expect((await record({ ...correction, id: 'c2' })).userErrors[0].code).toBe('CONFLICT');
  const both =
    await api.read(`{ one: trade(externalId: "t1") { externalId size buyerFee sellerFee corrects correctedBy market { symbol } }
    other: trade(externalId: "c1") { buyerId sellerId buyerFee sellerFee corrects correctedBy } none: trade(externalId: "x") { at } }`);
  expect(both).toEqual({
    one: {
      ...{ externalId: 't1', size: '2', buyerFee: '0.1', sellerFee: '0' },
      ...{ corrects: null, correctedBy: 'c1', market: { symbol: 'BTCUSDT' } },
    },
    other: { buyerId: 'bob', sellerId: 'alice', buyerFee: '0', sellerFee: '-0.1', corrects: 't1', correctedBy: null },
    none: null,
  });
});

it('its owner sees the position as if it had never been, and the entries that made it so', async () => {
  await api.book.refresh();
  const trader = await bearer({ scopes: ['read:account'], traderId: 'alice' });
  const { data } = await api.ask(
    `{ viewer { accounts { balances { amount } positions { size entryPrice }
       ledger { edges { node { kind amount externalId corrects } } } } } }`,
    {},
    trader,
  );
  const [{ balances, positions, ledger }] = data.viewer.accounts;
  // 2 at 80, of which 1 was sold at 100; the fee of t2 alone.
  expect([balances, positions]).toEqual([[{ amount: '1019.9' }], [{ size: '1', entryPrice: '80' }]]);
  expect(ledger.edges.map(({ node }: any) => [node.kind, node.amount, node.externalId, node.corrects])).toEqual([
    ['TRADING_FEE', '0.1', 'c1', 't1'],
    ['REALIZED_PNL', '5', 'c1', 't1'],
    ['REALIZED_PNL', '15', 't3', null],
    ['TRADING_FEE', '-0.1', 't2', null],
    ['TRADING_FEE', '-0.1', 't1', null],
    ['TRANSFER', '1000', 'transfer-1', null],
  ]);
});
