import { createHmac } from 'node:crypto';
import path from 'node:path';
import { packageRoot, type Config } from '../config.js';
import { BackstopError, messageOf } from '../errors.js';
import type { Log } from '../telemetry.js';
import { renewForeignMarks } from './account-rows.js';
import { checkServer, closeSql, openSql } from './connect.js';
import { startEmbedded, type EmbeddedOptions, type EmbeddedServer } from './embedded.js';
import { deployMigrations } from './migrate.js';

/** The one name of the product's database on the server that it brings. */
const DATABASE = 'backstop';
const READER = 'backstop_reader';

export interface OpenDatabase {
  readonly url: string;
  /** For psql, as the role that sees all and writes nothing; null where its password is the operator's to set. */
  readonly readerUrl: string | null;
  /** Where the data lie; null on a server that is not ours. */
  readonly dataDir: string | null;
  readonly version: string;
  stop(): Promise<void>;
}

export interface DatabaseOptions {
  readonly config: Pick<Config, 'databaseUrl' | 'dataDir'>;
  readonly log: Log;
  /** Another database beside the product's own, such as a replay's; it must be there, unless made anew. */
  readonly database?: string;
  /** Begin with an empty one. */
  readonly anew?: boolean;
  readonly onLost?: (error: unknown) => void;
}

/** The database that DATABASE_URL names, else the embedded server's; migrated, with its reader let in. */
export async function openDatabase(options: DatabaseOptions): Promise<OpenDatabase> {
  const { config, log } = options;
  if (config.databaseUrl !== undefined) {
    const url = options.database === undefined ? config.databaseUrl : besideUrl(config.databaseUrl, options.database);
    const version = await prepare(config.databaseUrl, url, options);
    return { url, readerUrl: null, dataDir: null, version, stop: () => Promise.resolve() };
  }
  const server = await startServer(config.dataDir, {
    database: DATABASE,
    log: (line) => {
      log.debug({ postgres: line }, 'postgres');
    },
    ...(options.onLost === undefined ? {} : { onLost: options.onLost }),
  });
  try {
    const url = server.urlOf(options.database ?? DATABASE);
    const version = await prepare(server.url, url, options);
    const readerUrl = await letReaderIn(server, url);
    return { url, readerUrl, dataDir: server.dataDir, version, stop: () => server.stop() };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/** A folder that cannot be used is the installation's fault, told in a sentence; anything else is ours. */
const FOLDER_FAULTS: readonly unknown[] = ['EACCES', 'EEXIST', 'ENOTDIR', 'EPERM', 'EROFS', 'ENOSPC'];

async function startServer(dataDir: string, options: Omit<EmbeddedOptions, 'dataDir'>): Promise<EmbeddedServer> {
  try {
    return await startEmbedded({ dataDir: path.join(dataDir, 'postgres'), ...options });
  } catch (error) {
    if (!FOLDER_FAULTS.includes((error as { code?: unknown }).code)) throw error;
    throw new BackstopError('SETUP', `The data folder ${dataDir} cannot be used: ${messageOf(error)}.`, {
      cause: error,
    });
  }
}

async function prepare(adminUrl: string, url: string, { database, anew, log }: DatabaseOptions): Promise<string> {
  const admin = openSql(adminUrl, { max: 1, applicationName: 'backstop-start' });
  let version: string;
  try {
    version = await checkServer(admin);
    if (database !== undefined) {
      if (anew === true) await admin`drop database if exists ${admin(database)} with (force)`;
      const found = await admin`select 1 from pg_database where datname = ${database}`;
      if (found.length === 0) {
        if (anew !== true) throw new BackstopError('NOT_FOUND', `There is no database ${database} on this server.`);
        await admin`create database ${admin(database)}`;
      }
    }
  } finally {
    await closeSql(admin);
  }
  const applied = await deployMigrations(url, path.join(packageRoot, 'prisma/migrations'));
  if (applied.length > 0) log.info({ migrations: applied.length }, 'database migrated');
  await renewMarks(url, log);
  return version;
}

async function renewMarks(url: string, log: Log): Promise<void> {
  const sql = openSql(url, { max: 1, applicationName: 'backstop-start' });
  try {
    const accounts = await renewForeignMarks(sql);
    if (accounts > 0)
      log.warn({ accounts }, "marked anew: these accounts had numbers of another server's transactions");
  } finally {
    await closeSql(sql);
  }
}

/** On our own server the reader's password follows from the owner's, so every process that starts it knows it. */
async function letReaderIn(server: EmbeddedServer, url: string): Promise<string> {
  const owner = new URL(url);
  const password = createHmac('sha256', decodeURIComponent(owner.password))
    .update(READER)
    .digest('base64url')
    .slice(0, 24);
  const sql = openSql(url, { max: 1, applicationName: 'backstop-start' });
  try {
    await sql.unsafe(`alter role ${READER} login password '${password}'`);
  } catch (error) {
    throw new Error(`the reader could not be let in: ${messageOf(error)}`, { cause: error });
  } finally {
    await closeSql(sql);
  }
  return `postgresql://${READER}:${password}@127.0.0.1:${String(server.port)}${owner.pathname}`;
}

function besideUrl(url: string, database: string): string {
  const beside = new URL(url);
  beside.pathname = `/${database}`;
  return beside.href;
}
