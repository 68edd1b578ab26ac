import type { AccessSettings } from './access/settings.js';
import { createVerifier } from './access/verify.js';
import { BookFollower } from './book/follower.js';
import { SelfCheck } from './book/self-check.js';
import { Sweeper } from './book/sweeper.js';
import type { Config, Role } from './config.js';
import { closeSql, openSql, type Sql } from './db/connect.js';
import { listenForChanges } from './db/listen.js';
import { openPrisma } from './db/prisma.js';
import { readDataInstant } from './db/standby.js';
import { runLap } from './engine/run-lap.js';
import type { Clients, RunJob } from './graphql/context.js';
import { createServer } from './graphql/server.js';
import { engineName, handName } from './jobs/duty.js';
import { createEngineServer } from './jobs/engine-server.js';
import { Retention } from './jobs/retention.js';
import { JobRunner } from './jobs/runner.js';
import { ChainSealer } from './jobs/sealer.js';
import { Metrics } from './operations/metrics.js';
import { watchDatabase } from './operations/watch-database.js';
import { BOOK_CONNECTIONS, openStandby } from './standby.js';
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
  readonly config: Pick<Config, 'host' | 'port' | 'corsOrigins' | 'limits' | 'metricsToken'> &
    Partial<Pick<Config, 'retentionDays'>>;
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
    const metrics = new Metrics();
    metrics.watchProcess();
    watchDatabase(metrics, jobSql);
    const sweeper = new Sweeper((seconds) => {
      metrics.swept(seconds);
    });
    closers.push(() => sweeper.stop());
    const api = role === 'engine' ? undefined : await makeApi(options, { role, jobSql, sweeper, metrics }, closers);
    const books = api?.books ?? new BookFollower({ sql: jobSql, log, sweeper });
    const memory = { books };
    const runner =
      role === 'api' ? undefined : new JobRunner({ sql: jobSql, log, worker: engineName, memory, metrics });
    const listening = await listenForChanges(jobSql, (kind) => {
      api?.hint();
      if (kind !== 'lap') runner?.hint(kind !== 'reconnected');
    });
    closers.push(() => listening.stop());
    const selfCheck = api?.selfCheck ?? new SelfCheck({ book: books, log });
    selfCheck.start();
    closers.push(() => selfCheck.stop());
    const { metricsToken } = config;
    const server: Server =
      api?.server ?? createEngineServer({ sql: jobSql, name: engineName, selfCheck, metrics, metricsToken });
    closers.push(() => server.stop());
    if (runner !== undefined) {
      runner.start();
      closers.push(() => runner.stop());
      const sealer = new ChainSealer({ sql: jobSql, log });
      sealer.start();
      closers.push(() => sealer.stop());
      const retention = new Retention({ sql: jobSql, log, days: config.retentionDays });
      retention.start();
      closers.push(() => retention.stop());
    }
    return { url: await server.listen({ host: config.host, port: config.port }), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

interface Api {
  readonly server: Server;
  readonly selfCheck: SelfCheck;
  /** Something has been committed on the primary. */
  hint(): void;
  /** The book that laps go on from, and that they bring up to date as well; undefined: it follows a standby. */
  readonly books: BookFollower | undefined;
}

/** What the API and the job both use. */
interface Shared {
  readonly role: Exclude<Role, 'engine'>;
  readonly jobSql: Sql;
  readonly sweeper: Sweeper;
  readonly metrics: Metrics;
}

async function makeApi(
  { databaseUrl, readUrl, config, access, log, onProgress }: AppOptions,
  { role, jobSql, sweeper, metrics }: Shared,
  closers: Closers,
): Promise<Api> {
  const statementTimeoutMs = config.limits.requestTimeoutMs;
  const options = { applicationName: 'backstop-api', statementTimeoutMs };
  const primary: Clients = { sql: openSql(databaseUrl, options), prisma: openPrisma(databaseUrl, options) };
  // No limit of a request ends what is nobody's request.
  const primaryBookSql = openSql(databaseUrl, { max: BOOK_CONNECTIONS, applicationName: 'backstop-book' });
  closers.push(
    () => closeSql(primary.sql),
    () => primary.prisma.$disconnect(),
    () => closeSql(primaryBookSql),
  );
  const standby =
    readUrl === undefined ? undefined : await openStandby(readUrl, primaryBookSql, { log, statementTimeoutMs });
  if (standby !== undefined) closers.push(() => standby.stop());
  const { sql, prisma } = standby ?? primary;
  const bookSql = standby?.bookSql ?? primaryBookSql;
  const onTaken = (seconds: number): void => {
    metrics.tookBook(seconds);
  };
  const book = new BookFollower({ sql: bookSql, log, sweeper, onTaken, ...(onProgress && { onProgress }) });
  await book.start();
  closers.push(() => book.stop());
  const selfCheck = new SelfCheck({ book, log });
  const hint = (): void => {
    book.hint();
  };
  const books = standby === undefined ? book : undefined;
  const ofLaps = books ?? new BookFollower({ sql: jobSql, log, sweeper });
  const runJob: RunJob = (dryRun, company) =>
    runLap(jobSql, { worker: handName, dryRun, company, memory: { books: ofLaps } });
  const verify = createVerifier(access);
  if (standby !== undefined) {
    metrics.onCollect(async ({ replicationLag }) => {
      replicationLag.remove();
      replicationLag.set((await readDataInstant(bookSql)).lagMs / 1000);
    });
  }
  const { corsOrigins, limits, metricsToken } = config;
  const parts = { role, sql, prisma, log, runJob, selfCheck, verify, corsOrigins, limits, metrics, metricsToken };
  if (standby === undefined) return { server: await createServer({ ...parts, book }), hint, books, selfCheck };
  const server = await createServer({ ...parts, primary, book: standby.readingOwnWrites(book) });
  return { server, hint: standby.delay(hint), books, selfCheck };
}
