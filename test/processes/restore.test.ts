import { execFileSync } from 'node:child_process';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { BookFollower } from '../../src/book/follower.js';
import { packageRoot } from '../../src/config.js';
import { closeSql, openSql, type Sql } from '../../src/db/connect.js';
import { startEmbedded, type EmbeddedServer } from '../../src/db/embedded.js';
import { readHistoryPlace } from '../../src/db/history-place.js';
import { deployMigrations } from '../../src/db/migrate.js';
import { openDatabase } from '../../src/db/open-database.js';
import { runLap } from '../../src/engine/run-lap.js';
import { contributeToFund } from '../../src/ingest/accounts.js';
import { createLog } from '../../src/telemetry.js';
import { exportHeads, verifyChains, writeNewFile, type Verified } from '../../src/verify.js';
import { addAuditEntry } from '../support/chained-history.js';
import { assertInvariants } from '../support/checks.js';
import { instant, playCrash } from '../support/crash.js';
import { takeAnew, toldWhole } from '../support/followed-venue.js';

let folder: string;
let server: EmbeddedServer | undefined;
const opened: Sql[] = [];
const at = (name: string): string => path.join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'backstop-restore-'));
  // Run by root, the servers are another user's, who must be able to pass through.
  await chmod(folder, 0o755);
});
afterAll(async () => {
  await Promise.all(opened.map((sql) => closeSql(sql)));
  await server?.stop();
  await rm(folder, { recursive: true, force: true, maxRetries: 50, retryDelay: 100 });
});

async function serve(name: string): Promise<{ readonly url: string; readonly sql: Sql }> {
  server = await startEmbedded({ dataDir: at(name), database: 'backstop', unsafeFast: true });
  return { url: server.url, sql: connect(server.url) };
}

function connect(url: string): Sql {
  const sql = openSql(url, { max: 2, applicationName: 'backstop-test' });
  opened.push(sql);
  return sql;
}

/** As the runbook says it: the folder of a server that was stopped, into a place where there is none. */
function copy(from: string, to: string): void {
  execFileSync('cp', ['-a', at(from), at(to)]);
}

/** As the runbook says it. */
function beginAnotherTimeline(name: string): void {
  const script = `cp -p "$0/PG_VERSION" "$0/recovery.signal"; echo "restore_command = 'false'" >> "$0/postgresql.auto.conf"`;
  execFileSync('/bin/sh', ['-c', script, at(name)]);
}

/** Every row of every table, by every column. */
async function everything(sql: Sql): Promise<Record<string, string[]>> {
  const tables = await sql<{ name: string }[]>`
    select table_name as name from information_schema.tables
    where table_schema = 'public' and table_type = 'BASE TABLE' order by table_name`;
  const rows: Record<string, string[]> = {};
  for (const { name } of tables) {
    const stored = await sql<{ row: string }[]>`select to_jsonb(t)::text as row from ${sql(name)} t order by 1`;
    rows[name] = stored.map(({ row }) => row);
  }
  return rows;
}

interface Dump {
  readonly tables: readonly { readonly name: string; readonly columns: string; readonly rows: Buffer }[];
  readonly sequences: readonly { readonly name: string; readonly last: string | null }[];
}

/** All rows, and how far the sequences have come: what `pg_dump --data-only` writes. */
async function dumpOf(sql: Sql): Promise<Dump> {
  const tables = await sql<{ name: string; columns: string }[]>`
    select c.relname as name, string_agg(quote_ident(a.attname), ', ' order by a.attnum) as columns
    from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
    where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' group by c.relname order by c.relname`;
  const read = async ({ name, columns }: (typeof tables)[number]): Promise<Dump['tables'][number]> => {
    const chunks: Buffer[] = [];
    const stream = await sql.unsafe(`copy public.${name} (${columns}) to stdout`).readable();
    for await (const chunk of stream) chunks.push(chunk as Buffer);
    return { name, columns, rows: Buffer.concat(chunks) };
  };
  const found: Dump['tables'][number][] = [];
  for (const table of tables) found.push(await read(table));
  const sequences = await sql<{ name: string; last: string | null }[]>`
    select quote_ident(sequencename) as name, last_value::text as last from pg_sequences where schemaname = 'public'`;
  return { tables: found, sequences: [...sequences] };
}

/** As `pg_restore` does: no trigger is at work, and nothing is found by the search path. */
async function restore(url: string, { tables, sequences }: Dump): Promise<void> {
  const session = openSql(url, { max: 1 });
  try {
    await session.unsafe(`set session_replication_role = replica; set search_path = ''`);
    await session.unsafe(`truncate ${tables.map(({ name }) => `public.${name}`).join(', ')}`);
    for (const { name, columns, rows } of tables) {
      const stream = await session.unsafe(`copy public.${name} (${columns}) from stdin`).writable();
      await pipeline(Readable.from([rows]), stream);
    }
    for (const { name, last } of sequences)
      if (last !== null) await session.unsafe(`select setval('public.${name}', ${last})`);
  } finally {
    await closeSql(session);
  }
}

function sinkInto(said: string[]): Writable {
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      said.push(chunk.toString());
      done();
    },
  });
}

const reasons = ({ chains }: Verified): unknown[] => chains.map(({ chain, reason }) => [chain, reason]);
const WHOLE = [
  ['AUDIT_LOG', null],
  ['FUND_LEDGER', null],
  ['DELEVERAGE', null],
];

describe('a backup', () => {
  it('is restored into an empty place: all rows, whole chains, the book made anew, and laps go on', async () => {
    const said: string[] = [];
    const first = await serve('data');
    await deployMigrations(first.url, path.join(packageRoot, 'prisma/migrations'));
    await playCrash(first.sql);
    await addAuditEntry(first.sql, 'before');
    await exportTo(first.sql, 'heads-before.json');
    const before = await everything(first.sql);
    expect(before['deleverage_leg']?.length).toBeGreaterThan(0);
    await server?.stop();
    copy('data', 'backup');

    // What comes after the backup is lost with the machine. A process that goes on has seen it.
    const lost = await serve('data');
    expect(lost.url).toBe(first.url);
    await contributeToFund(lost.sql, { id: 'lost', fundId: 'fund', amount: '7' });
    await exportTo(lost.sql, 'heads-lost.json');
    const followed = connect(first.url);
    const follower = new BookFollower({ sql: followed, log: createLog('warn', sinkInto(said)) });
    const lostBook = toldWhole(await follower.refresh());
    const seen = await readHistoryPlace(followed);
    await server?.stop();
    await rm(at('data'), { recursive: true });

    copy('backup', 'data');
    beginAnotherTimeline('data');
    const restored = await serve('data');
    expect(restored.url).toBe(first.url);
    expect(await everything(restored.sql)).toEqual(before);
    await assertInvariants(restored.sql);
    expect(reasons(await verifyChains(restored.sql, { head: at('heads-before.json') }))).toEqual(WHOLE);
    // A head that was exported later tells what the backup did not have.
    expect(reasons(await verifyChains(restored.sql, { head: at('heads-lost.json') }))).toEqual([
      ['AUDIT_LOG', null],
      ['FUND_LEDGER', 'TAIL_CUT'],
      ['DELEVERAGE', null],
    ]);

    // Numbers of transactions alone would not tell: the restored server has given out more of them meanwhile.
    while (BigInt((await readHistoryPlace(restored.sql)).xmax) <= BigInt(seen.xmax))
      await restored.sql`select pg_current_xact_id()`;
    expect(said).toEqual([]);
    const book = toldWhole(await follower.refresh());
    expect(said.join('')).toContain('another history of the database: the book is made anew');
    expect(book).toBe(toldWhole(await takeAnew(restored.sql)));
    expect(book).not.toBe(lostBook);

    // Sent again, as the feed is after a restore, what was lost is recorded.
    await contributeToFund(restored.sql, { id: 'lost', fundId: 'fund', amount: '7' });
    expect(toldWhole(await follower.refresh())).toBe(lostBook);
    expect(await runLap(restored.sql, { worker: 'test', at: instant('21:14:01') })).toMatchObject({ kind: 'RAN' });
    expect(reasons(await verifyChains(restored.sql, { head: at('heads-before.json') }))).toEqual(WHOLE);
    await assertInvariants(restored.sql);
  });

  it('of rows alone is restored into an empty server, which has given out fewer numbers of transactions', async () => {
    const first = await serve('dumped');
    await deployMigrations(first.url, path.join(packageRoot, 'prisma/migrations'));
    // As long as the new server will have lived by the end of this test, and longer.
    for (let i = 0; i < 2000; i++) await first.sql`select pg_current_xact_id()`;
    await playCrash(first.sql);
    await addAuditEntry(first.sql, 'before');
    await exportTo(first.sql, 'heads-dumped.json');
    const dump = await dumpOf(first.sql);
    const before = await everything(first.sql);
    const book = toldWhole(await takeAnew(first.sql));
    await server?.stop();

    const restored = await serve('restored');
    await deployMigrations(restored.url, path.join(packageRoot, 'prisma/migrations'));
    await restore(restored.url, dump);
    expect(await everything(restored.sql)).toEqual(before);
    const said: string[] = [];
    const log = createLog('warn', sinkInto(said));
    const opened = await openDatabase({ config: { databaseUrl: restored.url, dataDir: at('none') }, log });
    await opened.stop();
    expect(said.join('')).toContain('marked anew');
    expect(reasons(await verifyChains(restored.sql, { head: at('heads-dumped.json') }))).toEqual(WHOLE);
    await assertInvariants(restored.sql);

    const follower = new BookFollower({ sql: connect(restored.url), log });
    expect(toldWhole(await follower.refresh())).toBe(book);
    // Nobody is found changed for ever.
    const { xmin } = await readHistoryPlace(restored.sql);
    expect(await restored.sql`select id from account where changed_in >= ${xmin}::text::xid8`).toEqual([]);
    expect(await runLap(restored.sql, { worker: 'test', at: instant('21:14:01') })).toMatchObject({ kind: 'RAN' });
    await contributeToFund(restored.sql, { id: 'after', fundId: 'fund', amount: '7' });
    expect(toldWhole(await follower.refresh())).toBe(toldWhole(await takeAnew(restored.sql)));
    await assertInvariants(restored.sql);
  });

  async function exportTo(sql: Sql, name: string): Promise<void> {
    await exportHeads(await verifyChains(sql), (text) => writeNewFile(at(name), text));
  }
});
