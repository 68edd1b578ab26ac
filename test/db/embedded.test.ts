import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { packageRoot } from '../../src/config.js';
import { closeSql, openSql } from '../../src/db/connect.js';
import { startEmbedded } from '../../src/db/embedded.js';
import type { EmbeddedServer } from '../../src/db/embedded.js';
import { messageOf } from '../../src/errors.js';
import { bundleInPlace } from '../support/children.js';

describe('the embedded PostgreSQL', () => {
  /** Data of a first start, made once: making them is what takes long. */
  let seed: string;
  let program: string;
  let folder: string;
  let dataDir: string;
  let servers: EmbeddedServer[];
  let children: ChildProcess[];

  beforeAll(async () => {
    seed = await mkdtemp(path.join(os.tmpdir(), 'backstop-embedded-'));
    await chmod(seed, 0o755);
    await (
      await startEmbedded({ dataDir: path.join(seed, 'postgres'), database: 'backstop', unsafeFast: true })
    ).stop();
    program = await bundleInPlace('embedded', "import './test/support/embedded-process.ts';");
  });

  afterAll(() => rm(seed, { recursive: true, force: true }));

  beforeEach(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'backstop-embedded-'));
    await chmod(folder, 0o755);
    dataDir = path.join(folder, 'postgres');
    servers = [];
    children = [];
  });

  afterEach(async () => {
    for (const child of children) child.kill('SIGKILL');
    await Promise.all(servers.map((server) => server.stop()));
    await rm(folder, { recursive: true, force: true, maxRetries: 50, retryDelay: 100 });
  });

  async function start({ unsafeFast = true } = {}): Promise<EmbeddedServer> {
    const server = await startEmbedded({ dataDir, database: 'backstop', unsafeFast });
    servers.push(server);
    return server;
  }

  /** The data folder as a clean stop left it. Keeps the owner, who may be another user than we are. */
  function plantSeed(): void {
    execFileSync('cp', ['-a', path.join(seed, 'postgres'), dataDir]);
  }

  /** Starts it in a process of its own, and returns that process with the server's URL. */
  async function startElsewhere(): Promise<{ child: ChildProcess; url: string; next: () => Promise<string> }> {
    const child = spawn(process.execPath, [program, dataDir, 'backstop'], {
      cwd: packageRoot,
      detached: true,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    children.push(child);
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const next = async (): Promise<string> => String((await lines.next()).value);
    return { child, url: (await next()).replace('url ', ''), next };
  }

  it('starts, stops, and finds its data and its port again', async () => {
    const first = await start();
    expect(first).toMatchObject({ owned: true, dataDir, version: expect.stringMatching(/^18\./) });
    await run(first.url, 'create table note as select 1 as id');
    await first.stop();
    expect(await answers(first.url)).toBe(false);

    const second = await start();
    expect(second.url).toBe(first.url);
    expect(await run(second.url, 'select id from note')).toEqual([{ id: 1 }]);
  });

  it('keeps its password to its own user', async () => {
    plantSeed();
    const server = await start();
    const wrong = new URL(server.url);
    wrong.password = 'guess';
    expect(await answers(wrong.href)).toBe(false);
    expect(await answers(server.url)).toBe(true);
  });

  it('is one server when several start at once', async () => {
    const all = await Promise.all([start(), start(), start(), start()]);
    expect(all.filter((server) => server.owned)).toHaveLength(1);
    expect(new Set(all.map((server) => server.url)).size).toBe(1);
  });

  it('ends with its process, however that is killed, and has lost no commit afterwards', async () => {
    plantSeed();
    const { child, url } = await startElsewhere();
    await run(url, 'create table note as select 1 as id');
    child.kill('SIGKILL');
    await until(async () => !(await answers(url)));
    expect(await run((await start()).url, 'select id from note')).toEqual([{ id: 1 }]);
  });

  it('is not reached by Ctrl-C, so that the service can end what it began', async () => {
    plantSeed();
    const { child, url, next } = await startElsewhere();
    // A terminal signals the whole process group.
    process.kill(-(child.pid ?? Number.NaN), 'SIGINT');
    expect(await next()).toBe('answer 42');
    await until(async () => !(await answers(url)));
  });

  it('comes back on the same port, with every commit, after the server itself was killed', async () => {
    plantSeed();
    const server = await start({ unsafeFast: false });
    const sql = openSql(server.url, { max: 1 });
    await sql`create table note as select 1 as id`;
    process.kill(await postmasterPid(dataDir), 'SIGKILL');
    await until(() => answers(server.url));
    expect([...(await sql`select id from note`)]).toEqual([{ id: 1 }]);
    await closeSql(sql);
  });

  it('is taken over when the process that had started it ends', async () => {
    plantSeed();
    const { child, url } = await startElsewhere();
    const server = await start();
    expect(server).toMatchObject({ owned: false, url });
    child.kill('SIGKILL');
    await until(() => Promise.resolve(server.owned));
    expect(await answers(url)).toBe(true);
  });

  it('minds no file of a dead server whose number went to another program', async () => {
    plantSeed();
    const lines = [process.pid, dataDir, 0, 5432, '', '127.0.0.1', 'ready'];
    await writeFile(path.join(dataDir, 'postmaster.pid'), `${lines.join('\n')}\n`);
    expect((await start()).owned).toBe(true);
  });

  it('refuses the data of another major version in one sentence', async () => {
    plantSeed();
    await writeFile(path.join(dataDir, 'PG_VERSION'), '17\n');
    expect(await refusalOf(start())).toBe(
      `The data in ${dataDir} are of PostgreSQL 17, and this Backstop brings PostgreSQL 18: move that folder away to start afresh, or set BACKSTOP_DATA_DIR to another.`,
    );
  });

  it('refuses a folder that holds something else, and leaves it as it was', async () => {
    await mkdir(dataDir);
    await writeFile(path.join(dataDir, 'letter.txt'), 'dear');
    expect(await refusalOf(start())).toBe(
      `The folder ${dataDir} is not empty and holds no data of Backstop: set BACKSTOP_DATA_DIR to another.`,
    );
    expect(await readFile(path.join(dataDir, 'letter.txt'), 'utf8')).toBe('dear');
  });

  it('says where the data went if the folder is out of reach of the user it must run as', async () => {
    await chmod(folder, 0o700);
    const server = await start();
    try {
      // Only root runs it as another user.
      if (process.getuid?.() === 0) expect(server.dataDir).toMatch(/^\/var\/lib\/backstop\/data-[0-9a-f]{12}$/);
      else expect(server.dataDir).toBe(dataDir);
      expect(await answers(server.url)).toBe(true);
    } finally {
      await server.stop();
      await rm(server.dataDir, { recursive: true, force: true });
    }
  });
});

async function run(url: string, statement: string): Promise<unknown[]> {
  const sql = openSql(url, { max: 1 });
  try {
    return [...(await sql.unsafe(statement))];
  } finally {
    await closeSql(sql);
  }
}

async function answers(url: string): Promise<boolean> {
  return run(url, 'select 1').then(
    () => true,
    () => false,
  );
}

async function postmasterPid(dataDir: string): Promise<number> {
  return Number.parseInt(await readFile(path.join(dataDir, 'postmaster.pid'), 'utf8'), 10);
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(50);
}

async function refusalOf(started: Promise<unknown>): Promise<string> {
  return started.then(() => 'started', messageOf);
}
