import { execFileSync } from 'node:child_process';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { packageRoot } from '../../src/config.js';
import { startEmbedded, type EmbeddedServer } from '../../src/db/embedded.js';
import { deployMigrations } from '../../src/db/migrate.js';

/** A primary with the product's database, and a standby that streams from it: two servers of their own. */
export interface StandbyCluster {
  readonly primaryUrl: string;
  /** Stays the same from start to start of the standby. */
  readonly standbyUrl: string;
  stopStandby(): Promise<void>;
  startStandby(): Promise<void>;
  remove(): Promise<void>;
}

const DATABASE = 'backstop';

export async function startStandbyCluster(): Promise<StandbyCluster> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'backstop-standby-'));
  // Run by root, the servers are another user's, who must be able to pass through.
  await chmod(folder, 0o755);
  const dataDir = (name: string): string => path.join(folder, name);
  const start = (name: string): Promise<EmbeddedServer> =>
    startEmbedded({ dataDir: dataDir(name), database: DATABASE, unsafeFast: true });

  const first = await start('primary');
  await deployMigrations(first.url, path.join(packageRoot, 'prisma/migrations'));
  await first.stop();
  // The package brings no pg_basebackup: the folder of a server that was stopped is as good a base.
  execFileSync('cp', ['-a', dataDir('primary'), dataDir('standby')]);
  const primary = await start('primary');
  follow(primary, dataDir('standby'));
  let standby: EmbeddedServer | undefined = await start('standby');
  const standbyUrl = standby.url;
  const stopStandby = async (): Promise<void> => {
    await standby?.stop();
    standby = undefined;
  };
  return {
    primaryUrl: primary.url,
    standbyUrl,
    stopStandby,
    async startStandby() {
      standby = await start('standby');
      if (standby.url !== standbyUrl) throw new Error('the port of the standby was taken meanwhile');
    },
    async remove() {
      await stopStandby();
      await primary.stop();
      await rm(folder, { recursive: true, force: true, maxRetries: 50, retryDelay: 100 });
    },
  };
}

/** Makes of a copied data folder that of a standby. The file it appends to keeps its owner. */
function follow(primary: EmbeddedServer, dataDir: string): void {
  const { username, password, port } = new URL(primary.url);
  const source = `host=127.0.0.1 port=${port} user=${username} password=${decodeURIComponent(password)}`;
  const settings = `primary_conninfo = '${source}'\nwal_retrieve_retry_interval = '100ms'\n`;
  const script = 'printf "%s" "$1" >> "$0/postgresql.auto.conf"; cp -p "$0/PG_VERSION" "$0/standby.signal"';
  execFileSync('/bin/sh', ['-c', script, dataDir, settings]);
}
