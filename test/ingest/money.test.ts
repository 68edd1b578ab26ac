import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { contributeToFund } from '../../src/ingest/accounts.js';
import { recordFunding } from '../../src/ingest/funding.js';
import { recordTransfers } from '../../src/ingest/transfers.js';
import { assertInvariants } from '../support/checks.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { fingerprintOf } from '../support/fingerprint.js';
import { createTestVenue, type TestVenue } from '../support/venue.js';

let db: TestDatabase;
let venue: TestVenue;

async function open(): Promise<void> {
  db = await createTestDatabase();
  venue = await createTestVenue(db.sql);
  await venue.account('alice');
  await venue.account('bob');
}
async function close(): Promise<void> {
  await assertInvariants(db.sql);
  await db.drop();
}

async function ledger(): Promise<string[]> {
  const rows = await db.sql<{ text: string }[]>`
    select concat_ws(' ', account_id, sequence, kind, trim_scale(amount), '=>', trim_scale(balance_after)) as text
    from ledger_entry order by id`;
  return rows.map((row) => row.text);
}

async function balance(accountId: string): Promise<string | undefined> {
  const [row] = await db.sql<
    { amount: string }[]
  >`select trim_scale(amount)::text as amount from balance where account_id = ${accountId}`;
  return row?.amount;
}

const usdt = { assetId: 'USDT', at: '2025-10-10T21:00:00Z' };

describe('transfers', () => {
  beforeEach(open);
  afterEach(close);

  it('move balances in the order of the batch, and the ledger says how', async () => {
    const batch = [
      { ...usdt, id: 't1', accountId: 'alice', amount: '100' },
      { ...usdt, id: 't2', accountId: 'bob', amount: '0.000000000000000001' },
      { ...usdt, id: 't3', accountId: 'alice', amount: '-30.5' },
    ];
    expect(await recordTransfers(db.sql, batch)).toEqual({ recorded: 3, duplicates: 0 });
    expect(await ledger()).toEqual([
      'alice 1 TRANSFER 100 => 100',
      'bob 1 TRANSFER 0.000000000000000001 => 0.000000000000000001',
      'alice 2 TRANSFER -30.5 => 69.5',
    ]);
    const before = await fingerprintOf(db.sql);
    expect(await recordTransfers(db.sql, batch)).toEqual({ recorded: 0, duplicates: 3 });
    expect(await fingerprintOf(db.sql)).toBe(before);
  });

  it('may leave a trader below zero: that happened', async () => {
    await venue.deposit('alice', '-5');
    expect(await balance('alice')).toBe('-5');
  });

  it('reach a fund as a contribution, and may not leave it below zero at any row', async () => {
    await venue.deposit('fund-usdt', '10');
    expect(await contributeToFund(db.sql, { id: 'gift', fundId: 'fund-usdt', amount: '5' })).toEqual({
      recorded: 1,
      duplicates: 0,
    });
    const before = await fingerprintOf(db.sql);
    const out = { ...usdt, accountId: 'fund-usdt' };
    await expect(
      recordTransfers(db.sql, [
        { ...usdt, id: 'a', accountId: 'alice', amount: '1' },
        { ...out, id: 'b', amount: '-15.000000000000000001' },
        { ...out, id: 'c', amount: '1' },
      ]),
    ).rejects.toMatchObject({ code: 'FUND_BELOW_ZERO', rowIndex: 1 });
    expect(await fingerprintOf(db.sql)).toBe(before);
    await recordTransfers(db.sql, [{ ...out, id: 'd', amount: '-15' }]);
    expect(await balance('fund-usdt')).toBe('0');
  });

  it('contributions go in, not out, and into a fund only', async () => {
    await expect(contributeToFund(db.sql, { id: 'x', fundId: 'fund-usdt', amount: '-1' })).rejects.toMatchObject({
      code: 'BAD_INPUT',
    });
    await expect(contributeToFund(db.sql, { id: 'x', fundId: 'alice', amount: '1' })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });

  it('are refused when a balance would not fit any more', async () => {
    await venue.deposit('alice', '99999999999999999999.999999999999999999');
    await expect(venue.deposit('alice', '0.000000000000000001')).rejects.toMatchObject({
      code: 'BAD_INPUT',
      rowIndex: 0,
    });
    expect(await balance('alice')).toBe('99999999999999999999.999999999999999999');
  });
});

describe('funding', () => {
  beforeAll(open);
  afterAll(close);

  const event = {
    id: 'f1',
    marketId: 'BTCUSDT',
    at: '2025-10-10T21:00:00Z',
    payments: [
      { accountId: 'alice', amount: '-3.1' },
      { accountId: 'bob', amount: '2.1' },
      { accountId: 'lp-usdt', amount: '1' },
    ],
  };

  it('nets to zero and lands on the ledger', async () => {
    expect(await recordFunding(db.sql, [event])).toEqual({ recorded: 1, duplicates: 0 });
    expect(await ledger()).toEqual([
      'alice 1 FUNDING -3.1 => -3.1',
      'bob 1 FUNDING 2.1 => 2.1',
      'lp-usdt 1 FUNDING 1 => 1',
    ]);
    expect(await db.sql`select count(*)::int as n from funding_payment`).toEqual([{ n: 3 }]);
  });

  it('is recorded once, in whatever order its payments come again', async () => {
    await recordFunding(db.sql, [event]);
    const before = await fingerprintOf(db.sql);
    expect(await recordFunding(db.sql, [{ ...event, payments: [...event.payments].reverse() }])).toEqual({
      recorded: 0,
      duplicates: 1,
    });
    const other = {
      ...event,
      payments: [
        { accountId: 'alice', amount: '-1' },
        { accountId: 'bob', amount: '1' },
      ],
    };
    await expect(recordFunding(db.sql, [other])).rejects.toMatchObject({ code: 'ID_REUSED', rowIndex: 0 });
    expect(await fingerprintOf(db.sql)).toBe(before);
  });

  it.each([
    [
      'does not net to zero',
      {
        payments: [
          { accountId: 'alice', amount: '-1' },
          { accountId: 'bob', amount: '0.999999999999999999' },
        ],
      },
      'BAD_INPUT',
    ],
    [
      'names an account twice',
      {
        payments: [
          { accountId: 'alice', amount: '-1' },
          { accountId: 'alice', amount: '1' },
        ],
      },
      'BAD_INPUT',
    ],
    ['has no payments', { payments: [] }, 'BAD_INPUT'],
    [
      'names an unknown account',
      {
        payments: [
          { accountId: 'alice', amount: '-1' },
          { accountId: 'x', amount: '1' },
        ],
      },
      'UNKNOWN_ACCOUNT',
    ],
    [
      'names an account of another asset',
      {
        payments: [
          { accountId: 'lp-btc', amount: '-1' },
          { accountId: 'bob', amount: '1' },
        ],
      },
      'OTHER_SETTLEMENT_ASSET',
    ],
    ['names an unknown market', { marketId: 'x' }, 'UNKNOWN_MARKET'],
    [
      'takes a fund below zero',
      {
        payments: [
          { accountId: 'fund-usdt', amount: '-1' },
          { accountId: 'bob', amount: '1' },
        ],
      },
      'FUND_BELOW_ZERO',
    ],
  ])('is refused when it %s', async (_, change, code) => {
    const before = await fingerprintOf(db.sql);
    await expect(
      recordFunding(db.sql, [
        { ...event, id: 'f3' },
        { ...event, id: 'f2', ...change },
      ]),
    ).rejects.toMatchObject({
      code,
      rowIndex: 1,
    });
    expect(await fingerprintOf(db.sql)).toBe(before);
  });

  it('takes at most 1,000 payments in all', async () => {
    const payments = Array.from({ length: 501 }, (_, index) => ({ accountId: `a${index}`, amount: '1' }));
    const before = await fingerprintOf(db.sql);
    const two = ['f1', 'f2'].map((id) => ({
      id,
      marketId: 'BTCUSDT',
      payments: [...payments, { accountId: 'z', amount: '-501' }],
    }));
    await expect(recordFunding(db.sql, two)).rejects.toMatchObject({ code: 'BATCH_TOO_LARGE', rowIndex: 1 });
    const one = { id: 'f1', marketId: 'BTCUSDT', payments: [...payments, ...payments] };
    await expect(recordFunding(db.sql, [one])).rejects.toMatchObject({ code: 'BATCH_TOO_LARGE', rowIndex: 0 });
    expect(await fingerprintOf(db.sql)).toBe(before);
  });
});
