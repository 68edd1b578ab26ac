/**
 * `npm run simulate -- --seed N --laps M [--stories S]`: the stories of test/simulate for longer, on a PostgreSQL of
 * their own. One that goes wrong prints its seed and the fewest laps that show it, and ends with 1.
 */
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { packageRoot } from '../src/config.js';
import { closeSql, openSql } from '../src/db/connect.js';
import { startEmbedded, type EmbeddedServer } from '../src/db/embedded.js';
import { deployMigrations } from '../src/db/migrate.js';
import { playStory, StoryBroke, storyOf, type Story, type Told } from './simulate/simulation.js';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    laps: { type: 'string', default: '20' },
    stories: { type: 'string', default: '1' },
  },
});
const [seed, laps, stories] = [values.seed, values.laps, values.stories].map((text) => Number.parseInt(text, 10));
if (seed === undefined || !(laps !== undefined && laps > 0) || !(stories !== undefined && stories > 0)) {
  throw new Error('--seed, --laps and --stories are whole numbers');
}

/** Databases made so far, for their names. */
let played = 0;

const folder = await mkdtemp(path.join(os.tmpdir(), 'backstop-simulate-'));
// Run by root, the server is another user, who must be able to pass through.
await chmod(folder, 0o755);
const server = await startEmbedded({
  dataDir: path.join(folder, 'postgres'),
  database: 'template_story',
  unsafeFast: true,
});
try {
  await deployMigrations(server.url, path.join(packageRoot, 'prisma/migrations'));
  for (let story = seed; story < seed + stories; story++) {
    const broke = await tell(server, story, laps);
    if (broke === undefined) continue;
    process.exitCode = 1;
    break;
  }
} finally {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
}

async function tell(on: EmbeddedServer, ofSeed: number, count: number): Promise<StoryBroke | undefined> {
  const story = storyOf(ofSeed, count);
  const end = await playOn(on, story, ofSeed);
  if (!(end instanceof StoryBroke)) {
    const { laps: ran, liquidations, events, badDebts } = end;
    console.log(
      `seed ${ofSeed}: ${ran} laps, ${liquidations} liquidations, ${events} deleveragings, ${badDebts} bad debts`,
    );
    return undefined;
  }
  console.log(`seed ${ofSeed} breaks in lap ${end.lap} of ${count}:`, end.cause);
  const left = await needless(on, story, ofSeed, end.lap);
  console.log(`the shortest part that shows it: laps ${left + 1} to ${end.lap} of`);
  console.log(`  npm run simulate -- --seed ${ofSeed} --laps ${count}`);
  return end;
}

/** How many of the first laps may be left out, found by leaving out one more until nothing breaks. */
async function needless(on: EmbeddedServer, { plan, twists }: Story, ofSeed: number, until: number): Promise<number> {
  for (let left = 1; left < until; left++) {
    const shorter = { plan: { ...plan, laps: plan.laps.slice(left, until) }, twists: twists.slice(left, until) };
    if (!((await playOn(on, shorter, ofSeed)) instanceof StoryBroke)) return left - 1;
  }
  return until - 1;
}

async function playOn(on: EmbeddedServer, story: Story, ofSeed: number): Promise<Told | StoryBroke> {
  played += 1;
  const name = `story_${ofSeed}_${played}`;
  const admin = openSql(on.urlOf('postgres'), { max: 1 });
  await admin`create database ${admin(name)} template template_story`;
  const sql = openSql(on.urlOf(name), { max: 4 });
  try {
    return await playStory(sql, story);
  } catch (error) {
    if (error instanceof StoryBroke) return error;
    throw error;
  } finally {
    await closeSql(sql);
    await admin`drop database ${admin(name)} with (force)`;
    await closeSql(admin);
  }
}
