import { existsSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
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
}

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
  };
}
