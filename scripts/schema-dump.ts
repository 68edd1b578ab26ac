/** Writes prisma/structure.txt: what the migrations make, as text. Run it after each new migration. */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { packageRoot } from '../src/config.js';
import { closeSql, openSql } from '../src/db/connect.js';
import { startEmbedded } from '../src/db/embedded.js';
import { deployMigrations } from '../src/db/migrate.js';
import { describeStructure } from '../src/db/structure.js';

const folder = await mkdtemp(path.join(os.tmpdir(), 'backstop-dump-'));
await chmod(folder, 0o755);
const server = await startEmbedded({ dataDir: path.join(folder, 'postgres'), database: 'dump', unsafeFast: true });
try {
  await deployMigrations(server.url, path.join(packageRoot, 'prisma/migrations'));
  const sql = openSql(server.url, { max: 1 });
  await writeFile(path.join(packageRoot, 'prisma/structure.txt'), await describeStructure(sql));
  await closeSql(sql);
} finally {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
  if (!server.dataDir.startsWith(folder)) await rm(server.dataDir, { recursive: true, force: true });
}
