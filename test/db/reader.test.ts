import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { packageRoot } from '../../src/config.js';
import { closeSql, openSql, type Sql } from '../../src/db/connect.js';
import { deployMigrations } from '../../src/db/migrate.js';
import { sqlStateOf } from '../../src/db/transaction.js';
import { createTestDatabase } from '../support/database.js';
import type { TestDatabase } from '../support/database.js';

const READ_ONLY = '25006';
const DENIED = '42501';
const PASSWORD = 'of-the-test';

/** Migrated for itself: what a role may do in a database as a whole is not cloned with a template. */
let db: TestDatabase;
let reader: Sql;
beforeAll(async () => {
  db = await createTestDatabase({ migrated: false });
  await deployMigrations(db.url, path.join(packageRoot, 'prisma/migrations'));
  await db.sql.unsafe(`alter role backstop_reader password '${PASSWORD}'`);
  const url = new URL(db.url);
  url.username = 'backstop_reader';
  url.password = PASSWORD;
  reader = openSql(url.href, { max: 1 });
});
afterAll(async () => {
  await closeSql(reader);
  await db.drop();
});

async function stateOf(statement: string): Promise<string | undefined> {
  try {
    await reader.unsafe(statement).simple();
    return undefined;
  } catch (error) {
    return sqlStateOf(error);
  }
}

describe('the role backstop_reader', () => {
  it('sees every table and every view', async () => {
    const names = await db.sql<{ name: string }[]>`
      select relname as name from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'v')`;
    expect(names.length).toBeGreaterThan(50);
    for (const { name } of names)
      expect([name, await stateOf(`select * from ${name} limit 1`)]).toEqual([name, undefined]);
  });

  it('sees a table that a later migration makes', async () => {
    await db.sql`create table later (id integer)`;
    expect(await stateOf('select * from later')).toBeUndefined();
  });

  it('may move the instant of the views', async () => {
    expect(await stateOf(`set backstop.now = '2025-10-10T21:20:00Z'; select * from margin_status`)).toBeUndefined();
    const [row] = await reader`select backstop_now() as now`;
    expect(row).toEqual({ now: '2025-10-10T21:20:00.000000Z' });
  });

  it('is read-only from the start', async () => {
    const [row] = await reader`show transaction_read_only`;
    expect(row).toEqual({ transaction_read_only: 'on' });
    expect(await stateOf('create temporary table mine ()')).toBe(READ_ONLY);
  });

  it('writes nothing even when it says that it wants to', async () => {
    await reader`set default_transaction_read_only = off`;
    const tables = await db.sql<{ name: string; column: string }[]>`
      select c.relname as name, a.attname as column from pg_class c join lateral (
        select attname from pg_attribute where attrelid = c.oid and attnum > 0 and attidentity = '' limit 1) a on true
      where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'`;
    for (const { name, column } of tables) {
      const writes = [
        `insert into ${name} default values`,
        `update ${name} set ${column} = ${column}`,
        `delete from ${name}`,
      ];
      for (const write of writes) expect([write, await stateOf(write)]).toEqual([write, DENIED]);
    }
    const [rights] = await db.sql`
      select count(*)::int as writable from pg_class c
      where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'v')
        and has_table_privilege('backstop_reader', c.oid, 'insert, update, delete, truncate, references, trigger, maintain')`;
    expect(rights).toEqual({ writable: 0 });
    expect(await stateOf('truncate trade')).toBe(DENIED);
    expect(await stateOf(`select nextval('trade_id_seq')`)).toBe(DENIED);
    expect(await stateOf('create table mine ()')).toBe(DENIED);
    expect(await stateOf('create temporary table mine ()')).toBe(DENIED);
    expect(await stateOf('create schema mine')).toBe(DENIED);
    expect(await stateOf('set session_replication_role = replica')).toBe(DENIED);
    expect(await stateOf('alter table trade disable trigger all')).toBe(DENIED);
    expect(await stateOf('select * from trade for update')).toBe(DENIED);
  });

  it('makes and changes no large object either', async () => {
    await stateOf('set default_transaction_read_only = off');
    for (const call of ['lo_create(0)', 'lo_creat(-1)', "lo_from_bytea(0, 'x')", "lo_put(1, 0, 'x')", 'lo_unlink(1)']) {
      expect([call, await stateOf(`select ${call}`)]).toEqual([call, DENIED]);
    }
    await stateOf('reset default_transaction_read_only');
  });

  it('belongs to nothing and owns nothing', async () => {
    const [role] = await db.sql`
      select rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls from pg_roles where rolname = 'backstop_reader'`;
    expect(Object.values(role ?? {})).toEqual([false, false, false, false, false]);
    const memberships = await db.sql`select from pg_auth_members where member = 'backstop_reader'::regrole`;
    expect(memberships.length).toBe(0);
  });

  it('is there once, however many databases are migrated at once', async () => {
    const others = await Promise.all([1, 2, 3].map(() => createTestDatabase({ migrated: false })));
    await Promise.all(others.map((other) => deployMigrations(other.url, path.join(packageRoot, 'prisma/migrations'))));
    await Promise.all(others.map((other) => other.drop()));
  });
});
