/** One PostgreSQL for the whole run, with a migrated template that each test's database is cloned from. */
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, readdir, rm, statfs } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { tsImport } from 'tsx/esm/api';

const PREFIX = 'backstop-test-';
const MEMORY = '/dev/shm';
/** Several times what the databases of a run and the servers of single tests take at their most. */
const ROOM_BYTES = 4 * 1024 ** 3;

export default async function globalSetup() {
  await removeLeftovers();
  // Every database of a test is hundreds of files. In memory they are copied as files for little; on a disk by way of the log.
  const isRoom = await hasRoom(MEMORY);
  if (isRoom) process.env.TMPDIR = MEMORY;
  process.env.BACKSTOP_TEST_CLONE = isRoom ? 'file_copy' : 'wal_log';
  const folder = await mkdtemp(path.join(os.tmpdir(), `${PREFIX}${process.pid}-`));
  // Run by root, the server is another user, who must be able to pass through.
  await chmod(folder, 0o755);
  const { startEmbedded } = await tsImport('../../src/db/embedded.ts', import.meta.url);
  const { deployMigrations } = await tsImport('../../src/db/migrate.ts', import.meta.url);
  const server = await startEmbedded({
    dataDir: path.join(folder, 'postgres'),
    database: 'template_migrated',
    unsafeFast: true,
  });
  await cheapenLogins(server);
  process.env.BACKSTOP_TEST_RUN = String(process.pid);
  globalThis.backstopTestServer = { server, folder };
  process.env.BACKSTOP_TEST_ADMIN_URL = server.urlOf('postgres');
  const migrations = path.resolve(import.meta.dirname, '../../prisma/migrations');
  if (existsSync(migrations)) await deployMigrations(server.url, migrations);
}

/** Thousands of connections are opened: the password is hashed once for each of them, not 4,096 times on both sides. */
async function cheapenLogins({ url, urlOf }) {
  const { username, password } = new URL(url);
  const { closeSql, openSql } = await tsImport('../../src/db/connect.ts', import.meta.url);
  const sql = openSql(urlOf('postgres'), { max: 1 });
  await sql.unsafe(`set scram_iterations = 1; alter role ${username} password '${password}'`);
  await closeSql(sql);
}

/** Where there is no such place there is no room in it. */
async function hasRoom(place) {
  return statfs(place).then(
    ({ bavail, bsize }) => bavail * bsize >= ROOM_BYTES,
    () => false,
  );
}

/** The server ends with its run even when that is killed; its folder may stay, and the next run removes it. */
async function removeLeftovers() {
  for (const place of [os.tmpdir(), MEMORY]) {
    for (const name of await readdir(place).catch(() => [])) {
      const pid = Number.parseInt(name.slice(PREFIX.length), 10);
      if (name.startsWith(PREFIX) && pid > 0 && !isAlive(pid)) {
        await rm(path.join(place, name), { recursive: true, force: true }).catch(() => undefined);
      }
    }
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code !== 'ESRCH';
  }
}
