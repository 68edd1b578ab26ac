import { createHash, randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { BackstopError, messageOf } from '../errors.js';
import { closeSql, openSql } from './connect.js';
import type { Sql } from './connect.js';

interface Migration {
  readonly name: string;
  readonly script: string;
  /** SHA-256 of the script, as Prisma's own command records it. */
  readonly checksum: string;
}

interface Recorded {
  readonly name: string;
  readonly checksum: string;
  readonly finished: boolean;
}

/** The advisory lock that Prisma's own command takes, so that either waits for the other. */
const MIGRATION_LOCK = 72_707_369;

/**
 * Applies the migrations that the database lacks, each in a transaction of its own, and returns their names.
 * The record is Prisma's table, so that its command line sees the same history. Several processes may call this at once.
 */
export async function deployMigrations(url: string, folder: string): Promise<string[]> {
  const migrations = await readMigrations(folder);
  // One connection: the lock belongs to it, and goes with it however this ends.
  const sql = openSql(url, { max: 1, applicationName: 'backstop-migrate' });
  try {
    // The usual case, and then without the lock: behind a pooler a session's lock would outlive us.
    if (await isCurrent(sql, migrations)) return [];
    await sql`select pg_advisory_lock(${MIGRATION_LOCK})::text`;
    const recorded = await loadRecord(sql);
    const due = planMigrations(migrations, recorded);
    for (const migration of due) await applyMigration(sql, migration);
    return due.map((migration) => migration.name);
  } finally {
    await closeSql(sql);
  }
}

async function isCurrent(sql: Sql, migrations: readonly Migration[]): Promise<boolean> {
  const [record] = await sql<{ isThere: boolean }[]>`select to_regclass('_prisma_migrations') is not null as "isThere"`;
  if (record?.isThere !== true) return false;
  const recorded = await readRecord(sql);
  // One that is unfinished may be another process's, at work on it now: look again under the lock.
  return recorded.every(({ finished }) => finished) && planMigrations(migrations, recorded).length === 0;
}

export async function readMigrations(folder: string): Promise<Migration[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  names.sort();
  return Promise.all(
    names.map(async (name) => {
      const script = await readFile(path.join(folder, name, 'migration.sql'), 'utf8');
      return { name, script, checksum: createHash('sha256').update(script).digest('hex') };
    }),
  );
}

/** What is still to be applied, or a refusal of a history that this build cannot continue. */
function planMigrations(migrations: readonly Migration[], recorded: readonly Recorded[]): Migration[] {
  const known = new Map(migrations.map((migration) => [migration.name, migration]));
  for (const { name, checksum, finished } of recorded) {
    const ours = known.get(name);
    if (ours === undefined) throw refusal(`The database has a migration that this build does not know: ${name}.`);
    if (!finished) throw refusal(`Migration ${name} failed before and was left unfinished; mend the database first.`);
    if (ours.checksum !== checksum) throw refusal(`Migration ${name} was edited after it had been applied.`);
  }
  const applied = new Set(recorded.map(({ name }) => name));
  return migrations.filter(({ name }) => !applied.has(name));
}

function refusal(message: string, cause?: unknown): BackstopError {
  return new BackstopError('SETUP', message, { cause });
}

async function loadRecord(sql: Sql): Promise<Recorded[]> {
  await sql`
    create table if not exists _prisma_migrations (
      id varchar(36) primary key not null,
      checksum varchar(64) not null,
      finished_at timestamptz,
      migration_name varchar(255) not null,
      logs text,
      rolled_back_at timestamptz,
      started_at timestamptz not null default now(),
      applied_steps_count integer not null default 0
    )`;
  return readRecord(sql);
}

async function readRecord(sql: Sql): Promise<Recorded[]> {
  return sql<Recorded[]>`
    select migration_name as name, checksum, finished_at is not null as finished
    from _prisma_migrations
    where rolled_back_at is null
    order by migration_name collate "C"`;
}

async function applyMigration(sql: Sql, { name, script, checksum }: Migration): Promise<void> {
  try {
    await sql.begin(async (tx) => {
      await tx.unsafe(script).simple();
      await tx`
        insert into _prisma_migrations (id, checksum, migration_name, finished_at, applied_steps_count)
        values (${randomUUID()}, ${checksum}, ${name}, clock_timestamp(), 1)`;
    });
  } catch (error) {
    throw refusal(`Migration ${name} could not be applied: ${messageOf(error)}.`, error);
  }
}
