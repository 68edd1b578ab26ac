import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { runLap } from '../../src/engine/run-lap.js';
import { recordTrades, type TradeInput } from '../../src/ingest/trades.js';
import { dec } from '../../src/risk/decimal.js';
import { assertInvariants } from '../support/checks.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { fingerprintOf } from '../support/fingerprint.js';
import { createTestVenue, STORY_TIME, type TestVenue } from '../support/venue.js';

let db: TestDatabase;
let venue: TestVenue;
beforeEach(async () => {
  db = await createTestDatabase();
  venue = await createTestVenue(db.sql);
  for (const id of ['alice', 'bob', 'carol']) await venue.account(id, { deposit: '1000' });
});
afterEach(async () => {
  await assertInvariants(db.sql);
  await db.drop();
});

const tradeOf = (id: string, buyerId: string, sellerId: string, size: string, price: string): TradeInput => ({
  ...{ id, marketId: 'BTCUSDT', buyerId, sellerId, size, price },
  at: STORY_TIME,
});
/** What takes a trade back. */
const opposite = (
  { buyerId, sellerId, buyerFee, sellerFee, ...trade }: TradeInput,
  id = `no-${trade.id}`,
): TradeInput => ({
  ...trade,
  ...{ id, buyerId: sellerId, sellerId: buyerId, corrects: trade.id },
  ...(sellerFee != null && { buyerFee: negated(sellerFee) }),
  ...(buyerFee != null && { sellerFee: negated(buyerFee) }),
});
const negated = (amount: string): string => (amount.startsWith('-') ? amount.slice(1) : `-${amount}`);
const record = (...trades: TradeInput[]): ReturnType<typeof recordTrades> => recordTrades(db.sql, trades);

/** `account size cost balance`, whoever has a position or another balance than was paid in. */
async function state(): Promise<string[]> {
  const rows = await db.sql<{ text: string }[]>`
    select concat_ws(' ', a.id, coalesce(trim_scale(p.size), 0), coalesce(trim_scale(p.cost), 0), trim_scale(b.amount)) as text
    from account a left join position p on p.account_id = a.id left join balance b on b.account_id = a.id
    where p.size is not null or b.amount <> 1000 order by a.id`;
  return rows.map(({ text }) => text);
}
async function refusal(work: Promise<unknown>): Promise<unknown> {
  const error = await work.then(
    () => 'taken',
    (caught: unknown) => caught,
  );
  const { code, field, message, rowIndex } = error as Record<string, unknown>;
  return code === undefined ? error : [code, field, rowIndex, message];
}

describe('a correction', () => {
  it('takes back size, cost, profit and fees of a trade, and history keeps both', async () => {
    const trade = { ...tradeOf('t1', 'alice', 'bob', '3', '100'), buyerFee: '0.5', sellerFee: '-0.2' };
    await record(trade);
    expect(await state()).toEqual(['alice 3 300 999.5', 'bob -3 -300 1000.2']);
    expect(await record(opposite(trade))).toEqual({ recorded: 1, duplicates: 0 });
    expect(await state()).toEqual([]);
    const rows = await db.sql`select external_id, corrects from trade order by id`;
    expect([...rows]).toEqual([
      { external_id: 't1', corrects: null },
      { external_id: 'no-t1', corrects: 't1' },
    ]);
    const changes = await db.sql`
      select concat_ws(' ', account_id, trim_scale(size_change), trim_scale(cost_change), trim_scale(realized_pnl)) as text
      from position_change where cause_id = 2 order by id`;
    expect(changes.map(({ text }) => text as string)).toEqual(['bob 3 300 0', 'alice -3 -300 0']);
  });

  it('leaves what the other trades would have made without it, whatever came in between', async () => {
    const bust = tradeOf('t1', 'alice', 'bob', '3', '100');
    await record(bust, tradeOf('t2', 'alice', 'bob', '4', '101'));
    // Closes half of 7 at the mean of both prices.
    await record(tradeOf('t3', 'bob', 'alice', '3.5', '110'));
    expect(await state()).toEqual(['alice 3.5 352 1033', 'bob -3.5 -352 967']);
    await record(opposite(bust));
    // 4 at 101, of which 3.5 were sold at 110.
    expect(await state()).toEqual(['alice 0.5 50.5 1031.5', 'bob -0.5 -50.5 968.5']);
  });

  it('of a trade that closed opens the position again at its old cost, though another one flipped it since', async () => {
    const bust = tradeOf('t2', 'bob', 'alice', '3', '120');
    await record(tradeOf('t1', 'alice', 'bob', '3', '100'), bust);
    await record(tradeOf('t3', 'carol', 'alice', '1', '90'));
    expect(await state()).toEqual(['alice -1 -90 1060', 'bob 0 0 940', 'carol 1 90 1000'].filter((row) => row !== ''));
    await record(opposite(bust));
    expect(await state()).toEqual(['alice 2 200 990', 'bob -3 -300 1000', 'carol 1 90 1000']);
  });

  it('may stand in one batch with its trade, behind it', async () => {
    const [bust, other] = [tradeOf('t1', 'alice', 'bob', '3', '100'), tradeOf('t2', 'bob', 'alice', '1', '130')];
    const before = await fingerprintOf(db.sql);
    expect(await refusal(record(opposite(bust), bust))).toEqual(['NOT_FOUND', 'corrects', 0, 'corrects: no trade t1']);
    expect(await fingerprintOf(db.sql)).toBe(before);
    await record(bust, other, opposite(bust));
    expect(await state()).toEqual(['alice -1 -130 1000', 'bob 1 130 1000']);
  });

  it('of a trade before a liquidation leaves its forced trade as it was made, and takes no money from anybody', async () => {
    await venue.account('dan', { deposit: '20' });
    const bust = tradeOf('t1', 'dan', 'bob', '5', '100');
    await record(bust, tradeOf('t2', 'dan', 'bob', '5', '100'));
    await venue.price('BTCUSDT', '98.6');
    await venue.depth('BTCUSDT', { bids: '20@98.5' });
    await runLap(db.sql, { worker: 'test', at: STORY_TIME });
    const equity = async (): Promise<unknown> => {
      const rows = await db.sql<{ id: string; kept: string }[]>`
        select b.account_id as id, trim_scale(b.amount - coalesce(sum(p.cost), 0)) as kept
        from balance b left join position p on p.account_id = b.account_id group by b.account_id, b.amount`;
      return Object.fromEntries(rows.map(({ id, kept }) => [id, kept]));
    };
    const [before] = await db.sql<
      { size: string }[]
    >`select trim_scale(size) as size from position where account_id = 'dan'`;
    expect(before).toEqual({ size: '2.62' });
    const then = (await equity()) as Record<string, string>;
    await record(opposite(bust));
    const [after] = await db.sql<
      { size: string }[]
    >`select trim_scale(size) as size from position where account_id = 'dan'`;
    expect(after).toEqual({ size: '-2.38' });
    // Balance − cost moved by the value of the trade, and nobody else's did.
    const now = (await equity()) as Record<string, string>;
    const moved = Object.entries(now).flatMap(([id, kept]) => {
      const by = dec(kept)
        .minus(then[id] ?? '0')
        .toFixed();
      return by === '0' ? [] : [`${id} ${by}`];
    });
    expect(moved.sort()).toEqual(['bob -500', 'dan 500']);
    expect(await db.sql`select from liquidation`).toHaveLength(1);
  });
});

describe('a correction of long ago', () => {
  it('is refused when more came since than can be gone through, and nothing changes', async () => {
    const bust = tradeOf('t1', 'alice', 'bob', '3', '100');
    await record(bust);
    const alone = async (statement: string): Promise<void> => {
      await db.sql.begin(async (tx) => {
        await tx`set local session_replication_role = replica`;
        await tx.unsafe(statement);
      });
    };
    await alone(`insert into position_change (account_id, market_id, cause, cause_id, size_change, cost_change, realized_pnl, size_after, cost_after, at)
      select 'alice', 'BTCUSDT', 'TRADE', 0, 1, 0, 0, 0, 0, now() from generate_series(1, 200000)`);
    const before = await state();
    expect(await refusal(record(opposite(bust)))).toMatchObject({
      0: 'BATCH_TOO_LARGE',
      3: expect.stringMatching(/have changed more than 200000 times since/),
    });
    expect(await state()).toEqual(before);
    await alone('delete from position_change where cause_id = 0');
    await record(opposite(bust));
    expect(await state()).toEqual([]);
  }, 60_000);
});

describe('what is no correction', () => {
  const trade: TradeInput = { ...tradeOf('t1', 'alice', 'bob', '3', '100'), buyerFee: '0.5' };
  it.each<[string, Partial<TradeInput>, string, string, RegExp]>([
    ['of a trade that is not known', { corrects: 'none' }, 'NOT_FOUND', 'corrects', /no trade none/],
    ['of itself', { id: 'me', corrects: 'me' }, 'NOT_FOUND', 'corrects', /no trade me/],
    ['of a correction', { corrects: 'no-t0' }, 'CONFLICT', 'corrects', /no-t0 is a correction itself, of t0/],
    ['of what is corrected', { corrects: 't0' }, 'CONFLICT', 'corrects', /t0 is corrected already, by no-t0/],
    ['with another size', { size: '2' }, 'CONFLICT', 'size', /the opposite of t1 has 3, not 2/],
    ['with another price', { price: '101' }, 'CONFLICT', 'price', /the opposite of t1 has 100, not 101/],
    ['in another market', { marketId: 'ETHUSDT' }, 'CONFLICT', 'marketId', /has BTCUSDT, not ETHUSDT/],
    ['to the same side', { buyerId: 'alice', sellerId: 'bob' }, 'CONFLICT', 'buyerId', /has bob, not alice/],
    ['by somebody else', { buyerId: 'carol' }, 'CONFLICT', 'buyerId', /has bob, not carol/],
    ['without the fee', { sellerFee: '0' }, 'CONFLICT', 'sellerFee', /has -0.5, not 0/],
    ['with a fee too many', { buyerFee: '0.1' }, 'CONFLICT', 'buyerFee', /has 0, not 0.1/],
    ['by an id that is none', { corrects: 'a b' }, 'BAD_INPUT', 'corrects', /is no id/],
  ])('is refused, and nothing changes: %s', async (_name, wrong, code, field, message) => {
    const first = tradeOf('t0', 'alice', 'bob', '3', '100');
    await record(first, trade, opposite(first));
    const before = await fingerprintOf(db.sql);
    const got = await refusal(record(tradeOf('t9', 'alice', 'bob', '1', '1'), { ...opposite(trade), ...wrong }));
    expect(got).toEqual([code, field, 1, expect.stringMatching(message)]);
    expect(await fingerprintOf(db.sql)).toBe(before);
  });

  it('twice in one batch, or by two at once: one is taken', async () => {
    await record(trade);
    expect(await refusal(record(opposite(trade, 'c1'), opposite(trade, 'c2')))).toEqual([
      'CONFLICT',
      'corrects',
      1,
      'corrects: t1 is corrected already, by c1',
    ]);
    const ids = ['c1', 'c2', 'c3', 'c4'];
    const answers = await Promise.all(ids.map((id) => refusal(record(opposite(trade, id)))));
    expect(answers.filter((answer) => answer === 'taken')).toHaveLength(1);
    expect(answers.filter((answer) => Array.isArray(answer) && answer[0] === 'CONFLICT')).toHaveLength(3);
    expect(await state()).toEqual([]);
  });

  it('the same again is a duplicate, at once too; the same id without it is another fact', async () => {
    await record(trade);
    const answers = await Promise.all([1, 2, 3].map(() => record(opposite(trade))));
    expect(answers.reduce((sum, { recorded }) => sum + recorded, 0)).toBe(1);
    expect(answers.reduce((sum, { duplicates }) => sum + duplicates, 0)).toBe(2);
    expect(await record(opposite(trade))).toEqual({ recorded: 0, duplicates: 1 });
    expect(await refusal(record({ ...opposite(trade), corrects: null }))).toEqual([
      'ID_REUSED',
      'id',
      0,
      'id: no-t1 is stored already, with other content',
    ]);
  });
});

describe('the database itself', () => {
  const bust = tradeOf('t1', 'alice', 'bob', '3', '100');
  const insert = (values: string): Promise<unknown> =>
    db.sql
      .unsafe(
        `insert into trade (external_id, market_id, buyer_id, seller_id, size, price, at, corrects) values ${values}`,
      )
      .execute();

  it('refuses a second correction, one that is not the opposite, and one of a correction', async () => {
    await record(bust);
    const good = `('c1', 'BTCUSDT', 'bob', 'alice', 3, 100, now(), 't1')`;
    await expect(insert(good.replace('100', '99'))).rejects.toThrow(/is not its exact opposite/);
    await expect(insert(good.replace("'t1'", "'t2'"))).rejects.toThrow(/foreign key/);
    await expect(insert(`${good}, ${good.replace('c1', 'c2')}`)).rejects.toThrow(/trade_corrected_once/);
    const again = `('c2', 'BTCUSDT', 'alice', 'bob', 3, 100, now(), 'c1')`;
    await expect(insert(`${good}, ${again}`)).rejects.toThrow(/is a correction itself/);
  });

  it('sees what got past it', async () => {
    await record(bust, opposite(bust));
    const violations = (change: string): Promise<unknown> =>
      db.sql
        .begin(async (tx) => {
          await tx`set local session_replication_role = replica`;
          await tx.unsafe(change);
          const rows = await tx`select invariant, subject from correction_violations order by subject`;
          throw Object.assign(new Error('taken back'), { rows: [...rows] });
        })
        .catch((error: unknown) => (error as { rows?: unknown }).rows ?? error);
    expect(await violations(`update trade set price = 99 where external_id = 't1'`)).toEqual([
      { invariant: 18, subject: 'trade no-t1' },
    ]);
    expect(
      await violations(`drop index trade_corrected_once; insert into trade (external_id, market_id, buyer_id, seller_id, size, price, at, corrects)
      values ('c2', 'BTCUSDT', 'bob', 'alice', 3, 100, now(), 't1')`),
    ).toContainEqual({ invariant: 18, subject: 'trade t1' });
    expect(
      await violations(`update position_change set cost_change = -299 where cause_id = 2 and account_id = 'alice'`),
    ).toEqual([{ invariant: 18, subject: 'trade t1 of alice' }]);
  });
});
