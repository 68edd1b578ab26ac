import { randomBytes } from 'node:crypto';
import { closeSql, openSql } from '../../src/db/connect.js';
import type { Sql } from '../../src/db/connect.js';

export interface TestDatabase {
  readonly url: string;
  readonly name: string;
  readonly sql: Sql;
  /** Ends `sql` and drops the database, whoever else is connected to it. */
  drop(): Promise<void>;
}

export interface TestDatabaseOptions {
  /** False: nothing in it, for tests of the migrations themselves. */
  readonly migrated?: boolean;
}

const TEMPLATE = 'template_migrated';
const CONNECTIONS = 4;

/** A database of its own for the caller, cloned in some tens of milliseconds; safe in parallel workers. */
export async function createTestDatabase({ migrated = true }: TestDatabaseOptions = {}): Promise<TestDatabase> {
  const name = `test_${randomBytes(8).toString('hex')}`;
  await administer((admin) =>
    migrated
      ? admin`create database ${admin(name)} template ${admin(TEMPLATE)} strategy ${admin(strategy())}`
      : admin`create database ${admin(name)}`,
  );
  const url = testUrl(name);
  const sql = openSql(url, { max: CONNECTIONS, applicationName: 'backstop-test' });
  return {
    url,
    name,
    sql,
    async drop() {
      await closeSql(sql);
      await administer((admin) => admin`drop database if exists ${admin(name)} with (force)`);
    },
  };
}

/** Drops the database, whoever is connected to it, and makes it again under its name as a copy of the other one. */
export async function remakeTestDatabase({ name }: TestDatabase, like: TestDatabase): Promise<void> {
  await closeSql(like.sql);
  await administer(async (admin) => {
    await admin`drop database ${admin(name)} with (force)`;
    await admin`create database ${admin(name)} template ${admin(like.name)}`;
  });
}

/** How a database is cloned, by where the server's data lie. */
function strategy(): string {
  return process.env['BACKSTOP_TEST_CLONE'] ?? 'wal_log';
}

/** The URL of a database on the run's server. */
export function testUrl(database: string): string {
  const url = new URL(adminUrl());
  url.pathname = `/${database}`;
  return url.href;
}

function adminUrl(): string {
  const url = process.env['BACKSTOP_TEST_ADMIN_URL'];
  if (url === undefined) throw new Error('the global set-up of the tests has not run');
  return url;
}

async function administer(statement: (admin: Sql) => Promise<unknown>): Promise<void> {
  const admin = openSql(adminUrl(), { max: 1, applicationName: 'backstop-test' });
  try {
    await statement(admin);
  } finally {
    await closeSql(admin);
  }
}
