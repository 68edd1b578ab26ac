import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { localSecret } from '../../src/access/secret-file.js';
import { parseConfig } from '../../src/config.js';
import { withLocalSecret } from '../../src/local-access.js';

describe('the secret of a data folder', () => {
  let folder: string;
  let dataDir: string;
  beforeEach(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'backstop-secret-'));
    dataDir = path.join(folder, 'data');
  });
  afterEach(() => rm(folder, { recursive: true }));
  const file = (): string => path.join(dataDir, 'jwt.secret');

  it('is made once, for its owner alone, whoever asks at the same time', async () => {
    const secrets = await Promise.all(Array.from({ length: 8 }, () => localSecret(dataDir)));
    expect(new Set(secrets).size).toBe(1);
    expect(secrets[0]).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect((await stat(file())).mode & 0o777).toBe(0o600);
    expect(await readdir(dataDir)).toEqual(['jwt.secret']);
    expect(await localSecret(dataDir)).toBe(secrets[0]);
  });

  it('is refused where others can read it, or where it is none', async () => {
    const secret = await localSecret(dataDir);
    await chmod(file(), 0o644);
    await expect(localSecret(dataDir)).rejects.toMatchObject({ code: 'SETUP', message: /chmod 600/ });
    await chmod(file(), 0o600);
    expect(await localSecret(dataDir)).toBe(secret);
    await writeFile(file(), 'short\n');
    await expect(localSecret(dataDir)).rejects.toMatchObject({ code: 'SETUP', message: /holds no secret/ });
  });

  it('stands in where no key is set and the database is our own, and nowhere else', async () => {
    const env = { BACKSTOP_DATA_DIR: dataDir };
    const { secrets } = await withLocalSecret(parseConfig(env));
    expect(secrets).toEqual([{ kid: undefined, text: (await readFile(file(), 'utf8')).trim() }]);
    const DATABASE_URL = 'postgresql://b@db/b';
    expect((await withLocalSecret(parseConfig({ ...env, DATABASE_URL }))).secrets).toEqual([]);
    const set = { ...env, JWT_SECRETS: 's'.repeat(40) };
    expect((await withLocalSecret(parseConfig(set))).secrets).toEqual([{ kid: undefined, text: set.JWT_SECRETS }]);
    const jwks = { ...env, JWT_JWKS_URL: 'https://login.example.com/keys', JWT_ISSUER: 'x' };
    expect((await withLocalSecret(parseConfig(jwks))).secrets).toEqual([]);
  });
});
