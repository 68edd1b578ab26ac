import { Readable } from 'node:stream';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { BookLine } from '../../src/ingest/book-line.js';
import { importBook, importBookLines } from '../../src/ingest/import-book.js';
import { recordTrades } from '../../src/ingest/trades.js';
import { assertInvariants } from '../support/checks.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { fingerprintOf } from '../support/fingerprint.js';

let db: TestDatabase;

async function open(): Promise<void> {
  db = await createTestDatabase();
}
async function close(): Promise<void> {
  await assertInvariants(db.sql);
  await db.drop();
}

const at = '2025-10-10T21:03:00.000000Z';
const change = { changedBy: 'import', reason: 'taken over' };

const VENUE: BookLine[] = [
  { type: 'asset', id: 'USDT' },
  { type: 'asset', id: 'BTC' },
  { type: 'trader', id: 'maker', verificationLevel: 3 },
  { type: 'account', id: 'lp', traderId: 'maker', kind: 'LIQUIDITY_PROVIDER', marginAssetId: 'USDT' },
  { type: 'account', id: 'lp-btc', traderId: 'maker', kind: 'LIQUIDITY_PROVIDER', marginAssetId: 'BTC' },
  { type: 'fund', id: 'fund', assetId: 'USDT', name: 'Fund' },
  { type: 'fund', id: 'fund-btc', assetId: 'BTC', name: 'Fund' },
  {
    ...{
      type: 'market',
      id: 'BTCUSDT',
      payoff: 'LINEAR',
      settlementAssetId: 'USDT',
      contractSize: '1',
      priceTick: '0.1',
      sizeStep: '0.001',
    },
    ...{
      insuranceFundId: 'fund',
      liquidityProviderId: 'lp',
      brackets: [{ floor: '0', maintenanceRate: '0.01', initialRate: '0.02' }],
    },
    ...change,
  },
  {
    ...{
      type: 'market',
      id: 'BTCUSD',
      payoff: 'INVERSE',
      settlementAssetId: 'BTC',
      contractSize: '100',
      priceTick: '0.1',
      sizeStep: '1',
    },
    ...{
      insuranceFundId: 'fund-btc',
      liquidityProviderId: 'lp-btc',
      brackets: [{ floor: '0', maintenanceRate: '0.01', initialRate: '0.02' }],
    },
    ...change,
  },
];

const BOOK: BookLine[] = [
  ...VENUE,
  {
    type: 'brackets',
    marketId: 'BTCUSD',
    brackets: [{ floor: '0', maintenanceRate: '0.02', initialRate: '0.04' }],
    ...change,
  },
  { type: 'policy', marketId: 'BTCUSD', allocation: 'PRO_RATA', ...change },
  { type: 'venueParameters', callDeadlineMs: 60000, ...change },
  { type: 'trader', id: 'alice' },
  { type: 'account', id: 'alice', traderId: 'alice', marginAssetId: 'USDT' },
  { type: 'account', id: 'alice-iso', traderId: 'alice', mode: 'ISOLATED', marginAssetId: 'BTC' },
  { type: 'balance', accountId: 'alice', amount: '1000.000000000000000001' },
  { type: 'balance', accountId: 'lp', amount: '0' },
  { type: 'balance', accountId: 'fund', amount: '50' },
  { type: 'balance', accountId: 'alice-iso', amount: '-0.5' },
  { type: 'position', accountId: 'alice', marketId: 'BTCUSDT', size: '0.5', entryPrice: '100.1' },
  { type: 'position', accountId: 'lp', marketId: 'BTCUSDT', size: '-0.5', cost: '-49.123456789012345678' },
  { type: 'position', accountId: 'alice-iso', marketId: 'BTCUSD', size: '-7', entryPrice: '30000' },
  { type: 'position', accountId: 'lp-btc', marketId: 'BTCUSD', size: '7', entryPrice: '30000' },
  { type: 'price', id: 'p1', marketId: 'BTCUSDT', price: '100', at },
  { type: 'depth', id: 'd1', marketId: 'BTCUSDT', bids: [['99', '4']], asks: [], at },
];

function ndjson(lines: readonly unknown[]): Readable {
  return Readable.from([
    Buffer.from(lines.map((line) => `${typeof line === 'string' ? line : JSON.stringify(line)}\n`).join('')),
  ]);
}

describe('a whole book', () => {
  beforeEach(open);
  afterEach(close);

  it('is taken over, and goes on like any other', async () => {
    const seen: number[] = [];
    const counts = await importBook(db.sql, ndjson(BOOK), { at, onProgress: ({ lines }) => seen.push(lines) });
    expect(counts).toEqual({
      ...{ asset: 2, trader: 2, account: 4, fund: 2, market: 2, brackets: 1, policy: 1, venueParameters: 1 },
      ...{ balance: 4, position: 4, price: 1, depth: 1 },
    });
    expect(seen).toEqual([BOOK.length]);
    const text = async (rows: Promise<readonly unknown[]>): Promise<string[]> =>
      (await rows).map((row) => (row as { text: string }).text);
    expect(
      await text(
        db.sql`select concat_ws(' ', account_id, market_id, trim_scale(size), trim_scale(cost)) as text from position order by 1`,
      ),
    ).toEqual([
      'alice BTCUSDT 0.5 50.05',
      'alice-iso BTCUSD -7 0.023333333333333331',
      'lp BTCUSDT -0.5 -49.123456789012345678',
      'lp-btc BTCUSD 7 -0.023333333333333331',
    ]);
    expect(
      await text(db.sql`
        select concat_ws(' ', c.account_id, c.cause, trim_scale(c.size_change), c.at = ${at}::timestamptz, o.market_id) as text
        from position_change c join opening_position o on o.id = c.cause_id and o.account_id = c.account_id order by c.account_id`),
    ).toEqual([
      'alice OPENING 0.5 t BTCUSDT',
      'alice-iso OPENING -7 t BTCUSD',
      'lp OPENING -0.5 t BTCUSDT',
      'lp-btc OPENING 7 t BTCUSD',
    ]);
    expect(
      await text(db.sql`
        select concat_ws(' ', b.account_id, trim_scale(b.amount), b.sequence, l.kind, trim_scale(l.balance_after)) as text
        from balance b left join ledger_entry l using (account_id) order by 1`),
    ).toEqual([
      'alice 1000.000000000000000001 1 OPENING 1000.000000000000000001',
      'alice-iso -0.5 1 OPENING -0.5',
      'fund 50 1 OPENING 50',
      'lp 0 0',
    ]);
    await assertInvariants(db.sql);
    await recordTrades(db.sql, [
      { id: 't', marketId: 'BTCUSDT', buyerId: 'lp', sellerId: 'alice', size: '0.5', price: '90' },
    ]);
    expect(await text(db.sql`select trim_scale(amount)::text as text from balance where account_id = 'alice'`)).toEqual(
      ['994.950000000000000001'],
    );
  });

  it('from lines in memory is the same', async () => {
    expect(await importBookLines(db.sql, BOOK, { at })).toMatchObject({ position: 4, balance: 4 });
  });

  it('may come in chunks that cut lines and letters, with empty lines and without a last line end', async () => {
    const lines = [...BOOK, { type: 'fund', id: 'fund-ü'.replace('ü', 'u'), assetId: 'USDT', name: 'Fünd ₿' }];
    const bytes = Buffer.from(`\n${lines.map((line) => JSON.stringify(line)).join('\n\n')}`);
    const chunks = Array.from({ length: Math.ceil(bytes.length / 7) }, (_, i) => bytes.subarray(i * 7, i * 7 + 7));
    await importBook(db.sql, Readable.from(chunks), { at });
    expect(await db.sql`select name from insurance_fund where account_id = 'fund-u'`).toEqual([{ name: 'Fünd ₿' }]);
  });

  it('is refused when the sizes of a market do not sum to zero, and the market is named', async () => {
    const before = await fingerprintOf(db.sql);
    const odd: BookLine = { type: 'position', accountId: 'lp-btc', marketId: 'BTCUSD', size: '8', entryPrice: '30000' };
    const lines = BOOK.map((line) => (line.type === 'position' && line.accountId === 'lp-btc' ? odd : line));
    await expect(importBook(db.sql, ndjson(lines))).rejects.toMatchObject({
      code: 'BAD_INPUT',
      message: 'the sizes of BTCUSD sum to 1, not to zero',
    });
    expect(await fingerprintOf(db.sql)).toBe(before);
  });

  it('is refused a second time', async () => {
    await importBookLines(db.sql, BOOK, { at });
    const before = await fingerprintOf(db.sql);
    await expect(importBookLines(db.sql, BOOK, { at })).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(await fingerprintOf(db.sql)).toBe(before);
  });

  it('of many lines is loaded in chunks', async () => {
    const many = Array.from({ length: 6000 }, (_, i): BookLine[] => [
      { type: 'trader', id: `t${i}` },
      { type: 'account', id: `a${i}`, traderId: `t${i}`, marginAssetId: 'USDT' },
      { type: 'balance', accountId: `a${i}`, amount: `${i}.5` },
      { type: 'position', accountId: `a${i}`, marketId: 'BTCUSDT', size: i % 2 === 0 ? '1' : '-1', entryPrice: '100' },
    ]);
    await importBookLines(db.sql, [...VENUE, ...many.flat()], { at });
    const [row] = await db.sql`
      select (select count(*)::int from position) as positions, (select count(*)::int from position_change) as changes,
        (select count(*)::int from ledger_entry) as entries`;
    expect(row).toEqual({ positions: 6000, changes: 6000, entries: 6000 });
  }, 60_000);
});

describe('a line is refused, with its number and nothing stored, when it', () => {
  beforeAll(open);
  afterAll(close);

  const position: BookLine = {
    type: 'position',
    accountId: 'alice',
    marketId: 'BTCUSDT',
    size: '1',
    entryPrice: '100',
  };
  const account: BookLine[] = [
    { type: 'trader', id: 'alice' },
    { type: 'account', id: 'alice', traderId: 'alice', marginAssetId: 'USDT' },
    { type: 'account', id: 'iso', traderId: 'alice', mode: 'ISOLATED', marginAssetId: 'USDT' },
  ];
  const other = VENUE.map((line) =>
    line.type === 'market' && line.id === 'BTCUSDT' ? { ...line, id: 'ETHUSDT' } : line,
  ).filter((line) => line.type === 'market' && line.id === 'ETHUSDT');

  it.each<[string, unknown[], string]>([
    ['is no JSON', ['{"type":'], 'BAD_INPUT'],
    ['is no object', ['[]'], 'BAD_INPUT'],
    ['has no type', [{ id: 'x' }], 'BAD_INPUT'],
    ['has a type that does not exist', [{ type: 'loan', id: 'x' }], 'BAD_INPUT'],
    ['has a field that does not exist', [{ ...position, entry: '1' }], 'BAD_INPUT'],
    ['has a JSON number for an amount', ['{"type":"balance","accountId":"alice","amount":1}'], 'BAD_INPUT'],
    ['has an exponent', [{ type: 'balance', accountId: 'alice', amount: '1e3' }], 'BAD_INPUT'],
    ['names an unknown account', [{ ...position, accountId: 'x' }], 'UNKNOWN_ACCOUNT'],
    ['names an unknown market', [{ ...position, marketId: 'x' }], 'UNKNOWN_MARKET'],
    ['names an unknown trader', [{ type: 'account', id: 'x', traderId: 'x', marginAssetId: 'USDT' }], 'UNKNOWN_TRADER'],
    ['names an unknown asset', [{ type: 'account', id: 'x', traderId: 'alice', marginAssetId: 'x' }], 'UNKNOWN_ASSET'],
    [
      'gives an id a second content',
      [{ type: 'account', id: 'alice', traderId: 'alice', marginAssetId: 'BTC' }],
      'ID_REUSED',
    ],
    ['is a position of a fund', [{ ...position, accountId: 'fund' }], 'CONFLICT'],
    ['is a position in another asset', [{ ...position, marketId: 'BTCUSD' }], 'OTHER_SETTLEMENT_ASSET'],
    ['is a position between steps', [{ ...position, size: '0.0005' }], 'BAD_INPUT'],
    ['is a position of nothing', [{ ...position, size: '0' }], 'BAD_INPUT'],
    ['is a position with both bases', [{ ...position, cost: '1' }], 'BAD_INPUT'],
    ['is a position too large', [{ ...position, size: '99999999999999999999' }], 'BAD_INPUT'],
    ['is a second position in a market', [position, position], 'CONFLICT'],
    [
      'is a second position of an isolated account',
      [...other, { ...position, accountId: 'iso' }, { ...position, accountId: 'iso', marketId: 'ETHUSDT' }],
      'SECOND_POSITION_IN_ISOLATED_ACCOUNT',
    ],
    [
      'is a second balance',
      [
        { type: 'balance', accountId: 'alice', amount: '1' },
        { type: 'balance', accountId: 'alice', amount: '1' },
      ],
      'CONFLICT',
    ],
    ['opens a fund below zero', [{ type: 'balance', accountId: 'fund', amount: '-1' }], 'FUND_BELOW_ZERO'],
    [
      'is a market with too many decimals',
      [{ ...VENUE.find((line) => line.type === 'market'), id: 'X', contractSize: '0.000000000000000001' }],
      'BAD_INPUT',
    ],
    ['is a price that is none', [{ type: 'price', id: 'p', marketId: 'BTCUSDT', price: '0' }], 'BAD_INPUT'],
    ['is a price of an unknown market', [{ type: 'price', id: 'p', marketId: 'x', price: '1' }], 'UNKNOWN_MARKET'],
    [
      'is depth that crosses',
      [{ type: 'depth', id: 'd', marketId: 'BTCUSDT', bids: [['2', '1']], asks: [['1', '1']] }],
      'BAD_INPUT',
    ],
    ['is longer than any line', ['x'.repeat(1024 * 1024 + 1)], 'BAD_INPUT'],
  ])('%s', async (_, bad, code) => {
    const before = await fingerprintOf(db.sql);
    const lines = [...VENUE, ...account, ...bad];
    await expect(importBook(db.sql, ndjson(lines))).rejects.toMatchObject({
      code,
      rowIndex: lines.length - 1,
      message: expect.stringMatching(new RegExp(`^line ${lines.length}: `)) as unknown,
    });
    expect(await fingerprintOf(db.sql)).toBe(before);
  });

  it('is no UTF-8', async () => {
    const bytes = Buffer.concat([
      Buffer.from('{"type":"asset","id":"USDT"}\n{"type":"asset","id":"'),
      Buffer.from([0xff, 0xfe]),
    ]);
    await expect(importBook(db.sql, Readable.from([bytes]))).rejects.toMatchObject({ code: 'BAD_INPUT' });
    expect(await db.sql`select count(*)::int as n from asset`).toEqual([{ n: 0 }]);
  });
});
