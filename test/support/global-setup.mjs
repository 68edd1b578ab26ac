/** One PostgreSQL for the whole run, with a migrated template that each test's database is cloned from. */
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { tsImport } from 'tsx/esm/api';

const PREFIX = 'backstop-test-';

export default async function globalSetup() {
  await removeLeftovers();
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
  globalThis.backstopTestServer = { server, folder };
  process.env.BACKSTOP_TEST_ADMIN_URL = server.urlOf('postgres');
  const migrations = path.resolve(import.meta.dirname, '../../prisma/migrations');
  if (existsSync(migrations)) await deployMigrations(server.url, migrations);
}

/** The server ends with its run even when that is killed; its folder may stay, and the next run removes it. */
async function removeLeftovers() {
  for (const name of await readdir(os.tmpdir())) {
    const pid = Number.parseInt(name.slice(PREFIX.length), 10);
    if (name.startsWith(PREFIX) && pid > 0 && !isAlive(pid)) {
      await rm(path.join(os.tmpdir(), name), { recursive: true, force: true }).catch(() => undefined);
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
