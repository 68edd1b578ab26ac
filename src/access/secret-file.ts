import { randomBytes } from 'node:crypto';
import { link, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import { BackstopError } from '../errors.js';
import { parseSecrets } from './settings.js';

const FILE = 'jwt.secret';
const SECRET_BYTES = 32;
const OWNER_ONLY = 0o600;
const OTHERS = 0o077;

/** The secret of this data folder, made the first time that it is asked for. */
export async function localSecret(dataDir: string): Promise<string> {
  const file = path.join(dataDir, FILE);
  await makeOnce(dataDir, file);
  if (process.platform !== 'win32' && ((await stat(file)).mode & OTHERS) !== 0) {
    throw new BackstopError(
      'SETUP',
      `Others may read ${file}, which signs tokens: chmod 600 it, or remove it for a new one.`,
    );
  }
  const secret = (await readFile(file, 'utf8')).trim();
  if (parseSecrets(secret)?.length !== 1) {
    throw new BackstopError('SETUP', `${file} holds no secret to sign tokens with: remove it for a new one.`);
  }
  return secret;
}

/** Written whole under another name first: of several processes that start at once, one's secret is everybody's. */
async function makeOnce(dataDir: string, file: string): Promise<void> {
  if (await stat(file).then(() => true, isThere)) return;
  await mkdir(dataDir, { recursive: true });
  const draft = `${file}.${String(process.pid)}-${randomBytes(4).toString('hex')}`;
  await writeFile(draft, `${randomBytes(SECRET_BYTES).toString('base64url')}\n`, { mode: OWNER_ONLY, flag: 'wx' });
  try {
    await link(draft, file);
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'EEXIST') throw error;
  } finally {
    await rm(draft, { force: true });
  }
}

function isThere(error: unknown): boolean {
  if ((error as { code?: unknown }).code === 'ENOENT') return false;
  throw error;
}
