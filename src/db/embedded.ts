/** Runs the PostgreSQL that the platform packages carry, for as long as this process lives and no longer. */
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../errors.js';
import { closeSql, openSql } from './connect.js';
import { chooseUser, findBinaries } from './embedded-binaries.js';
import { placeData, prepareCluster } from './embedded-cluster.js';
import { adoptOrLaunch, urlOn } from './embedded-launch.js';
import type { Cluster, Running } from './embedded-launch.js';
import { sqlStateOf } from './transaction.js';

export interface EmbeddedOptions {
  readonly dataDir: string;
  /** Created if it is missing. */
  readonly database: string;
  /** No syncing to disk. For tests: a crash of the machine loses the data. */
  readonly unsafeFast?: boolean;
  /** Receives what the server writes to its log, line by line. */
  readonly log?: (line: string) => void;
  /** The server is gone and could not be brought back; told once. */
  readonly onLost?: (error: unknown) => void;
}

export interface EmbeddedServer {
  readonly url: string;
  readonly port: number;
  /** Where the data lie; another folder than was asked for only where the system forces it. */
  readonly dataDir: string;
  /** False while the server is another process's; when that one ends, this one takes over. */
  readonly owned: boolean;
  /** As `18.4`. */
  readonly version: string;
  /** The URL of another database on the same server. */
  urlOf(database: string): string;
  stop(): Promise<void>;
}

const LOOK_MS = 500;

export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedServer> {
  const { database, unsafeFast = false, log = () => undefined } = options;
  const user = await chooseUser();
  const binaries = await findBinaries(user);
  const dataDir = await placeData(options.dataDir, user);
  const secret = await prepareCluster(dataDir, binaries, user, unsafeFast);
  const cluster: Cluster = { dataDir, binaries, user, secret, unsafeFast, log };
  const keeper = new Keeper(cluster, await adoptOrLaunch(cluster), options.onLost);
  const { port } = keeper.server;
  const urlOf = (name: string): string => urlOn(cluster, port, name);
  await ensureDatabase(urlOf('postgres'), database);
  return {
    url: urlOf(database),
    port,
    dataDir,
    get owned() {
      return keeper.server.owned;
    },
    version: binaries.version,
    urlOf,
    stop: () => keeper.stop(),
  };
}

/**
 * Looks after the server while this process uses it. One that was killed, or that ended with the process that had
 * started it, is started again on the port it had, where the connections of this process find it by themselves.
 */
class Keeper {
  server: Running;
  readonly #cluster: Cluster;
  readonly #onLost: ((error: unknown) => void) | undefined;
  readonly #stopping = new AbortController();
  readonly #watch: Promise<void>;

  constructor(cluster: Cluster, server: Running, onLost: ((error: unknown) => void) | undefined) {
    this.#cluster = cluster;
    this.server = server;
    this.#onLost = onLost;
    this.#watch = this.#keep();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#watch;
    await this.server.stop();
  }

  async #keep(): Promise<void> {
    const { signal } = this.#stopping;
    for (;;) {
      // The wait is cut short when we stop, and keeps no process alive that has nothing else to do.
      await sleep(LOOK_MS, undefined, { signal, ref: false }).catch(() => undefined);
      if (signal.aborted) return;
      if (!(await this.server.isGone())) continue;
      try {
        this.#cluster.log('the server is gone: starting it again');
        this.server = await adoptOrLaunch(this.#cluster);
      } catch (error) {
        this.#cluster.log(`the server could not be started again: ${messageOf(error)}`);
        this.#onLost?.(error);
        return;
      }
    }
  }
}

async function ensureDatabase(adminUrl: string, name: string): Promise<void> {
  const sql = openSql(adminUrl, { max: 1, applicationName: 'backstop-start' });
  try {
    const found = await sql`select 1 from pg_database where datname = ${name}`;
    if (found.length === 0) await sql`create database ${sql(name)}`;
  } catch (error) {
    // duplicate_database, or its unique index: another process made it meanwhile.
    if (!['42P04', '23505'].includes(sqlStateOf(error) ?? '')) throw error;
  } finally {
    await closeSql(sql);
  }
}
