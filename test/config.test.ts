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

const SECRETS_FAULT =
  'must be secrets of at least 32 letters, digits or + / = _ -, parted by commas, each after its key id and a colon if it has one';
const CORS_FAULT = 'CORS_ORIGINS must be origins such as https://app.example.com, parted by commas';

const PROXIES_FAULT = 'TRUSTED_PROXIES must be addresses or networks such as 10.0.0.0/8, parted by commas';

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
      access: {
        secrets: [],
        jwksUrl: undefined,
        jwksAlgorithms: ['RS256', 'ES256', 'EdDSA'],
        issuer: 'backstop',
        audience: 'backstop',
      },
      corsOrigins: [],
      limits: {
        introspection: true,
        requestTimeoutMs: 10_000,
        rate: { requests: 1000, seconds: 10 },
        trustedProxies: [],
      },
      retentionDays: undefined,
      metricsToken: undefined,
    });
  });

  it('takes the limits of requests; a database that was given tells its contract only when asked to', () => {
    const DATABASE_URL = 'postgresql://backstop:secret@db/backstop';
    expect(parseConfig({ DATABASE_URL }).limits.introspection).toBe(false);
    expect(parseConfig({ DATABASE_URL, INTROSPECTION: 'on' }).limits.introspection).toBe(true);
    expect(parseConfig({ RATE_LIMIT: 'off' }).limits.rate).toBeNull();
    const given = { RATE_LIMIT: '50/1', REQUEST_TIMEOUT_MS: '2500', TRUSTED_PROXIES: '10.0.0.0/8, ::1' };
    expect(parseConfig({ ...given, INTROSPECTION: 'off' }).limits).toEqual({
      introspection: false,
      requestTimeoutMs: 2500,
      rate: { requests: 50, seconds: 1 },
      trustedProxies: ['10.0.0.0/8', '::1'],
    });
  });

  it('takes days of retention, from one on', () => {
    expect(parseConfig({ RETENTION_DAYS: '30' }).retentionDays).toBe(30);
    for (const RETENTION_DAYS of ['0', '-1', '1.5', 'ever'])
      expect(refusalOf({ RETENTION_DAYS })).toContain('RETENTION_DAYS must be a number of days, 1 to 99999');
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

  it('takes keys to judge tokens by, several while they are changed', () => {
    const [one, two] = ['a'.repeat(32), `${'b'.repeat(42)}=`];
    expect(parseConfig({ JWT_SECRETS: `${one}, new:${two}` }).access.secrets).toEqual([
      { kid: undefined, text: one },
      { kid: 'new', text: two },
    ]);
    const jwks = { JWT_JWKS_URL: 'https://login.example.com/keys', JWT_ISSUER: 'https://login.example.com/' };
    expect(parseConfig({ ...jwks, JWT_ALGORITHMS: 'ES256', JWT_AUDIENCE: 'risk' }).access).toEqual({
      secrets: [],
      jwksUrl: jwks.JWT_JWKS_URL,
      jwksAlgorithms: ['ES256'],
      issuer: jwks.JWT_ISSUER,
      audience: 'risk',
    });
    expect(refusalOf({ JWT_JWKS_URL: jwks.JWT_JWKS_URL })).toBe(
      'JWT_JWKS_URL names whose keys are trusted, so JWT_ISSUER must say whose tokens: their claim iss.',
    );
  });

  it('takes the sites whose pages may ask', () => {
    const CORS_ORIGINS = 'https://app.example.com, http://localhost:3000';
    expect(parseConfig({ CORS_ORIGINS }).corsOrigins).toEqual(['https://app.example.com', 'http://localhost:3000']);
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
    [{ JWT_SECRETS: 'too-short' }, `JWT_SECRETS ${SECRETS_FAULT}`],
    [{ JWT_SECRETS: `${'a'.repeat(32)},` }, `JWT_SECRETS ${SECRETS_FAULT}`],
    [{ JWT_SECRETS: `${'a'.repeat(32)} b` }, `JWT_SECRETS ${SECRETS_FAULT}`],
    [{ JWT_JWKS_URL: 'http://login.example.com/keys' }, 'JWT_JWKS_URL must begin with https://'],
    [{ JWT_JWKS_URL: 'keys' }, 'JWT_JWKS_URL must begin with https://'],
    [
      { JWT_ALGORITHMS: 'RS256,HS256' },
      'JWT_ALGORITHMS must be some of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA',
    ],
    [{ CORS_ORIGINS: '*' }, CORS_FAULT],
    [{ CORS_ORIGINS: 'https://app.example.com/' }, CORS_FAULT],
    [{ CORS_ORIGINS: 'app.example.com' }, CORS_FAULT],
    [{ RATE_LIMIT: '0/10' }, 'RATE_LIMIT must be requests per seconds such as 1000/10, or off'],
    [{ REQUEST_TIMEOUT_MS: '5' }, 'REQUEST_TIMEOUT_MS must be 100 to 999999'],
    [{ TRUSTED_PROXIES: '10.0.0.0/99' }, PROXIES_FAULT],
    [{ TRUSTED_PROXIES: 'proxy.example.com' }, PROXIES_FAULT],
    [{ INTROSPECTION: 'yes' }, 'INTROSPECTION must be on or off'],
    [{ METRICS_TOKEN: 'short' }, 'METRICS_TOKEN must be at least 16 characters without a space'],
    [{ BACKSTOP_DEMO: 'yes' }, 'BACKSTOP_DEMO must be on or off'],
    [
      { LOG_LEVEL: 'loud', PORT: 'x' },
      'PORT must be a port number; LOG_LEVEL must be one of fatal, error, warn, info, debug, trace, silent',
    ],
  ])('%j is refused', (env, reason) => {
    expect(refusalOf(env)).toBe(`The environment is not right: ${reason}.`);
  });
});
