/** The data folder of the embedded PostgreSQL: where it lies, how it is made, and who is serving it now. */
import { randomBytes, createHash } from 'node:crypto';
import { chmod, chown, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { BackstopError } from '../errors.js';
import { canEnter, codeOf, isMissing, programName, run, SYSTEM_FOLDER } from './embedded-binaries.js';
import type { Binaries, RunAs } from './embedded-binaries.js';

export const SUPERUSER = 'backstop';
const SECRET_FILE = 'backstop.secret';
const SECRET_BYTES = 18;

export interface Postmaster {
  readonly pid: number;
  readonly port: number;
}

/**
 * The wished folder, or one below SYSTEM_FOLDER when the user that PostgreSQL must run as cannot reach it. Data that lie
 * in the wished folder already are never passed over: an empty database in their place would look like a loss.
 */
export async function placeData(wished: string, user: RunAs): Promise<string> {
  const absolute = path.resolve(wished);
  const parent = path.dirname(absolute);
  await mkdir(parent, { recursive: true });
  if (user.uid === undefined || (await canEnter(parent, user))) return absolute;
  if ((await dataVersion(absolute)) !== undefined) {
    throw new BackstopError(
      'SETUP',
      `The data are in ${absolute}, which the user that PostgreSQL runs as can no longer enter: let others enter the folders above it (chmod o+x), or set BACKSTOP_DATA_DIR to another.`,
    );
  }
  await mkdir(SYSTEM_FOLDER, { recursive: true, mode: 0o755 });
  await chmod(SYSTEM_FOLDER, 0o755);
  const tag = createHash('sha256').update(absolute).digest('hex').slice(0, 12);
  return path.join(SYSTEM_FOLDER, `data-${tag}`);
}

/** Makes the data folder if there is none, and refuses one of another major version. Returns the superuser's password. */
export async function prepareCluster(
  dataDir: string,
  binaries: Binaries,
  user: RunAs,
  unsafeFast: boolean,
): Promise<string> {
  const before = await dataVersion(dataDir);
  if (before === undefined) await createCluster(dataDir, binaries, user, unsafeFast);
  const major = before ?? (await dataVersion(dataDir));
  const ours = binaries.version.split('.')[0];
  if (major !== undefined && major !== ours) {
    throw new BackstopError(
      'SETUP',
      `The data in ${dataDir} are of PostgreSQL ${major}, and this Backstop brings PostgreSQL ${String(ours)}: move that folder away to start afresh, or set BACKSTOP_DATA_DIR to another.`,
    );
  }
  return readSecret(dataDir);
}

async function dataVersion(dataDir: string): Promise<string | undefined> {
  try {
    return (await readFile(path.join(dataDir, 'PG_VERSION'), 'utf8')).trim();
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw unreadable(dataDir, error);
  }
}

async function readSecret(dataDir: string): Promise<string> {
  try {
    return (await readFile(path.join(dataDir, SECRET_FILE), 'utf8')).trim();
  } catch (error) {
    throw unreadable(dataDir, error);
  }
}

function unreadable(dataDir: string, cause: unknown): BackstopError {
  const message = isMissing(cause)
    ? `The folder ${dataDir} is not empty and holds no data of Backstop: set BACKSTOP_DATA_DIR to another.`
    : `The data folder ${dataDir} cannot be read by this user: start Backstop as the user that made it, or set BACKSTOP_DATA_DIR to another.`;
  return new BackstopError('SETUP', message, { cause });
}

/** Made beside its place and renamed into it: of several first starts one wins, and a killed one leaves nothing half made. */
async function createCluster(dataDir: string, binaries: Binaries, user: RunAs, unsafeFast: boolean): Promise<void> {
  const draft = `${dataDir}.new-${process.pid}-${randomBytes(4).toString('hex')}`;
  const data = path.join(draft, 'data');
  const passwordFile = path.join(draft, 'password');
  const secretFile = path.join(data, SECRET_FILE);
  const secret = randomBytes(SECRET_BYTES).toString('base64url');
  try {
    await mkdir(draft, { mode: 0o700 });
    await writeFile(passwordFile, `${secret}\n`, { mode: 0o600 });
    await give([draft, passwordFile], user);
    const words = ['-D', data, '-U', SUPERUSER, '-A', 'scram-sha-256', `--pwfile=${passwordFile}`, '-E', 'UTF8'];
    words.push('--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--data-checksums');
    if (unsafeFast) words.push('--no-sync');
    await run(path.join(binaries.folder, programName('initdb')), words, {
      ...user,
      cwd: draft,
      env: plainEnvironment(),
    });
    await writeFile(secretFile, secret, { mode: 0o600 });
    await give([secretFile], user);
    await rename(data, dataDir).catch((error: unknown) => {
      // Another start was first, and its data stand.
      if (!['ENOTEMPTY', 'EEXIST', 'EPERM'].includes(String(codeOf(error)))) throw error;
    });
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

async function give(files: readonly string[], { uid, gid }: RunAs): Promise<void> {
  if (uid === undefined || gid === undefined) return;
  for (const file of files) await chown(file, uid, gid);
}

/** Messages in English, and no PG… setting of the caller's that would change what the programs do. */
export function plainEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('PG') && !name.startsWith('LC_'));
  return { ...Object.fromEntries(kept), LC_ALL: 'C' };
}

/** Who serves the folder now, by the file the server keeps there. A file left by a dead server counts for nothing. */
export async function findPostmaster(dataDir: string): Promise<Postmaster | undefined> {
  const file = path.join(dataDir, 'postmaster.pid');
  const lines = (await readFile(file, 'utf8').catch(() => '')).split('\n');
  const pid = Number.parseInt(lines[0] ?? '', 10);
  const port = Number.parseInt(lines[3] ?? '', 10);
  if (!(pid > 0) || !isAlive(pid)) return undefined;
  if (!(await isPostgres(pid))) {
    // The number went to another program, after a reboot or in a new container, and PostgreSQL would refuse to start.
    await rm(file, { force: true });
    return undefined;
  }
  return port > 0 ? { pid, port } : undefined;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) !== 'ESRCH';
  }
}

async function isPostgres(pid: number): Promise<boolean> {
  const name = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() =>
    run('ps', ['-o', 'comm=', '-p', String(pid)]).then(
      ({ stdout }) => stdout,
      // Nobody can say: leave the file to PostgreSQL's own judgement.
      () => 'postgres',
    ),
  );
  return name.includes('postgres');
}

/** The port this folder was last served on, so that a URL somebody noted stays good. */
export async function lastPort(dataDir: string): Promise<number | undefined> {
  const words = await readFile(path.join(dataDir, 'postmaster.opts'), 'utf8').catch(() => '');
  const port = Number.parseInt(/"-p" "(\d+)"/.exec(words)?.[1] ?? '', 10);
  return port > 0 ? port : undefined;
}
