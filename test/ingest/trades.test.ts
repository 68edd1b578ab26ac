import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { haltMarket } from '../../src/ingest/market-status.js';
import { recordTrades } from '../../src/ingest/trades.js';
import { assertInvariants } from '../support/checks.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { fingerprintOf } from '../support/fingerprint.js';
import { createTestVenue, type TestVenue } from '../support/venue.js';

let db: TestDatabase;
let venue: TestVenue;

async function open(): Promise<void> {
  db = await createTestDatabase();
  venue = await createTestVenue(db.sql);
  await venue.account('alice', { deposit: '1000' });
  await venue.account('bob', { deposit: '1000' });
}
async function close(): Promise<void> {
  await assertInvariants(db.sql);
  await db.drop();
}

/** `account market size cost`, numbers without trailing zeros. */
async function positions(): Promise<string[]> {
  const rows = await db.sql<{ text: string }[]>`
    select concat_ws(' ', account_id, market_id, trim_scale(size), trim_scale(cost)) as text from position order by 1`;
  return rows.map((row) => row.text);
}

async function ledger(): Promise<string[]> {
  const rows = await db.sql<{ text: string }[]>`
    select concat_ws(' ', account_id, kind, trim_scale(amount), '=>', trim_scale(balance_after)) as text
    from ledger_entry where cause = 'TRADE' order by id`;
  return rows.map((row) => row.text);
}

describe('a trade', () => {
  beforeEach(open);
  afterEach(close);

  it('opens both sides at once, with opposite sizes and costs', async () => {
    await venue.trade('BTCUSDT', 'alice', 'bob', '0.5', '100.01');
    expect(await positions()).toEqual(['alice BTCUSDT 0.5 50.005', 'bob BTCUSDT -0.5 -50.005']);
    expect(await ledger()).toEqual([]);
  });

  it('takes the cost in proportion on a partial close, truncated, and all of it on the last', async () => {
    await venue.trade('BTCUSDT', 'alice', 'bob', '3', '100');
    await venue.trade('BTCUSDT', 'alice', 'bob', '4', '101');
    await venue.trade('BTCUSDT', 'bob', 'alice', '1', '110');
    expect(await positions()).toEqual([
      'alice BTCUSDT 6 603.428571428571428572',
      'bob BTCUSDT -6 -603.428571428571428572',
    ]);
    expect(await ledger()).toEqual([
      'bob REALIZED_PNL -9.428571428571428572 => 990.571428571428571428',
      'alice REALIZED_PNL 9.428571428571428572 => 1009.428571428571428572',
    ]);
    await venue.trade('BTCUSDT', 'bob', 'alice', '6', '90');
    expect(await positions()).toEqual([]);
    expect((await ledger()).slice(2)).toEqual([
      'bob REALIZED_PNL 63.428571428571428572 => 1054',
      'alice REALIZED_PNL -63.428571428571428572 => 946',
    ]);
  });

  it('beyond zero closes all and opens the rest', async () => {
    await venue.trade('BTCUSDT', 'alice', 'bob', '0.5', '100.01');
    await venue.trade('BTCUSDT', 'bob', 'alice', '0.7', '110.01');
    expect(await positions()).toEqual(['alice BTCUSDT -0.2 -22.002', 'bob BTCUSDT 0.2 22.002']);
    expect(await ledger()).toEqual(['bob REALIZED_PNL -5 => 995', 'alice REALIZED_PNL 5 => 1005']);
  });

  it('of an inverse market is worth its steps times the truncated value of one', async () => {
    await venue.account('carol', { asset: 'BTC', deposit: '1' });
    await venue.account('dave', { asset: 'BTC', deposit: '1' });
    await venue.trade('BTCUSD', 'carol', 'dave', '7', '30000');
    expect(await positions()).toEqual(['carol BTCUSD 7 -0.023333333333333331', 'dave BTCUSD -7 0.023333333333333331']);
    await venue.trade('BTCUSD', 'dave', 'carol', '7', '40000');
    expect(await ledger()).toEqual([
      'dave REALIZED_PNL -0.005833333333333331 => 0.994166666666666669',
      'carol REALIZED_PNL 0.005833333333333331 => 1.005833333333333331',
    ]);
  });

  it('charges each side its fee, or credits its rebate', async () => {
    await venue.trade('BTCUSDT', 'alice', 'bob', '1', '100', { buyerFee: '0.05', sellerFee: '-0.02' });
    expect(await ledger()).toEqual(['alice TRADING_FEE -0.05 => 999.95', 'bob TRADING_FEE 0.02 => 1000.02']);
  });

  it('writes every change of a position into history, with the trade that caused it', async () => {
    await venue.trade('BTCUSDT', 'alice', 'bob', '2', '100');
    await venue.trade('BTCUSDT', 'bob', 'alice', '2', '103');
    expect(
      [
        ...(await db.sql`
          select concat_ws(' ', c.account_id, t.external_id, trim_scale(size_change), trim_scale(cost_change),
            trim_scale(realized_pnl), '=>', trim_scale(size_after), trim_scale(cost_after)) as text
          from position_change c join trade t on t.id = c.cause_id and c.cause = 'TRADE' order by c.id`),
      ].map((row) => row['text'] as string),
    ).toEqual([
      'alice trade-1 2 200 0 => 2 200',
      'bob trade-1 -2 -200 0 => -2 -200',
      'bob trade-2 2 200 -6 => 0 0',
      'alice trade-2 -2 -200 6 => 0 0',
    ]);
  });

  it('of a halted market is applied: it happened', async () => {
    await haltMarket(db.sql, { marketId: 'BTCUSDT', changedBy: 'op', reason: 'test' });
    await venue.trade('BTCUSDT', 'alice', 'bob', '1', '100');
    expect(await positions()).toEqual(['alice BTCUSDT 1 100', 'bob BTCUSDT -1 -100']);
  });

  it('of an account on REDUCE_ONLY that grows it is applied: the advice was not taken', async () => {
    await db.sql`
      with l as (insert into lap (id, at, outcome_digest, more) values (1, now(), ${'0'.repeat(64)}, false) returning id),
      t as (insert into margin_status_transition (lap_id, account_id, to_status, held, at)
        select id, 'alice', 'MARGIN_CALL', false, now() from l returning id, lap_id)
      insert into margin_call (account_id, lap_id, transition_id, status, amount_required, equity, maintenance, called_at,
        deadline, latest_deadline, on_lapse, lapse_reason, ended_at, ended_lap_id)
      select 'alice', lap_id, id, 'LAPSED', 1, 1, 1, now(), now() + interval '1 s', now() + interval '1 s', 'REDUCE_ONLY',
        'DEADLINE', now() + interval '1 s', 1 from t`;
    await venue.trade('BTCUSDT', 'alice', 'bob', '1', '100');
    expect(await positions()).toEqual(['alice BTCUSDT 1 100', 'bob BTCUSDT -1 -100']);
  });

  it('is applied though it leaves the account bankrupt', async () => {
    await venue.trade('BTCUSDT', 'alice', 'bob', '100', '100');
    await venue.trade('BTCUSDT', 'bob', 'alice', '100', '80');
    expect((await ledger()).at(-1)).toBe('alice REALIZED_PNL -2000 => -1000');
  });

  it('marks both accounts with its transaction, by which a lap on an older snapshot notices', async () => {
    const marks = async (): Promise<Map<string, bigint>> => {
      const rows = await db.sql<{ id: string; mark: string }[]>`select id, changed_in::text as mark from account`;
      return new Map(rows.map(({ id, mark }) => [id, BigInt(mark)]));
    };
    const before = await marks();
    await venue.trade('BTCUSDT', 'alice', 'bob', '1', '100');
    const moved = [...(await marks())].filter(([id, mark]) => mark > (before.get(id) ?? 0n)).map(([id]) => id);
    expect(moved.sort()).toEqual(['alice', 'bob']);
  });

  it('tells whoever listens, after it has been stored', async () => {
    const heard: string[] = [];
    const first = new Promise<void>((resolve) => {
      void db.sql
        .listen('backstop_changed', (kind) => {
          heard.push(kind);
          resolve();
        })
        .then(() => venue.trade('BTCUSDT', 'alice', 'bob', '1', '100'));
    });
    await first;
    expect(heard).toEqual(['trades']);
  });
});

describe('an isolated account', () => {
  beforeEach(open);
  afterEach(close);

  beforeEach(async () => {
    await venue.account('ivy', { mode: 'ISOLATED', deposit: '1000' });
  });

  it('is refused a second position, and keeps the first', async () => {
    await venue.trade('BTCUSDT', 'ivy', 'bob', '1', '100');
    await venue.trade('BTCUSDT', 'ivy', 'bob', '1', '101');
    const before = await fingerprintOf(db.sql);
    await expect(venue.trade('ETHUSDT', 'bob', 'ivy', '1', '7')).rejects.toMatchObject({
      code: 'SECOND_POSITION_IN_ISOLATED_ACCOUNT',
      rowIndex: 0,
      field: 'sellerId',
    });
    expect(await fingerprintOf(db.sql)).toBe(before);
  });

  it('may leave one market and enter another in one batch', async () => {
    await venue.trade('BTCUSDT', 'ivy', 'bob', '1', '100');
    const trade = { buyerId: 'bob', sellerId: 'ivy', size: '1', price: '100', at: venue.at };
    await recordTrades(db.sql, [
      { ...trade, id: 'x1', marketId: 'BTCUSDT' },
      { ...trade, id: 'x2', marketId: 'ETHUSDT' },
    ]);
    expect(await positions()).toEqual(['bob ETHUSDT 1 100', 'ivy ETHUSDT -1 -100']);
  });
});

describe('a repeat', () => {
  beforeAll(open);
  afterAll(close);

  const trade = {
    id: 't',
    marketId: 'BTCUSDT',
    buyerId: 'alice',
    sellerId: 'bob',
    size: '1',
    price: '100',
    buyerFee: '0.1',
  };
  const at = '2025-10-10T21:00:00Z';

  it('counts as a duplicate and changes nothing, whether or not it names the time', async () => {
    await recordTrades(db.sql, [{ ...trade, at }]);
    const before = await fingerprintOf(db.sql);
    const again = { ...trade, size: '1.000', sellerFee: '0' };
    expect(await recordTrades(db.sql, [again, { ...again, at }, trade])).toEqual({ recorded: 0, duplicates: 3 });
    expect(await fingerprintOf(db.sql)).toBe(before);
  });

  it('inside one batch is applied once', async () => {
    const first = { ...trade, id: 'first', marketId: 'ETHUSDT' };
    expect(await recordTrades(db.sql, [first, first, { ...first, id: 'second' }, first])).toEqual({
      recorded: 2,
      duplicates: 2,
    });
    expect((await positions()).filter((text) => text.includes('ETHUSDT'))).toEqual([
      'alice ETHUSDT 2 200',
      'bob ETHUSDT -2 -200',
    ]);
  });

  it.each([
    ['size', { size: '1.001' }],
    ['price', { price: '100.01' }],
    ['fee', { buyerFee: '0.11' }],
    ['side', { buyerId: 'bob', sellerId: 'alice' }],
    ['market', { marketId: 'ETHUSDT' }],
    ['time', { at: '2025-10-10T21:00:00.000001Z' }],
  ])('with another %s is refused with its row', async (_, change) => {
    await recordTrades(db.sql, [{ ...trade, at }]);
    const before = await fingerprintOf(db.sql);
    await expect(
      recordTrades(db.sql, [
        { ...trade, id: 'new' },
        { ...trade, at, ...change },
      ]),
    ).rejects.toMatchObject({
      code: 'ID_REUSED',
      rowIndex: 1,
    });
    expect(await fingerprintOf(db.sql)).toBe(before);
    await expect(
      recordTrades(db.sql, [
        { ...trade, id: 'v', at },
        { ...trade, id: 'v', at, ...change },
      ]),
    ).rejects.toMatchObject({
      code: 'ID_REUSED',
      rowIndex: 1,
    });
    expect(await fingerprintOf(db.sql)).toBe(before);
  });
});
