import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { recordPrices, type PriceInput } from '../../src/ingest/prices.js';
import { recordTrades, type TradeInput } from '../../src/ingest/trades.js';
import { recordTransfers, type TransferInput } from '../../src/ingest/transfers.js';
import { assertInvariants } from '../support/checks.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { fingerprintOf } from '../support/fingerprint.js';
import { createTestVenue } from '../support/venue.js';

/** Each bad row comes second, after a sound one, which must not be stored either. */
let db: TestDatabase;
let before: string;

beforeAll(async () => {
  db = await createTestDatabase();
  const venue = await createTestVenue(db.sql);
  await venue.account('alice', { deposit: '1000' });
  await venue.account('bob', { deposit: '1000' });
  await venue.account('carol', { asset: 'BTC', deposit: '1' });
  await venue.trade('ETHUSDT', 'alice', 'bob', '1', '10');
  await venue.price('BTCUSDT', '100');
  await db.sql`update market set status = 'SETTLED' where id = 'ETHUSDT'`;
  before = await fingerprintOf(db.sql);
});
afterAll(async () => {
  await assertInvariants(db.sql);
  await db.drop();
});

type Case = readonly [what: string, change: Record<string, unknown>, code: string, field: string];

const NO_AMOUNTS: readonly (readonly [what: string, value: unknown])[] = [
  ['NaN', 'NaN'],
  ['Infinity', 'Infinity'],
  ['-Infinity', '-Infinity'],
  ['an exponent', '1e2'],
  ['a JSON number', 1],
  ['40 digits', '1'.repeat(40)],
  ['19 decimals', '0.1234567890123456789'],
  ['nothing', undefined],
];

const TOO_SOON: Case = ['a time still to come', { at: '2999-01-01T00:00:00Z' }, 'BAD_INPUT', 'at'];

async function expectRefused(
  record: (rows: never[]) => Promise<unknown>,
  rows: readonly object[],
  [, , code, field]: Case,
): Promise<void> {
  await expect(record(rows as never[])).rejects.toMatchObject({ name: 'BackstopError', code, rowIndex: 1, field });
  expect(await fingerprintOf(db.sql)).toBe(before);
}

describe('a price is refused for', () => {
  const sound: PriceInput = { id: 'sound', marketId: 'BTCUSDT', price: '101', at: '2025-10-10T22:00:00Z' };
  it.each<Case>([
    ...NO_AMOUNTS.map(([what, price]): Case => [what, { price }, 'BAD_INPUT', 'price']),
    ['zero', { price: '0' }, 'BAD_INPUT', 'price'],
    ['a negative price', { price: '-1' }, 'BAD_INPUT', 'price'],
    ['a negative index', { indexPrice: '-1' }, 'BAD_INPUT', 'indexPrice'],
    ['more decimals than a linear market values exactly', { price: '101.001' }, 'BAD_INPUT', 'price'],
    ['an unknown market', { marketId: 'DOGE' }, 'UNKNOWN_MARKET', 'marketId'],
    ['a market id that is none', { marketId: "x' or 1=1" }, 'BAD_INPUT', 'marketId'],
    ['no id', { id: undefined }, 'BAD_INPUT', 'id'],
    ['a time that is none', { at: 'yesterday' }, 'BAD_INPUT', 'at'],
  ])('%s', async (...bad) => {
    await expectRefused((rows) => recordPrices(db.sql, rows), [sound, { ...sound, id: 'bad', ...bad[1] }], bad);
  });
});

describe('a trade is refused for', () => {
  const sound: TradeInput = {
    id: 'sound',
    marketId: 'BTCUSDT',
    buyerId: 'alice',
    sellerId: 'bob',
    size: '1',
    price: '100',
  };
  it.each<Case>([
    ...NO_AMOUNTS.map(([what, size]): Case => [`a size of ${what}`, { size }, 'BAD_INPUT', 'size']),
    ...NO_AMOUNTS.map(([what, price]): Case => [`a price of ${what}`, { price }, 'BAD_INPUT', 'price']),
    ['a size of zero', { size: '0.000' }, 'BAD_INPUT', 'size'],
    ['a negative size', { size: '-1' }, 'BAD_INPUT', 'size'],
    ['a size between steps', { size: '1.0005' }, 'BAD_INPUT', 'size'],
    ['a price of zero', { price: '0' }, 'BAD_INPUT', 'price'],
    ['a negative price', { price: '-100' }, 'BAD_INPUT', 'price'],
    ['a price with too many decimals', { price: '100.001' }, 'BAD_INPUT', 'price'],
    ['a fee that is none', { buyerFee: '0,1' }, 'BAD_INPUT', 'buyerFee'],
    ['a position too large to store', { size: '99999999999999999999', price: '2' }, 'BAD_INPUT', 'size'],
    ['an unknown buyer', { buyerId: 'nobody' }, 'UNKNOWN_ACCOUNT', 'buyerId'],
    ['an unknown seller', { sellerId: 'nobody' }, 'UNKNOWN_ACCOUNT', 'sellerId'],
    ['an unknown market', { marketId: 'DOGE' }, 'UNKNOWN_MARKET', 'marketId'],
    ['both sides being one', { sellerId: 'alice' }, 'SELF_TRADE', 'sellerId'],
    ['an account of another asset', { sellerId: 'carol' }, 'OTHER_SETTLEMENT_ASSET', 'sellerId'],
    ['a fund as a party', { buyerId: 'fund-usdt' }, 'CONFLICT', 'buyerId'],
    ['a market that is settled', { marketId: 'ETHUSDT' }, 'MARKET_SETTLED', 'marketId'],
    ['a field that does not exist', { fee: '1' }, 'BAD_INPUT', 'fee'],
    TOO_SOON,
  ])('%s', async (...bad) => {
    await expectRefused((rows) => recordTrades(db.sql, rows), [sound, { ...sound, id: 'bad', ...bad[1] }], bad);
  });
});

it('a repeat of a trade from before its market was settled is still only a repeat', async () => {
  const trade = { id: 'trade-1', marketId: 'ETHUSDT', buyerId: 'alice', sellerId: 'bob', size: '1', price: '10' };
  expect(await recordTrades(db.sql, [trade])).toEqual({ recorded: 0, duplicates: 1 });
});

describe('a transfer is refused for', () => {
  const sound: TransferInput = { id: 'sound', accountId: 'alice', assetId: 'USDT', amount: '1' };
  it.each<Case>([
    ...NO_AMOUNTS.map(([what, amount]): Case => [what, { amount }, 'BAD_INPUT', 'amount']),
    ['zero', { amount: '0' }, 'BAD_INPUT', 'amount'],
    ['an unknown account', { accountId: 'nobody' }, 'UNKNOWN_ACCOUNT', 'accountId'],
    ['an unknown asset', { assetId: 'DOGE' }, 'UNKNOWN_ASSET', 'assetId'],
    ['an asset that the account does not hold', { assetId: 'BTC' }, 'OTHER_ASSET', 'assetId'],
    [
      'a withdrawal that a fund does not have',
      { accountId: 'fund-usdt', amount: '-0.000000000000000001' },
      'FUND_BELOW_ZERO',
      'amount',
    ],
    ['an id that is stored with other content', { id: 'transfer-1', amount: '999' }, 'ID_REUSED', 'id'],
    TOO_SOON,
  ])('%s', async (...bad) => {
    await expectRefused((rows) => recordTransfers(db.sql, rows), [sound, { ...sound, id: 'bad', ...bad[1] }], bad);
  });
});

describe('a batch', () => {
  it('of 1,001 rows is refused whatever is in it, and one of 1,000 is not', async () => {
    const rows = Array.from({ length: 1001 }, (_, i): TransferInput => ({
      id: `many-${i}`,
      accountId: 'alice',
      assetId: 'USDT',
      amount: '1',
    }));
    for (const record of [recordPrices, recordTrades, recordTransfers]) {
      await expect(record(db.sql, rows as never[])).rejects.toMatchObject({ code: 'BATCH_TOO_LARGE' });
    }
    expect(await fingerprintOf(db.sql)).toBe(before);
    expect(await recordTransfers(db.sql, rows.slice(1))).toEqual({ recorded: 1000, duplicates: 0 });
  });

  it('that is no list is refused', async () => {
    await expect(recordTrades(db.sql, { length: 1 } as never)).rejects.toMatchObject({ code: 'BAD_INPUT' });
  });
});
