/** One PostgreSQL server over the data folder: ours, or one that another process started first. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createServer } from 'node:net';
import path from 'node:path';
import type { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { BackstopError } from '../errors.js';
import { closeSql, openSql } from './connect.js';
import { programName, run } from './embedded-binaries.js';
import type { Binaries, RunAs } from './embedded-binaries.js';
import { findPostmaster, lastPort, plainEnvironment, SUPERUSER } from './embedded-cluster.js';

export interface Cluster {
  readonly dataDir: string;
  readonly binaries: Binaries;
  readonly user: RunAs;
  readonly secret: string;
  readonly unsafeFast: boolean;
  readonly log: (line: string) => void;
}

export interface Running {
  readonly port: number;
  /** False: another process started it, and it ends with that process. */
  readonly owned: boolean;
  isGone(): Promise<boolean>;
  stop(): Promise<void>;
}

const START_MS = 60_000;
/** A server that another process is starting, or that is still going down after a kill, is waited for so long. */
const OTHERS_MS = 15_000;
const POLL_MS = 50;
const RETRY_MS = 200;
const STOP_MS = 30_000;
const CONNECTIONS = 100;
const LOG_TAIL = 4000;

/**
 * The shell becomes the server (exec), so that its process id is the server's. Before that it leaves a watcher behind,
 * a grandchild that the server does not know: it reads from a pipe whose other end only we hold. End of file means that
 * we are gone, however we went, and it shuts the server down; a line means that the server is gone already.
 */
const LAUNCH = '( { read -r gone <&3 || kill -INT $$; } >/dev/null 2>&1 & ); exec "$0" "$@" </dev/null 3<&-';

/** Several processes may start at once: one server comes of it, and the others use it. */
export async function adoptOrLaunch(cluster: Cluster): Promise<Running> {
  const until = Date.now() + OTHERS_MS;
  for (;;) {
    const theirs = await adopt(cluster);
    if (theirs !== undefined) return theirs;
    const launched = await launch(cluster, await lastPort(cluster.dataDir));
    if (!(launched instanceof LaunchFailure)) return launched;
    if (!launched.mayPass || Date.now() > until) {
      throw new BackstopError(
        'SETUP',
        `The embedded PostgreSQL did not start in ${cluster.dataDir}: ${launched.reason}`,
      );
    }
    await sleep(RETRY_MS);
  }
}

async function adopt(cluster: Cluster): Promise<Running | undefined> {
  const postmaster = await findPostmaster(cluster.dataDir);
  if (postmaster === undefined || !(await answers(urlOn(cluster, postmaster.port, 'postgres')))) return undefined;
  return {
    port: postmaster.port,
    owned: false,
    isGone: async () => (await findPostmaster(cluster.dataDir))?.pid !== postmaster.pid,
    stop: () => Promise.resolve(),
  };
}

class LaunchFailure {
  readonly reason: string;
  /** The port was taken, or another server has or had the folder a moment ago. */
  readonly mayPass: boolean;

  constructor(tail: string) {
    const told = tail.split('\n').filter((line) => /FATAL|HINT|PANIC/.test(line));
    this.reason = told.length > 0 ? told.join(' ') : tail.trim();
    this.mayPass = /could not bind|Address already in use|postmaster\.pid|shared memory block/.test(tail);
  }
}

async function launch(cluster: Cluster, wishedPort: number | undefined): Promise<Running | LaunchFailure> {
  const port = await freePort(wishedPort);
  const child = spawnServer(cluster, port);
  let tail = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    tail = (tail + text).slice(-LOG_TAIL);
    for (const line of text.split('\n')) if (line !== '') cluster.log(line);
  });
  const state = { gone: false };
  const gone = new Promise<void>((resolve) => {
    const settle = (): void => {
      state.gone = true;
      releaseWatcher(child);
      resolve();
    };
    child.once('exit', settle).once('error', settle);
  });
  const until = Date.now() + START_MS;
  while (!(await answers(urlOn(cluster, port, 'postgres')))) {
    if (state.gone) {
      // Its last words may still be on their way.
      await sleep(POLL_MS);
      return new LaunchFailure(tail);
    }
    if (Date.now() > until) {
      await stopServer(cluster, child, gone);
      return new LaunchFailure(`FATAL: it did not answer within ${START_MS / 1000} seconds\n${tail}`);
    }
    await sleep(POLL_MS);
  }
  return {
    port,
    owned: true,
    isGone: () => Promise.resolve(state.gone),
    stop: () => (state.gone ? gone : stopServer(cluster, child, gone)),
  };
}

function spawnServer({ dataDir, binaries, user, unsafeFast }: Cluster, port: number): ChildProcess {
  const program = path.join(binaries.folder, programName('postgres'));
  const settings = ['listen_addresses=127.0.0.1', 'unix_socket_directories=', `max_connections=${CONNECTIONS}`];
  if (unsafeFast) settings.push('fsync=off', 'synchronous_commit=off', 'full_page_writes=off');
  const words = ['-D', dataDir, '-p', String(port), ...settings.flatMap((setting) => ['-c', setting])];
  const env = plainEnvironment();
  if (process.platform === 'win32')
    return spawn(program, words, { cwd: dataDir, env, stdio: ['ignore', 'ignore', 'pipe'] });
  // A session of its own: Ctrl-C in the terminal reaches us alone, and we end the server after what is in flight.
  return spawn('/bin/sh', ['-c', LAUNCH, program, ...words], {
    ...user,
    cwd: dataDir,
    env,
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
  });
}

function releaseWatcher(child: ChildProcess): void {
  const pipe = child.stdio[3] as Writable | null | undefined;
  pipe?.on('error', () => undefined);
  pipe?.end('gone\n');
}

/** Fast: open transactions are rolled back, the data written out. A server that does not end so is cut off, and recovers. */
async function stopServer(cluster: Cluster, child: ChildProcess, gone: Promise<void>): Promise<void> {
  if (process.platform === 'win32') {
    await run(path.join(cluster.binaries.folder, programName('pg_ctl')), ['stop', '-D', cluster.dataDir, '-m', 'fast']);
  } else {
    child.kill('SIGINT');
  }
  const timer = setTimeout(() => child.kill('SIGQUIT'), STOP_MS);
  await gone;
  clearTimeout(timer);
}

export function urlOn(cluster: Cluster, port: number, database: string): string {
  return `postgresql://${SUPERUSER}:${cluster.secret}@127.0.0.1:${port}/${database}`;
}

/** The wished port if it is free, else one that the system picks. */
async function freePort(wished: number | undefined): Promise<number> {
  if (wished !== undefined && (await tryPort(wished)) !== undefined) return wished;
  const port = await tryPort(0);
  if (port === undefined) throw new BackstopError('SETUP', 'No port is free on 127.0.0.1 for the embedded PostgreSQL.');
  return port;
}

function tryPort(wished: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => {
      resolve(undefined);
    });
    probe.listen(wished, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => {
        resolve(address !== null && typeof address === 'object' ? address.port : undefined);
      });
    });
  });
}

async function answers(url: string): Promise<boolean> {
  const sql = openSql(url, { max: 1, applicationName: 'backstop-start' });
  const answered = await sql`select 1`.then(
    () => true,
    () => false,
  );
  // A server on its way down may cut the goodbye short as well.
  await closeSql(sql).catch(() => undefined);
  return answered;
}
