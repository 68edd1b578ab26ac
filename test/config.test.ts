import path from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { packageRoot, parseConfig } from '../src/config.js';
import { BackstopError } from '../src/errors.js';

function refusalOf(env: NodeJS.ProcessEnv): string {
  try {
    parseConfig(env);
  } catch (error) {
    if (error instanceof BackstopError && error.code === 'SETUP') return error.message;
    throw error;
  }
  return 'accepted';
}

describe('the environment', () => {
  it('may be empty', () => {
    expect(parseConfig({})).toEqual({
      port: 4000,
      host: '127.0.0.1',
      dataDir: path.join(packageRoot, '.backstop'),
      databaseUrl: undefined,
      databaseReadUrl: undefined,
      role: 'all',
      demo: true,
      logLevel: 'info',
    });
  });

  it('takes a variable that is set to nothing for one that is not set', () => {
    expect(parseConfig({ PORT: '', DATABASE_URL: ' ', BACKSTOP_DEMO: '' })).toEqual(parseConfig({}));
  });

  it('loads no demonstration into a database that was given, unless asked', () => {
    const DATABASE_URL = 'postgresql://backstop:secret@db/backstop';
    expect(parseConfig({ DATABASE_URL }).demo).toBe(false);
    expect(parseConfig({ DATABASE_URL, BACKSTOP_DEMO: 'on' }).demo).toBe(true);
    expect(parseConfig({ BACKSTOP_DEMO: 'off' }).demo).toBe(false);
  });

  it('takes a role, and a standby beside the database', () => {
    const [DATABASE_URL, DATABASE_READ_URL] = ['postgresql://b@one/b', 'postgresql://b@two/b'];
    const parsed = parseConfig({ DATABASE_URL, DATABASE_READ_URL, BACKSTOP_ROLE: 'api' });
    expect(parsed).toMatchObject({ databaseUrl: DATABASE_URL, databaseReadUrl: DATABASE_READ_URL, role: 'api' });
    expect(refusalOf({ DATABASE_READ_URL })).toBe(
      'DATABASE_READ_URL names a standby, so DATABASE_URL must name the primary that it follows.',
    );
  });

  it('makes the data folder absolute', () => {
    expect(parseConfig({ BACKSTOP_DATA_DIR: 'data' }).dataDir).toBe(path.resolve('data'));
  });

  it.each<[NodeJS.ProcessEnv, string]>([
    [{ PORT: '4000x' }, 'PORT must be a port number'],
    [{ PORT: '-1' }, 'PORT must be a port number'],
    [{ PORT: '70000' }, 'PORT must be at most 65535'],
    [{ DATABASE_URL: 'mysql://x' }, 'DATABASE_URL must begin with postgresql://'],
    [{ DATABASE_READ_URL: 'mysql://x' }, 'DATABASE_READ_URL must begin with postgresql://'],
    [{ BACKSTOP_ROLE: 'boss' }, 'BACKSTOP_ROLE must be one of all, api, engine'],
    [{ BACKSTOP_DEMO: 'yes' }, 'BACKSTOP_DEMO must be on or off'],
    [
      { LOG_LEVEL: 'loud', PORT: 'x' },
      'PORT must be a port number; LOG_LEVEL must be one of fatal, error, warn, info, debug, trace, silent',
    ],
  ])('%j is refused', (env, reason) => {
    expect(refusalOf(env)).toBe(`The environment is not right: ${reason}.`);
  });
});
