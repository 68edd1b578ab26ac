import { Writable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ColumnBook } from '../../src/book/column-book.js';
import { BookFollower, type FollowerOptions } from '../../src/book/follower.js';
import { closeSql, openSql, type Sql } from '../../src/db/connect.js';
import { rowOfAccount } from '../../src/db/account-rows.js';
import { goesOn, isEarlier, readHistoryPlace } from '../../src/db/history-place.js';
import { inTransaction } from '../../src/db/transaction.js';
import { createLog } from '../../src/telemetry.js';
import { createTestDatabase, remakeTestDatabase, type TestDatabase } from '../support/database.js';
import { takeAnew, toldWhole } from '../support/followed-venue.js';
import { createTestVenue, type TestVenue } from '../support/venue.js';

let db: TestDatabase;
let venue: TestVenue;
let writer: Sql;
let readers: Sql[];
let logged: string[];

beforeEach(async () => {
  db = await createTestDatabase();
  [readers, logged] = [[], []];
  venue = await tellStory(db.sql);
  writer = openSql(db.url, { max: 1 });
});
afterEach(async () => {
  await Promise.all([writer, ...readers].map((sql) => closeSql(sql)));
  await db.drop();
});

async function tellStory(sql: Sql): Promise<TestVenue> {
  const told = await createTestVenue(sql, { staleAfterMs: 86_400_000 });
  told.at = new Date().toISOString();
  for (const name of ['ann', 'ben', 'cat']) await told.account(name, { deposit: '1000' });
  await told.trade('BTCUSDT', 'ann', 'ben', '10', '100');
  await told.trade('BTCUSDT', 'cat', 'ben', '4', '101');
  await told.price('BTCUSDT', '103');
  return told;
}

async function startFollower(options: Partial<FollowerOptions> = {}): Promise<BookFollower> {
  const sql = openSql(db.url, { max: 2, applicationName: 'backstop-follower' });
  readers.push(sql);
  const write = (chunk: Buffer, _encoding: unknown, done: () => void): void => {
    logged.push(chunk.toString());
    done();
  };
  const follower = new BookFollower({ sql, log: createLog('info', new Writable({ write })), ...options });
  await follower.refresh();
  return follower;
}

async function expectNewest(follower: BookFollower): Promise<void> {
  expect(toldWhole(await follower.refresh())).toBe(toldWhole(await takeAnew(db.sql)));
}

const sizeOf = (follower: BookFollower, accountId: string): string | undefined =>
  follower.current().account(accountId)?.positions.get('BTCUSDT')?.size.toFixed();

describe('a follower', () => {
  it('sees what a very long transaction wrote, when it commits, after many refreshes', async () => {
    const follower = await startFollower();
    await writer`begin`;
    await writer`update position set size = size + 5 where account_id = 'ann'`;
    for (let i = 0; i < 5; i++) {
      await venue.deposit('cat', '3');
      await venue.trade('BTCUSDT', 'cat', 'ben', '1', '100');
      await expectNewest(follower);
    }
    expect(sizeOf(follower, 'ann')).toBe('10');
    await writer`commit`;
    await expectNewest(follower);
    expect(sizeOf(follower, 'ann')).toBe('15');
  });

  it('sees what stays of a transaction with savepoints', async () => {
    const follower = await startFollower();
    await writer`begin`;
    await writer`savepoint a`;
    await writer`update position set size = size + 5 where account_id = 'ann'`;
    await writer`rollback to savepoint a`;
    await writer`savepoint b`;
    await writer`update position set size = size + 7 where account_id = 'cat'`;
    await writer`release savepoint b`;
    await writer`update position set size = size + 1 where account_id = 'ann'`;
    await venue.deposit('ben', '3');
    await expectNewest(follower);
    await writer`commit`;
    await expectNewest(follower);
    expect([sizeOf(follower, 'ann'), sizeOf(follower, 'cat')]).toEqual(['11', '11']);
  });

  it('sees positions that were removed past the service', async () => {
    const follower = await startFollower();
    await writer`delete from position where account_id = 'cat'`;
    await expectNewest(follower);
    expect(sizeOf(follower, 'cat')).toBeUndefined();
  });

  it('need not see what is refused, for it would leave no mark', async () => {
    const follower = await startFollower();
    const before = toldWhole(follower.current());
    await expect(
      writer`update position set account_id = 'lp-usdt', account_kind = 'LIQUIDITY_PROVIDER' where account_id = 'ann'`,
    ).rejects.toThrow('A row of position stays with its account and its market');
    await expect(writer`update position set market_id = 'ETHUSDT' where account_id = 'ann'`).rejects.toThrow(
      'stays with its account',
    );
    await writer`insert into account (id, trader_id, kind, mode, margin_asset_id) values ('none', 'ann', 'TRADER', 'CROSS', 'USDT')`;
    await expect(
      writer`update balance set account_id = 'none', account_kind = 'TRADER', account_mode = 'CROSS' where account_id = 'ann'`,
    ).rejects.toThrow('A row of balance stays with its account and its asset');
    await expect(writer`truncate position`).rejects.toThrow('position is never emptied as a whole');
    await expect(writer`delete from account where id = 'none'`).rejects.toThrow('An account is never removed');
    await expectNewest(follower);
    expect(toldWhole(follower.current())).not.toBe(before);
  });

  it('goes on after its connection was cut in the middle of a refresh', async () => {
    const follower = await startFollower();
    for (let i = 0; i < 3; i++) {
      await venue.account(`new-${i}`, { deposit: '5' });
      const cut = follower.refresh().catch(() => undefined);
      await db.sql`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'backstop-follower' and datname = current_database()`;
      await cut;
      await venue.deposit('ann', '1');
    }
    await follower.refresh().catch(() => undefined);
    await expectNewest(follower);
  });

  it('counts nobody who is not in its state yet, though another reader of the columns knows him', async () => {
    const book = (await startFollower()).taken().book;
    const ann = book.account('ann');
    if (ann === undefined) throw new Error('no ann');
    const before = book.counts().byStatus.HEALTHY;
    // A lap shares the columns with the API's book, and its snapshot may be the newer one.
    book.columns.add(rowOfAccount({ ...ann, id: 'seen-by-another', positions: new Map() }));
    const next = book.with([{ ...ann, id: 'dan', positions: new Map() }]);
    expect(next).toBeInstanceOf(ColumnBook);
    expect(next.counts().byStatus.HEALTHY).toBe(before + 1);
    expect(next.accountCount).toBe(book.accountCount + 1);
  });
});

describe('two followers', () => {
  it('show the same ranks under the same ranking id', async () => {
    const [one, other] = [await startFollower(), await startFollower()];
    for (const step of ['99', '104', '101']) {
      await venue.price('BTCUSDT', step);
      await venue.trade('BTCUSDT', 'ann', 'cat', '2', step);
      if (step === '104') await one.refresh();
      await venue.deposit('ben', '1');
      const [a, b] = [await one.refresh(), await other.refresh()];
      for (const side of ['LONG', 'SHORT'] as const) {
        const [x, y] = [a.ranking('BTCUSDT', side), b.ranking('BTCUSDT', side)];
        expect(x.id).toBe(y.id);
        const ranks = [1, 2].slice(0, x.queueLength).map((rank) => [x.accountAt(rank), y.accountAt(rank)]);
        expect(ranks.length).toBeGreaterThan(0);
        for (const [of, and] of ranks) expect(of).toBe(and);
      }
      expect(toldWhole(a)).toBe(toldWhole(b));
    }
  });
});

describe('another history', () => {
  it('makes the book anew when the database was made anew under its name', async () => {
    const follower = await startFollower();
    const other = await createTestDatabase();
    const elsewhere = await createTestVenue(other.sql);
    await elsewhere.account('zoe', { deposit: '7' });
    await remakeTestDatabase(db, other);
    await follower.refresh().catch(() => undefined);
    await expectNewest(follower);
    expect(follower.current().account('ann')).toBeUndefined();
    expect(follower.current().account('zoe')?.balance.toFixed()).toBe('7');
    expect(logged.join('')).toContain('"level":40');
    expect(logged.join('')).toContain('another history of the database: the book is made anew');
    await other.drop();
  });

  it('is not one where nothing but time went on', async () => {
    const follower = await startFollower();
    await venue.deposit('ann', '1');
    await follower.refresh();
    expect(logged.join('')).not.toContain('another history');
  });

  it('is told by the cluster, the timeline, the database, and by transaction numbers that went backwards', () => {
    const last = { history: '7/1/5', xmin: '4294967300', xmax: '4294967310', running: 0 };
    expect(goesOn(last, last)).toBe(true);
    expect(goesOn(last, { ...last, xmin: '4294967310', xmax: '4294967311' })).toBe(true);
    // Compared as numbers, not as texts; 99 is the older one.
    expect(goesOn({ ...last, xmax: '99' }, { ...last, xmax: '100' })).toBe(true);
    expect(goesOn({ ...last, xmax: '100' }, { ...last, xmax: '99' })).toBe(false);
    expect(goesOn(last, { ...last, xmin: '4294967299', xmax: '4294967309' })).toBe(false);
    for (const history of ['8/1/5', '7/2/5', '7/1/6']) expect(goesOn(last, { ...last, history })).toBe(false);
  });

  it('is ordered by the snapshots: the later one knows of more numbers, or of fewer that still run', () => {
    const place = { history: '7/1/5', xmin: '90', xmax: '100', running: 2 };
    expect(isEarlier(place, place)).toBe(false);
    expect(isEarlier({ ...place, xmax: '99' }, place)).toBe(true);
    expect(isEarlier({ ...place, xmax: '101', running: 9 }, place)).toBe(false);
    expect(isEarlier({ ...place, running: 3 }, place)).toBe(true);
    expect(isEarlier({ ...place, running: 1 }, place)).toBe(false);
  });

  it('has the timeline that is written now', async () => {
    const { history } = await inTransaction(db.sql, { isolation: 'repeatable read', readOnly: true }, readHistoryPlace);
    const [row] = await db.sql`
      select s.system_identifier || '/' || c.timeline_id || '/' || d.oid as history
      from pg_control_system() s, pg_control_checkpoint() c, pg_database d where d.datname = current_database()`;
    expect(history).toBe(row?.['history']);
  });

  it('lets a follower whose numbers went backwards make its book anew, and say so', async () => {
    const follower = await startFollower();
    const taken = follower.taken();
    // As a data folder that was put back looks: the same history, fewer transactions.
    Object.assign(taken.place, { xmax: `9${taken.place.xmax}` });
    await expectNewest(follower);
    expect(follower.taken().isAnew).toBe(true);
    expect(logged.join('')).toContain('another history');
  });
});

describe('a book of another history', () => {
  it('is taken though its data are older than those of the last one', async () => {
    const follower = await startFollower();
    const taken = follower.taken();
    // As a standby that was made from an older backup looks.
    Object.assign(taken.place, { history: 'another' });
    Object.assign(taken, { book: { at: '9999-12-31T00:00:00.000000Z' } });
    await follower.refresh();
    expect(follower.taken()).not.toBe(taken);
    await expectNewest(follower);
  });
});

describe('a rebuild', () => {
  it('makes the book from nothing, and what was begun before it does not count', async () => {
    const follower = await startFollower();
    const columns = follower.taken().book.columns;
    await Promise.all([follower.refresh(), follower.rebuild(), follower.refresh(), follower.refresh()]);
    expect(follower.taken().book.columns).not.toBe(columns);
    await expectNewest(follower);
    expect(logged.join('')).not.toContain('another history');
  });
});

describe('a transaction of somebody else', () => {
  it('leaves its book to the follower, who need not take it again', async () => {
    const follower = await startFollower();
    await venue.deposit('ann', '1');
    const { book } = await inTransaction(db.sql, { isolation: 'repeatable read' }, (tx) =>
      follower.inTurn((take) => take(tx, new Date().toISOString().replace('Z', '000Z'))),
    );
    expect(follower.taken().book).toBe(book);
    expect(toldWhole(book)).toBe(toldWhole(await takeAnew(db.sql)));
    await expectNewest(follower);
  });

  it('makes its book from nothing when it took its snapshot before its turn', async () => {
    const follower = await startFollower();
    await inTransaction(db.sql, { isolation: 'repeatable read' }, async (tx) => {
      await tx`select 1 as snapshot`;
      await venue.deposit('ann', '1');
      const newer = await follower.refresh();
      // It goes on from a book that its snapshot is behind, so it makes its own from nothing.
      const { book } = await follower.inTurn((take) => take(tx, '2099-01-01T00:00:00.000000Z'));
      expect(book.account('ann')?.balance.eq(newer.account('ann')?.balance ?? 0)).toBe(false);
    });
    await expectNewest(follower);
  });

  it('makes those who want a book wait until it has taken its own, and they share the next', async () => {
    const follower = await startFollower();
    const asked: Promise<unknown>[] = [];
    await follower.inTurn(() => {
      asked.push(follower.refresh(), follower.refresh());
      return Promise.resolve();
    });
    expect(asked[0]).toBe(asked[1]);
    await Promise.all(asked);
    expect(follower.refresh()).not.toBe(asked[0]);
    await expectNewest(follower);
  });
});
