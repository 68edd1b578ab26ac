import { PrismaPg } from '@prisma/adapter-pg';
import { PrismaClient } from '../generated/prisma/client.js';
import type { ConnectOptions } from './connect.js';

export type Prisma = PrismaClient;

const DEFAULT_CONNECTIONS = 5;

/** For small reads and single-row writes. Rounds, rankings and loads go through `openSql`. */
export function openPrisma(url: string, options: ConnectOptions = {}): PrismaClient {
  const adapter = new PrismaPg({
    connectionString: url,
    max: options.max ?? DEFAULT_CONNECTIONS,
    application_name: options.applicationName ?? 'backstop',
    ...(options.statementTimeoutMs !== undefined && { statement_timeout: options.statementTimeoutMs }),
  });
  return new PrismaClient({ adapter });
}
