/** `npm run bench`: measures, checks what it measured, and writes docs/benchmarks.md. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { packageRoot } from '../src/config.js';
import { startEmbedded } from '../src/db/embedded.js';
import { deployMigrations } from '../src/db/migrate.js';
import { measureLaps } from './laps.js';
import { measurePanel } from './panel.js';
import { measureRanking } from './ranking.js';
import { writeReport } from './report.js';

const { values } = parseArgs({
  options: { positions: { type: 'string', default: '10000' }, seed: { type: 'string', default: '1' } },
});
const positions = Number.parseInt(values.positions, 10);
const seed = Number.parseInt(values.seed, 10);
const DOOMED = 100;

const folder = await mkdtemp(path.join(tmpdir(), 'backstop-bench-'));
// With syncing to disk, as in service: committed means committed.
const server = await startEmbedded({ dataDir: path.join(folder, 'postgres'), database: 'bench' });
try {
  await deployMigrations(server.url, path.join(packageRoot, 'prisma/migrations'));
  const size = { positions, doomed: DOOMED, seed };
  const laps = await measureLaps(server, size);
  const ranking = await measureRanking(server.urlOf('bench_idle'));
  const panel = await measurePanel(server.urlOf('bench_idle'), laps.accountIds);
  await writeReport({ positions, seed, postgres: server.version, laps, ranking, panel });
} finally {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
}
process.exit();
