import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { closeSql, openSql } from '../../src/db/connect.js';
import { DeadlinePassed, isTimeout, withDeadline } from '../../src/db/deadline.js';
import { openPrisma } from '../../src/db/prisma.js';
import { inTransaction } from '../../src/db/transaction.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

const SHORT = { applicationName: 'hurried', statementTimeoutMs: 200 };

describe('a deadline', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(() => database.drop());

  it('lets nothing begin once it has passed, and rolls back what is not done', async () => {
    const deadline = new AbortController();
    const sql = withDeadline(database.sql, deadline.signal);
    expect(await sql`select 1 as one`).toEqual([{ one: 1 }]);
    const late = inTransaction(sql, { isolation: 'read committed' }, async (tx) => {
      await tx`insert into asset (id) values ('LATE')`;
      deadline.abort();
    });
    await expect(late).rejects.toThrow(DeadlinePassed);
    expect(await database.sql`select id from asset where id = 'LATE'`).toEqual([]);
    const never = inTransaction(sql, { isolation: 'read committed' }, (tx) => tx`select 1`);
    await expect(never).rejects.toThrow(DeadlinePassed);
    expect(() => sql`select 1`).toThrow(DeadlinePassed);
    expect(isTimeout(new DeadlinePassed())).toBe(true);
  });

  it('ends in the server what runs for too long, whichever client began it', async () => {
    const sql = openSql(database.url, SHORT);
    const prisma = openPrisma(database.url, SHORT);
    try {
      await database.sql.begin(async (tx) => {
        await tx`lock table trader in access exclusive mode`;
        const [bySql, byPrisma] = await Promise.allSettled([sql`select * from trader`, prisma.trader.findMany()]);
        expect([bySql.status, byPrisma.status]).toEqual(['rejected', 'rejected']);
        const reasons = [bySql, byPrisma].map((one) =>
          one.status === 'rejected' ? (one.reason as unknown) : undefined,
        );
        expect(reasons.map(isTimeout)).toEqual([true, true]);
        // The lock is still held: nobody waits for it any more.
        const waiting =
          await tx`select 1 from pg_stat_activity where application_name = 'hurried' and state = 'active'`;
        expect(waiting).toEqual([]);
      });
    } finally {
      await prisma.$disconnect();
      await closeSql(sql);
    }
  });

  it('is not to be taken for another failure', async () => {
    const failure = await database.sql`select 1 / 0`.then(
      () => undefined,
      (error: unknown) => error,
    );
    expect([isTimeout(failure), isTimeout(undefined), isTimeout(new Error('x', { cause: failure }))]).toEqual([
      false,
      false,
      false,
    ]);
  });
});
