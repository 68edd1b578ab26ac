import { existsSync } from 'node:fs';
import { isIP } from 'node:net';
import path from 'node:path';
import { z } from 'zod';
import {
  JWKS_ALGORITHMS,
  parseSecrets,
  USUAL_ALGORITHMS,
  type AccessSettings,
  type JwksAlgorithm,
} from './access/settings.js';
import { BackstopError } from './errors.js';
import { LOG_LEVELS } from './telemetry.js';
import type { LogLevel } from './telemetry.js';

/** What `serve` does: the API, the scheduled job, or both. */
export const ROLES = ['all', 'api', 'engine'] as const;
export type Role = (typeof ROLES)[number];

export interface Config {
  readonly port: number;
  readonly host: string;
  /** Absolute. The embedded PostgreSQL keeps its data below it. */
  readonly dataDir: string;
  /** Undefined: the embedded PostgreSQL is used. */
  readonly databaseUrl: string | undefined;
  /** A streaming standby of that database, from which queries are answered; undefined: from the database itself. */
  readonly databaseReadUrl: string | undefined;
  readonly role: Role;
  /** Play the demonstration into an empty database at the first start. */
  readonly demo: boolean;
  readonly logLevel: LogLevel;
  /** By which keys tokens are judged; without any only what is public is answered. */
  readonly access: AccessSettings;
  /** Sites whose pages may ask. */
  readonly corsOrigins: readonly string[];
  readonly limits: RequestLimits;
  /** Old prices and order books that nothing needs go after so many days; undefined: they stay. */
  readonly retentionDays: number | undefined;
  /** Whoever reads /metrics has it; undefined: whoever is on this machine. */
  readonly metricsToken: string | undefined;
}

/** What one request to the API may take, and how many of them. */
export interface RequestLimits {
  readonly introspection: boolean;
  readonly requestTimeoutMs: number;
  /** Of one caller; null: any number. */
  readonly rate: { readonly requests: number; readonly seconds: number } | null;
  /** Addresses whose `x-forwarded-for` is believed. */
  readonly trustedProxies: readonly string[];
}

const USUAL_TIMEOUT_MS = 10_000;
/** A hundred a second of one caller, and bursts: more than any screen asks, and than a feed in batches needs. */
const USUAL_RATE = { requests: 1000, seconds: 10 };

/** The folder of package.json, whether this file runs from src/ or from dist/src/. */
export const packageRoot = findPackageRoot(import.meta.dirname);

function findPackageRoot(from: string): string {
  for (let at = from; ; at = path.dirname(at)) {
    if (existsSync(path.join(at, 'package.json'))) return at;
    if (path.dirname(at) === at) throw new Error(`no package.json above ${from}`);
  }
}

const HIGHEST_PORT = 65_535;

const postgresUrl = z.string().regex(/^postgres(ql)?:\/\//, 'must begin with postgresql://');

const LOOPBACK = /^(localhost|127\.0\.0\.1|\[::1\])$/;

/** Keys that came over a network unprotected could be anybody's. */
const jwksUrl = z.string().refine((text) => {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname } = new URL(text);
  return protocol === 'https:' || (protocol === 'http:' && LOOPBACK.test(hostname));
}, 'must begin with https://');

function listOf<T extends string>(isOne: (text: string) => text is T, fault: string) {
  return z
    .string()
    .transform((text) => text.split(',').map((part) => part.trim()))
    .refine((parts): parts is T[] => parts.every(isOne), fault);
}

const isOrigin = (text: string): text is string =>
  /^https?:/.test(text) && URL.canParse(text) && new URL(text).origin === text;
const isAlgorithm = (text: string): text is JwksAlgorithm => JWKS_ALGORITHMS.some((known) => known === text);

/** An address, or a network of them. */
const isAddress = (text: string): text is string => {
  const [address = '', bits, ...rest] = text.split('/');
  const longest = isIP(address) === 4 ? 32 : 128;
  return (
    isIP(address) !== 0 &&
    rest.length === 0 &&
    (bits === undefined || (/^\d{1,3}$/.test(bits) && Number.parseInt(bits, 10) <= longest))
  );
};

/** Undefined: it is not that. */
function parseRate(text: string): RequestLimits['rate'] | undefined {
  if (text === 'off') return null;
  const [, requests = '', seconds = ''] = /^([1-9]\d{0,6})\/([1-9]\d{0,3})$/.exec(text) ?? [];
  return requests === ''
    ? undefined
    : { requests: Number.parseInt(requests, 10), seconds: Number.parseInt(seconds, 10) };
}

const SECRETS_FAULT =
  'must be secrets of at least 32 letters, digits or + / = _ -, parted by commas, each after its key id and a colon if it has one';

const environment = z.object({
  PORT: z
    .string()
    .regex(/^\d{1,5}$/, 'must be a port number')
    .transform((text) => Number.parseInt(text, 10))
    .refine((port) => port <= HIGHEST_PORT, `must be at most ${HIGHEST_PORT}`)
    .optional(),
  HOST: z.string().optional(),
  BACKSTOP_DATA_DIR: z.string().optional(),
  DATABASE_URL: postgresUrl.optional(),
  DATABASE_READ_URL: postgresUrl.optional(),
  BACKSTOP_ROLE: z.enum(ROLES, { error: `must be one of ${ROLES.join(', ')}` }).optional(),
  BACKSTOP_DEMO: z.enum(['on', 'off'], { error: 'must be on or off' }).optional(),
  JWT_SECRETS: z
    .string()
    .transform(parseSecrets)
    .refine((secrets) => secrets !== null, SECRETS_FAULT)
    .optional(),
  JWT_JWKS_URL: jwksUrl.optional(),
  JWT_ALGORITHMS: listOf(isAlgorithm, `must be some of ${JWKS_ALGORITHMS.join(', ')}`).optional(),
  JWT_ISSUER: z.string().optional(),
  JWT_AUDIENCE: z.string().optional(),
  CORS_ORIGINS: listOf(isOrigin, 'must be origins such as https://app.example.com, parted by commas').optional(),
  INTROSPECTION: z.enum(['on', 'off'], { error: 'must be on or off' }).optional(),
  REQUEST_TIMEOUT_MS: z
    .string()
    .regex(/^[1-9]\d{2,5}$/, 'must be 100 to 999999')
    .transform((text) => Number.parseInt(text, 10))
    .optional(),
  RATE_LIMIT: z
    .string()
    .transform(parseRate)
    .refine((rate) => rate !== undefined, 'must be requests per seconds such as 1000/10, or off')
    .optional(),
  RETENTION_DAYS: z
    .string()
    .regex(/^[1-9]\d{0,4}$/, 'must be a number of days, 1 to 99999')
    .transform((text) => Number.parseInt(text, 10))
    .optional(),
  METRICS_TOKEN: z
    .string()
    .regex(/^[\x21-\x7e]{16,}$/, 'must be at least 16 characters without a space')
    .optional(),
  TRUSTED_PROXIES: listOf(isAddress, 'must be addresses or networks such as 10.0.0.0/8, parted by commas').optional(),
  LOG_LEVEL: z.enum(LOG_LEVELS, { error: `must be one of ${LOG_LEVELS.join(', ')}` }).optional(),
});

/** A variable that is set to nothing counts as not set: so do compose files and shells leave them. */
function withoutBlanks(env: NodeJS.ProcessEnv): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(env))
    if (value !== undefined && value.trim() !== '') kept[name] = value.trim();
  return kept;
}

export function parseConfig(env: NodeJS.ProcessEnv): Config {
  const parsed = environment.safeParse(withoutBlanks(env));
  if (!parsed.success) {
    const faults = parsed.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`);
    throw new BackstopError('SETUP', `The environment is not right: ${faults.join('; ')}.`);
  }
  const given = parsed.data;
  if (given.DATABASE_READ_URL !== undefined && given.DATABASE_URL === undefined) {
    throw new BackstopError(
      'SETUP',
      'DATABASE_READ_URL names a standby, so DATABASE_URL must name the primary that it follows.',
    );
  }
  if (given.JWT_JWKS_URL !== undefined && given.JWT_ISSUER === undefined) {
    throw new BackstopError(
      'SETUP',
      'JWT_JWKS_URL names whose keys are trusted, so JWT_ISSUER must say whose tokens: their claim iss.',
    );
  }
  return {
    port: given.PORT ?? 4000,
    host: given.HOST ?? '127.0.0.1',
    dataDir:
      given.BACKSTOP_DATA_DIR === undefined
        ? path.join(packageRoot, '.backstop')
        : path.resolve(given.BACKSTOP_DATA_DIR),
    databaseUrl: given.DATABASE_URL,
    databaseReadUrl: given.DATABASE_READ_URL,
    role: given.BACKSTOP_ROLE ?? 'all',
    demo: given.BACKSTOP_DEMO === undefined ? given.DATABASE_URL === undefined : given.BACKSTOP_DEMO === 'on',
    logLevel: given.LOG_LEVEL ?? 'info',
    access: {
      secrets: given.JWT_SECRETS ?? [],
      jwksUrl: given.JWT_JWKS_URL,
      jwksAlgorithms: given.JWT_ALGORITHMS ?? USUAL_ALGORITHMS,
      issuer: given.JWT_ISSUER ?? 'backstop',
      audience: given.JWT_AUDIENCE ?? 'backstop',
    },
    corsOrigins: given.CORS_ORIGINS ?? [],
    limits: {
      introspection:
        given.INTROSPECTION === undefined ? given.DATABASE_URL === undefined : given.INTROSPECTION === 'on',
      requestTimeoutMs: given.REQUEST_TIMEOUT_MS ?? USUAL_TIMEOUT_MS,
      rate: given.RATE_LIMIT === undefined ? USUAL_RATE : given.RATE_LIMIT,
      trustedProxies: given.TRUSTED_PROXIES ?? [],
    },
    retentionDays: given.RETENTION_DAYS,
    metricsToken: given.METRICS_TOKEN,
  };
}
