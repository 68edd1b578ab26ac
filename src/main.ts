import { createServer } from 'node:net';
import process from 'node:process';
import { startApp } from './app.js';
import { mintToken, type Wish } from './access/mint.js';
import { hasKeys } from './access/settings.js';
import type { Config } from './config.js';
import { closeSql, openSql } from './db/connect.js';
import { openDatabase } from './db/open-database.js';
import { startDemoFeed } from './demo/feed.js';
import { isEmpty, loadDemo } from './demo/first-start.js';
import { BackstopError, messageOf } from './errors.js';
import { withLocalSecret } from './local-access.js';
import type { Log } from './telemetry.js';
import { showProgress } from './progress.js';
import { untilStopped } from './until-stopped.js';
import { welcome, welcomeEngine } from './welcome.js';

/** `backstop serve`: the role of this process until a signal. Returns the exit code. */
export async function serve(config: Config, log: Log): Promise<number> {
  await checkPort(config);
  let lose: (error: unknown) => void = () => undefined;
  const lost = new Promise<Error>((resolve) => {
    lose = (error) => {
      resolve(new Error(`the embedded PostgreSQL is gone: ${messageOf(error)}`));
    };
  });
  const database = await openDatabase({ config, log, onLost: lose });
  const closers: (() => Promise<void>)[] = [() => database.stop()];
  try {
    const sql = openSql(database.url, { max: 3, applicationName: 'backstop-demo' });
    closers.push(() => closeSql(sql));
    const { role, databaseReadUrl: readUrl } = config;
    // It belongs to whoever runs the job: of any number of API processes none adds to it.
    const hasDemo = config.demo && role !== 'api';
    if (hasDemo) await startDemo(sql, log, closers);
    const access = await withLocalSecret(config);
    if (role !== 'engine' && !hasKeys(access)) {
      log.warn('no key to judge tokens by: only what is public is answered; set JWT_SECRETS or JWT_JWKS_URL');
    }
    // A large book takes a while to read; on a terminal it shows how far it is.
    const progress = process.stderr.isTTY ? showProgress('accounts read') : undefined;
    const app = await startApp({
      ...{ databaseUrl: database.url, readUrl, config, access, log, role },
      ...(progress && {
        onProgress: (accounts: number) => {
          progress.update(accounts);
        },
      }),
    }).finally(() => progress?.stop());
    closers.push(() => app.stop());
    // Tokens are printed where the secret is this folder's own: one that was set is for other things than a terminal.
    const mint = access === config.access ? undefined : (wish: Wish) => mintToken(access, wish);
    process.stdout.write(
      role === 'engine'
        ? welcomeEngine(app.url, database)
        : await welcome(sql, { url: app.url, database, hasDemo, mint }),
    );
    const end = await untilStopped(lost);
    if (end instanceof Error) throw end;
    log.info(`${end}: stopping`);
    return 0;
  } finally {
    for (const close of closers.reverse()) await close();
  }
}

async function startDemo(sql: ReturnType<typeof openSql>, log: Log, closers: (() => Promise<void>)[]): Promise<void> {
  if (await isEmpty(sql)) {
    process.stderr.write('first start: playing the crash of 10 October 2025 into the empty database …\n');
    await loadDemo(sql);
  }
  const feed = startDemoFeed(sql, log);
  closers.push(() => feed.stop());
}

/** Before anything is loaded, so that the reason is the first thing said. */
async function checkPort({ host, port }: Config): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const probe = createServer();
    probe.once('error', (error: NodeJS.ErrnoException) => {
      const why = error.code === 'EADDRINUSE' ? 'is in use' : `cannot be listened on (${error.code ?? error.message})`;
      reject(new BackstopError('SETUP', `Port ${String(port)} of ${host} ${why}; set PORT or HOST.`));
    });
    probe.listen({ host, port }, () => {
      probe.close(() => {
        resolve();
      });
    });
  });
}
