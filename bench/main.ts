/** `npm run bench`: measures, checks what it measured, and writes docs/benchmarks.md. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { packageRoot } from '../src/config.js';
import { closeSql, openSql } from '../src/db/connect.js';
import { startEmbedded, type EmbeddedServer } from '../src/db/embedded.js';
import { deployMigrations } from '../src/db/migrate.js';
import { generateVenue } from '../src/generate/generate.js';
import { buildInto } from './as-built.js';
import { measureBook } from './book-times.js';
import { measureCrash } from './crash.js';
import { measureLaps } from './laps.js';
import { writeReport, type SizeReport } from './report.js';
import { measureService } from './served.js';

const { values } = parseArgs({
  options: {
    positions: { type: 'string', default: '10000' },
    seed: { type: 'string', default: '1' },
    out: { type: 'string', default: 'docs/benchmarks.md' },
  },
});
const sizes = values.positions.split(',').map((text) => Number.parseInt(text, 10));
const seed = Number.parseInt(values.seed, 10);
/** A crash is measured on a venue of its own: not larger, or making it takes longer than everything else together. */
const LARGEST_CRASH = 100_000;
const POSITIONS_PER_DOOMED = 100;
/** About twenty legs each. */
const MOST_DOOMED = 500;

const folder = await mkdtemp(path.join(tmpdir(), 'backstop-bench-'));
// With syncing to disk, as in service: committed means committed.
const program = await buildInto(path.join(folder, 'built'));
const server = await startEmbedded({ dataDir: path.join(folder, 'postgres'), database: 'bench' });
try {
  const reports: SizeReport[] = [];
  for (const positions of sizes) reports.push(await measureSize(server, positions));
  await writeReport(reports, { seed, postgres: server.version, out: path.resolve(packageRoot, values.out) });
} finally {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
}
process.exit();

async function measureSize(database: EmbeddedServer, positions: number): Promise<SizeReport> {
  const crashSize = Math.min(positions, LARGEST_CRASH);
  const crashing = await emptyDatabase(database, 'crash');
  tell(`${String(positions)} positions: a crash`);
  const crash = await measureCrash(database, crashing, {
    positions: crashSize,
    doomed: Math.min(crashSize / POSITIONS_PER_DOOMED, MOST_DOOMED),
    seed,
  });
  const venue = await emptyDatabase(database, 'venue');
  tell('generating');
  const sql = openSql(venue, { max: 1 });
  const made = await generateVenue(sql, { positions, seed });
  await sql`analyze`;
  await closeSql(sql);
  tell('laps');
  const laps = await measureLaps(venue);
  tell('the book');
  const book = await measureBook(venue);
  tell('the service');
  const service = await measureService(venue, program);
  return { positions, accounts: made.accounts, crash, laps, book, service };
}

async function emptyDatabase(database: EmbeddedServer, name: string): Promise<string> {
  const admin = openSql(database.urlOf('postgres'), { max: 1 });
  await admin`drop database if exists ${admin(name)} with (force)`;
  await admin`create database ${admin(name)}`;
  await closeSql(admin);
  const url = database.urlOf(name);
  await deployMigrations(url, path.join(packageRoot, 'prisma/migrations'));
  return url;
}

function tell(what: string): void {
  process.stderr.write(`${what} …\n`);
}
