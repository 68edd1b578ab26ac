import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Tx } from '../../src/db/connect.js';
import { inTransaction, rehearse, sqlStateOf } from '../../src/db/transaction.js';
import { createTestDatabase } from '../support/database.js';
import type { TestDatabase } from '../support/database.js';

describe('a transaction', () => {
  let db: TestDatabase;

  beforeAll(async () => {
    db = await createTestDatabase({ migrated: false });
    await db.sql`create table counter (id text primary key, value int8 not null check (value >= 0))`;
  });
  afterAll(() => db.drop());
  beforeEach(async () => {
    await db.sql`truncate counter`;
    await db.sql`insert into counter values ('a', 0), ('b', 0)`;
  });

  async function values(): Promise<string[]> {
    const rows = await db.sql<{ value: string }[]>`select value from counter order by id`;
    return rows.map(({ value }) => value);
  }

  it.each(['serializable', 'repeatable read'] as const)(
    'loses no increment under contention at %s',
    async (isolation) => {
      let retries = 0;
      const increment = (): Promise<string> =>
        inTransaction(db.sql, { isolation, attempts: 100, onRetry: () => retries++ }, async (tx) => {
          const [row] = await tx<{ value: string }[]>`select value from counter where id = 'a'`;
          const next = String(BigInt(row?.value ?? '0') + 1n);
          await tx`update counter set value = ${next} where id = 'a'`;
          return next;
        });
      const answers = await Promise.all(Array.from({ length: 20 }, increment));
      expect(await values()).toEqual(['20', '0']);
      expect(new Set(answers).size).toBe(20);
      expect(retries).toBeGreaterThan(0);
    },
  );

  it('is tried again when it was the one to end a deadlock', async () => {
    const states: string[] = [];
    const met = bothArrived();
    const move = (first: string, second: string): Promise<void> =>
      inTransaction(db.sql, { isolation: 'read committed', onRetry: (state) => states.push(state) }, async (tx) => {
        await tx`update counter set value = value + 1 where id = ${first}`;
        await met();
        await tx`update counter set value = value + 1 where id = ${second}`;
      });
    await Promise.all([move('a', 'b'), move('b', 'a')]);
    expect(await values()).toEqual(['2', '2']);
    expect(states).toEqual(['40P01']);
  });

  it('gives up after the attempts it was granted', async () => {
    const tried: number[] = [];
    const give = inTransaction(
      db.sql,
      { isolation: 'serializable', attempts: 3, onRetry: (_, n) => tried.push(n) },
      async (tx) => {
        await tx`update counter set value = 7`;
        await tx`do $$ begin raise exception 'give way' using errcode = '40001'; end $$`;
      },
    );
    await expect(give).rejects.toMatchObject({ code: '40001' });
    expect(tried).toEqual([1, 2]);
    expect(await values()).toEqual(['0', '0']);
  });

  it('is not tried again for any other refusal, and stores nothing', async () => {
    let runs = 0;
    const refused = inTransaction(db.sql, { isolation: 'serializable' }, async (tx) => {
      runs++;
      await tx`update counter set value = 1 where id = 'a'`;
      await tx`update counter set value = -1 where id = 'b'`;
    });
    expect(await refused.then(() => 'stored', sqlStateOf)).toBe('23514');
    expect(runs).toBe(1);
    expect(await values()).toEqual(['0', '0']);
  });

  it('stores nothing when its work throws, and throws the same', async () => {
    const fault = new Error('ours');
    const work = inTransaction(db.sql, { isolation: 'read committed' }, async (tx) => {
      await tx`update counter set value = 1`;
      throw fault;
    });
    await expect(work).rejects.toBe(fault);
    expect(await values()).toEqual(['0', '0']);
  });

  it('writes nothing when it is read only', async () => {
    const work = inTransaction(
      db.sql,
      { isolation: 'repeatable read', readOnly: true },
      (tx) => tx`update counter set value = 1`,
    );
    expect(await work.then(() => 'stored', sqlStateOf)).toBe('25006');
  });

  it('can rehearse: the answer or the refusal is known, and nothing of it is kept', async () => {
    const add = (n: number) => async (tx: Tx) => {
      await tx`insert into rehearsed values (${n})`;
      return tx`select from rehearsed`.then((rows) => rows.length);
    };
    await db.sql`create table rehearsed (n integer check (n > 0))`;
    await inTransaction(db.sql, { isolation: 'read committed' }, async (tx) => {
      expect(await rehearse(tx, add(1))).toBe(1);
      await add(2)(tx);
    });
    expect(await db.sql`select n from rehearsed`).toEqual([{ n: 2 }]);
    const refused = inTransaction(db.sql, { isolation: 'read committed' }, (tx) => rehearse(tx, add(0)));
    await expect(refused).rejects.toThrow(/check/);
    await db.sql`drop table rehearsed`;
  });

  it('answers what its work answers', async () => {
    const rows = await inTransaction(db.sql, { isolation: 'read committed' }, async (tx) => [
      ...(await tx`select 1 as one`),
    ]);
    expect(rows).toEqual([{ one: 1 }]);
  });
});

/** Lets its first two callers go on together; later ones do not wait. */
function bothArrived(): () => Promise<void> {
  let arrived = 0;
  let open: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  return () => {
    if (++arrived === 2) open();
    return gate;
  };
}
