import { appendFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { deployMigrations } from '../../src/db/migrate.js';
import { messageOf } from '../../src/errors.js';
import { createTestDatabase } from '../support/database.js';
import type { TestDatabase } from '../support/database.js';

const FIRST = '20260101000000_first';
const SECOND = '20260102000000_second';

// Several statements, with semicolons inside a body: a script must not be cut at them.
const FIRST_SCRIPT = `
create table account (id text primary key);
create function refuse() returns trigger language plpgsql as $$
begin
  raise exception 'account is only added to'; return null;
end $$;
create trigger account_only_added before delete on account for each row execute function refuse();
insert into account values ('a;b');
`;

describe('the migrations', () => {
  let db: TestDatabase;
  let folder: string;

  beforeEach(async () => {
    db = await createTestDatabase({ migrated: false });
    folder = await mkdtemp(path.join(os.tmpdir(), 'backstop-migrations-'));
    await writeFile(path.join(folder, 'migration_lock.toml'), 'provider = "postgresql"\n');
    await write(FIRST, FIRST_SCRIPT);
  });

  afterEach(async () => {
    await db.drop();
    await rm(folder, { recursive: true, force: true });
  });

  async function write(name: string, script: string): Promise<void> {
    await mkdir(path.join(folder, name), { recursive: true });
    await writeFile(path.join(folder, name, 'migration.sql'), script);
  }

  async function refusal(): Promise<string> {
    return deployMigrations(db.url, folder).then((names) => `applied ${names.join()}`, messageOf);
  }

  async function tables(): Promise<string[]> {
    const rows = await db.sql<{ name: string }[]>`
      select relname as name from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace order by 1`;
    return rows.map(({ name }) => name);
  }

  it('wait for nobody when there is nothing to apply', async () => {
    expect(await deployMigrations(db.url, folder)).toEqual([FIRST]);
    await db.sql.begin(async (holder) => {
      await holder`select pg_advisory_xact_lock(72707369)`;
      expect(await deployMigrations(db.url, folder)).toEqual([]);
    });
  });

  it('are applied in the order of their names, once', async () => {
    await write(SECOND, 'alter table account add column note text;');
    expect(await deployMigrations(db.url, folder)).toEqual([FIRST, SECOND]);
    expect(await deployMigrations(db.url, folder)).toEqual([]);
    expect([...(await db.sql`select id, note from account`)]).toEqual([{ id: 'a;b', note: null }]);
    await expect(db.sql`delete from account`).rejects.toThrow('account is only added to');
  });

  it('are recorded as the command line of Prisma records them', async () => {
    await write(FIRST, 'select 1;\n');
    await deployMigrations(db.url, folder);
    const [row] = await db.sql`
      select migration_name, checksum, applied_steps_count, logs, rolled_back_at, finished_at >= started_at as finished
      from _prisma_migrations`;
    expect(row).toEqual({
      migration_name: FIRST,
      // printf 'select 1;\n' | sha256sum
      checksum: '4a45092ccf992ea92250053a80b931b787924ba61648f420555511b84f10ab6c',
      applied_steps_count: 1,
      logs: null,
      rolled_back_at: null,
      finished: true,
    });
  });

  it('are applied once when several processes start together', async () => {
    const all = await Promise.all([1, 2, 3, 4].map(() => deployMigrations(db.url, folder)));
    expect(all.flat()).toEqual([FIRST]);
  });

  it('leave nothing behind when one fails, and what came before stays', async () => {
    await write(SECOND, 'create table half (id text); create table account (id text);');
    expect(await refusal()).toBe(`Migration ${SECOND} could not be applied: relation "account" already exists.`);
    expect(await tables()).toEqual(['_prisma_migrations', 'account']);

    await write(SECOND, 'create table half (id text);');
    expect(await deployMigrations(db.url, folder)).toEqual([SECOND]);
  });

  it('are refused when one was edited after it had been applied', async () => {
    await deployMigrations(db.url, folder);
    await appendFile(path.join(folder, FIRST, 'migration.sql'), '-- more\n');
    expect(await refusal()).toBe(`Migration ${FIRST} was edited after it had been applied.`);
  });

  it('are refused when the database is ahead of this build', async () => {
    await write(SECOND, 'create table other (id text);');
    await deployMigrations(db.url, folder);
    await rm(path.join(folder, SECOND), { recursive: true });
    expect(await refusal()).toBe(`The database has a migration that this build does not know: ${SECOND}.`);
  });

  it('are refused when one was left unfinished by another tool', async () => {
    await deployMigrations(db.url, folder);
    await db.sql`update _prisma_migrations set finished_at = null`;
    expect(await refusal()).toBe(`Migration ${FIRST} failed before and was left unfinished; mend the database first.`);
  });
});
