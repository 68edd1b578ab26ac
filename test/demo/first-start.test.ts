import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readClock } from '../../src/db/record-notice.js';
import { demoBook } from '../../src/demo/book.js';
import { planDrop, dropOperation } from '../../src/demo/drop.js';
import { repeatLast } from '../../src/demo/feed.js';
import { isEmpty, loadDemo } from '../../src/demo/first-start.js';
import { crashPath } from '../../src/demo/path.js';
import { playMinute } from '../../src/demo/play.js';
import { runLap } from '../../src/engine/run-lap.js';
import { recordDepth } from '../../src/ingest/depth.js';
import { importBookLines } from '../../src/ingest/import-book.js';
import { recordPrices } from '../../src/ingest/prices.js';
import { addMilliseconds } from '../../src/risk/instant.js';
import { assertInvariants } from '../support/checks.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

let database: TestDatabase;
let endedAt: string;

async function one(text: string): Promise<string | null | undefined> {
  const [row] = await database.sql.unsafe<{ value: string | null }[]>(`select (${text})::text as value`);
  return row?.value;
}

/** As the printed operation sends it, without HTTP. */
async function drop(): Promise<void> {
  const { variables } = await planDrop(database.sql);
  await recordDepth(
    database.sql,
    variables.depth.depths.map(({ id, marketSymbol: marketId, bids, asks }) => ({
      id,
      marketId,
      bids: bids.map(({ price, size }) => [price, size] as const),
      asks: asks.map(({ price, size }) => [price, size] as const),
    })),
  );
  await recordPrices(
    database.sql,
    variables.prices.prices.map(({ id, marketSymbol: marketId, price }) => ({ id, marketId, price })),
  );
}

/** A first start, an hour ago, whose process died after three minutes of the path. */
async function beginAndBreakOff(): Promise<void> {
  const path = crashPath(addMilliseconds(await readClock(database.sql), -3_600_000));
  const [first] = path;
  if (first === undefined) throw new Error('the path is empty');
  await importBookLines(database.sql, demoBook(first), { at: first.at });
  for (const [index, minute] of path.slice(0, 3).entries()) await playMinute(database.sql, minute, index);
}

beforeAll(async () => {
  database = await createTestDatabase();
  expect(await isEmpty(database.sql)).toBe(true);
  await beginAndBreakOff();
  expect(await isEmpty(database.sql)).toBe(true);
  // Two processes at once: one loads, the other waits and finds it done.
  await Promise.all([loadDemo(database.sql), loadDemo(database.sql)]);
  endedAt = (await one('select max(at) from price_mark')) ?? '';
});

afterAll(() => database.drop());

describe('a first start', () => {
  it('loads the crash, ending now, once, going on where a broken start left it', async () => {
    expect(await isEmpty(database.sql)).toBe(false);
    expect(await one('select count(*) from price_mark')).toBe('138');
    expect(await one(`select '${endedAt}'::timestamptz between now() - interval '10 minutes' and now()`)).toBe('true');
    expect(await one('select count(*) > 5 from deleverage_event')).toBe('true');
    await assertInvariants(database.sql);
  });

  it('opens longs that nothing threatens yet', async () => {
    const rows = await database.sql<{ status: string; count: string }[]>`
      select status, count(*) from margin_status
      where account_id like 'whale-next%' or account_id like 'btc-late%' group by 1`;
    expect(rows.map((row) => ({ ...row }))).toEqual([{ status: 'HEALTHY', count: '5' }]);
  });

  it('keeps everything fresh by repeating what is newest', async () => {
    // The last minute is some seconds old, or the machine is very quick.
    await database.sql`select pg_sleep(2.1)`;
    expect((await repeatLast(database.sql)).prices).toBe(3);
    expect(await repeatLast(database.sql)).toEqual({ prices: 0, depths: 0 });
    expect(
      await one(`select price from price_mark where market_id = 'XRPUSDT' order by at desc, id desc limit 1`),
    ).toBe('2.325100000000000000');
  });

  it('has a drop printed that bankrupts them beyond the fund, so that counterparties concede', async () => {
    const line = await dropOperation(database.sql);
    expect(line).not.toContain("'");
    expect(line.length).toBeLessThan(2400);
    const before = (await one('select coalesce(max(id), 0) from deleverage_event')) ?? '0';
    await drop();
    const lap = await runLap(database.sql, { worker: 'test' });
    if (lap.kind !== 'RAN') throw new Error(lap.kind);
    const [event] = await database.sql<
      { beyond: boolean; emptied: boolean; several: boolean; conceded: boolean; touched: boolean }[]
    >`
      select e.deficit > e.fund_may_pay as beyond,
        e.fund_paid > 0 and e.fund_paid = e.fund_balance_before as emptied, count(*) > 1 as several, bool_and(l.concession > 0) as conceded,
        count(distinct l.account_id) > 1 as touched
      from deleverage_event e join deleverage_leg l on l.event_id = e.id
      where e.id > ${before} and e.account_id = 'whale-next-001' and l.stage = 'DELEVERAGE' group by e.id`;
    expect(event).toEqual({
      beyond: true,
      emptied: true,
      several: true,
      conceded: true,
      touched: true,
    });
    // The newest event is the one to ask about first.
    expect(await one('select account_id from deleverage_event order by id desc limit 1')).toBe('whale-next-001');
    await assertInvariants(database.sql);
  });

  it('does not overwrite the drop, nor settle a suspect price', async () => {
    const mark = (): Promise<string | null | undefined> =>
      one(`select trim_scale(price) from current_mark where market_id = 'BTCUSDT'`);
    const dropped = await mark();
    expect(dropped).toBe('108380');
    await recordPrices(database.sql, [{ id: 'jump', marketId: 'XRPUSDT', price: '9' }]);
    await database.sql`select pg_sleep(2.1)`;
    const { prices, depths } = await repeatLast(database.sql);
    expect(prices).toBe(2);
    expect(depths).toBeGreaterThanOrEqual(1);
    expect(await mark()).toBe(dropped);
    expect(await one(`select state from price_mark where external_id = 'jump'`)).toBe('SUSPECT');
    expect(
      await one(
        `select bid_prices[1] < 108381 from depth_snapshot where market_id = 'BTCUSDT' order by at desc, id desc limit 1`,
      ),
    ).toBe('true');
  });
});
