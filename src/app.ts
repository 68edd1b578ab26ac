import { hostname } from 'node:os';
import { BookFollower } from './book/follower.js';
import type { Config } from './config.js';
import { closeSql, openSql } from './db/connect.js';
import { listenForChanges } from './db/listen.js';
import { openPrisma } from './db/prisma.js';
import { runLap, type LapResult } from './engine/run-lap.js';
import { createServer } from './graphql/server.js';
import { JobRunner } from './jobs/runner.js';
import type { Log } from './telemetry.js';

export interface App {
  /** Where GraphQL is served. */
  readonly url: string;
  stop(): Promise<void>;
}

export interface AppOptions {
  readonly databaseUrl: string;
  readonly config: Pick<Config, 'host' | 'port'>;
  readonly log: Log;
  /** False: the API alone. The scheduled job then runs elsewhere. */
  readonly runsJobs?: boolean;
}

/** Wires the rooms by hand: one database, a book that follows it, the job, and the API on top. */
export async function startApp({ databaseUrl, config, log, runsJobs = true }: AppOptions): Promise<App> {
  const worker = `${hostname()}/${String(process.pid)}`;
  const sql = openSql(databaseUrl, { applicationName: 'backstop-api' });
  // The job has connections of its own, so that no burst of queries makes a lap wait for one.
  const jobSql = openSql(databaseUrl, { max: 3, applicationName: 'backstop-engine' });
  const prisma = openPrisma(databaseUrl);
  const book = new BookFollower({ sql, log });
  const runner = new JobRunner({ sql: jobSql, log, worker });
  const closers: (() => Promise<void>)[] = [() => closeSql(sql), () => closeSql(jobSql), () => prisma.$disconnect()];
  const stop = async (): Promise<void> => {
    for (const close of closers.splice(0).reverse()) await close();
  };
  try {
    await book.start();
    closers.push(() => book.stop());
    const listening = await listenForChanges(sql, (kind) => {
      book.hint();
      if (kind !== 'lap') runner.hint();
    });
    closers.push(() => listening.stop());
    const runJob = (dryRun: boolean): Promise<LapResult> => runLap(jobSql, { worker, dryRun });
    const server = await createServer({ sql, prisma, book, log, runJob });
    closers.push(() => server.stop());
    if (runsJobs) {
      runner.start();
      closers.push(() => runner.stop());
    }
    const url = await server.listen({ host: config.host, port: config.port });
    return { url, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
