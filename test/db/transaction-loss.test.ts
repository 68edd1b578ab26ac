import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { inTransaction } from '../../src/db/transaction.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

/** What it is rejected with. */
const codeOf = (rejected: Promise<unknown>): Promise<string> =>
  rejected.then(
    () => 'none',
    (error: unknown) => String((error as { code?: unknown }).code),
  );

it('a transaction whose connection the server ends says so, and the process lives on', async () => {
  const { sql } = database;
  const lost = inTransaction(sql, { isolation: 'read committed' }, async (tx) => {
    await tx`set local transaction_timeout = '50ms'`;
    await tx`select pg_sleep(5)`;
  });
  expect(await codeOf(lost)).toMatch(/25P04|CONNECTION_CLOSED/);
  const killed = inTransaction(sql, { isolation: 'read committed' }, async (tx) => {
    const [row] = await tx<{ pid: number }[]>`select pg_backend_pid() as pid`;
    await sql`select pg_terminate_backend(${row?.pid ?? 0})`;
    await new Promise((resolve) => setTimeout(resolve, 50));
    await tx`select 1`;
  });
  expect(await codeOf(killed)).toMatch(/57P01|CONNECTION_CLOSED/);
  const [row] = await sql<{ answer: number }[]>`select 42 as answer`;
  expect(row?.answer).toBe(42);
});
