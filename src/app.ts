import type { AccessSettings } from './access/settings.js';
import { createVerifier } from './access/verify.js';
import { BookFollower } from './book/follower.js';
import { SelfCheck } from './book/self-check.js';
import { Sweeper } from './book/sweeper.js';
import type { TakenBook } from './book/take-book.js';
import type { Config, Role } from './config.js';
import { withLapsOf } from './checked-memory.js';
import { closeSql, openSql, type Sql } from './db/connect.js';
import { listenForChanges } from './db/listen.js';
import { openPrisma } from './db/prisma.js';
import { runLap, type LapMemory, type LapResult } from './engine/run-lap.js';
import type { Clients } from './graphql/context.js';
import { createServer } from './graphql/server.js';
import { engineName, handName } from './jobs/duty.js';
import { createEngineServer } from './jobs/engine-server.js';
import { JobRunner } from './jobs/runner.js';
import { openStandby } from './standby.js';
import type { Log } from './telemetry.js';

export interface App {
  /** Where GraphQL is served; of an engine, where its health is. */
  readonly url: string;
  stop(): Promise<void>;
}

export interface AppOptions {
  readonly databaseUrl: string;
  /** A standby of it, from which queries are answered. */
  readonly readUrl?: string | undefined;
  readonly config: Pick<Config, 'host' | 'port' | 'corsOrigins'>;
  /** By which keys those who ask are judged. */
  readonly access: AccessSettings;
  readonly log: Log;
  readonly role?: Role;
  /** Told of the accounts of the first book as they are read. */
  readonly onProgress?: (accounts: number) => void;
}

/** What is running, to be ended in the reverse order. */
type Closers = (() => Promise<void>)[];

interface Server {
  listen(options: Pick<Config, 'host' | 'port'>): Promise<string>;
  stop(): Promise<void>;
}

/** Wires the rooms by hand: one database, a book that follows it, the job, and the API on top; or a part of that. */
export async function startApp(options: AppOptions): Promise<App> {
  const { databaseUrl, config, log, role = 'all' } = options;
  const closers: Closers = [];
  const stop = async (): Promise<void> => {
    for (const close of closers.splice(0).reverse()) await close();
  };
  try {
    // The job has connections of its own, so that no burst of queries makes a lap wait for one.
    const jobSql = openSql(databaseUrl, { max: 3, applicationName: 'backstop-engine' });
    closers.push(() => closeSql(jobSql));
    const sweeper = new Sweeper();
    closers.push(() => sweeper.stop());
    // One memory for both: what the API's book has read, the first lap need not read again.
    const memory: Mutable<LapMemory> = { sweeper };
    const api = role === 'engine' ? undefined : await makeApi(options, jobSql, memory, closers);
    if (api !== undefined) memory.first = api.taken;
    const runner = role === 'api' ? undefined : new JobRunner({ sql: jobSql, log, worker: engineName, memory });
    const listening = await listenForChanges(jobSql, (kind) => {
      api?.hint();
      if (kind !== 'lap') runner?.hint(kind !== 'reconnected');
    });
    closers.push(() => listening.stop());
    const server: Server = api?.server ?? createEngineServer(jobSql, engineName);
    closers.push(() => server.stop());
    if (runner !== undefined) {
      runner.start();
      closers.push(() => runner.stop());
    }
    return { url: await server.listen({ host: config.host, port: config.port }), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

interface Api {
  readonly server: Server;
  /** Something has been committed on the primary. */
  hint(): void;
  /** The newest book. */
  readonly taken: () => TakenBook;
}

async function makeApi(
  { databaseUrl, readUrl, config, access, log, onProgress }: AppOptions,
  jobSql: Sql,
  memory: LapMemory,
  closers: Closers,
): Promise<Api> {
  const { sweeper } = memory;
  const primary: Clients = {
    sql: openSql(databaseUrl, { applicationName: 'backstop-api' }),
    prisma: openPrisma(databaseUrl),
  };
  closers.push(
    () => closeSql(primary.sql),
    () => primary.prisma.$disconnect(),
  );
  const standby = readUrl === undefined ? undefined : await openStandby(readUrl, primary.sql, log);
  if (standby !== undefined) closers.push(() => standby.stop());
  const { sql, prisma } = standby ?? primary;
  const book = new BookFollower({ sql, log, ...(sweeper && { sweeper }), ...(onProgress && { onProgress }) });
  await book.start();
  closers.push(() => book.stop());
  const selfCheck = new SelfCheck({ book: withLapsOf(book, memory), log });
  selfCheck.start();
  closers.push(() => selfCheck.stop());
  const hint = (): void => {
    book.hint();
  };
  const taken = (): TakenBook => book.taken();
  const runJob = (dryRun: boolean): Promise<LapResult> =>
    runLap(jobSql, { worker: handName, dryRun, memory: { first: taken, ...(sweeper && { sweeper }) } });
  const verify = createVerifier(access);
  const parts = { sql, prisma, log, runJob, selfCheck, verify, corsOrigins: config.corsOrigins };
  if (standby === undefined) return { server: await createServer({ ...parts, book }), hint, taken };
  const server = await createServer({ ...parts, primary, book: standby.readingOwnWrites(book) });
  return { server, hint: standby.delay(hint), taken };
}
