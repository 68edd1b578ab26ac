import { Writable } from 'node:stream';
import { createVerifier } from '../../src/access/verify.js';
import { BookFollower } from '../../src/book/follower.js';
import { SelfCheck } from '../../src/book/self-check.js';
import { closeSql, openSql, type Sql } from '../../src/db/connect.js';
import { openPrisma, type Prisma } from '../../src/db/prisma.js';
import { runLap } from '../../src/engine/run-lap.js';
import type { Limits } from '../../src/graphql/context.js';
import { createServer, type ApiServer } from '../../src/graphql/server.js';
import { Metrics } from '../../src/operations/metrics.js';
import { watchDatabase } from '../../src/operations/watch-database.js';
import { createLog, type LogLevel } from '../../src/telemetry.js';
import { bearer, TEST_ACCESS } from '../support/access.js';
import { NO_LIMITS } from '../support/limits.js';
import { createTestDatabase } from '../support/database.js';
import { createTestVenue, type TestVenue } from '../support/venue.js';

/* eslint-disable @typescript-eslint/no-explicit-any, @typescript-eslint/no-unsafe-assignment, @typescript-eslint/no-unsafe-return, @typescript-eslint/no-unsafe-member-access -- answers are JSON, read by the names just asked for */

export interface Answer {
  readonly status: number;
  readonly data: any;
  readonly errors: any;
}

/** The API over a database of its own, asked over HTTP without a port. */
export interface TestApi {
  readonly sql: Sql;
  readonly server: ApiServer;
  readonly book: BookFollower;
  readonly selfCheck: SelfCheck;
  /** What it logged. */
  readonly logged: string[];
  /** As somebody who may do everything, unless another Authorization header is given; null: without one. */
  ask(query: string, variables?: Record<string, unknown>, authorization?: string | null): Promise<Answer>;
  /** As `ask`, after the book has taken what the database holds; errors are not expected. */
  read(query: string, variables?: Record<string, unknown>): Promise<any>;
  stop(): Promise<void>;
}

export interface ApiOptions {
  /** Stand in for the database's clients, to count what is asked of them. */
  readonly watchSql?: (sql: Sql) => Sql;
  readonly watchPrisma?: (prisma: Prisma) => Prisma;
  readonly corsOrigins?: readonly string[];
  readonly slowReaderMs?: number;
  readonly limits?: Partial<Limits>;
  readonly logLevel?: LogLevel;
  readonly metricsToken?: string;
}

export async function startApi(options: ApiOptions = {}): Promise<TestApi> {
  const database = await createTestDatabase();
  const { sql } = database;
  const limits = { ...NO_LIMITS, ...options.limits };
  const client = { applicationName: 'backstop-api', statementTimeoutMs: limits.requestTimeoutMs };
  const apiSql = openSql(database.url, client);
  const prisma = openPrisma(database.url, client);
  const logged: string[] = [];
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      logged.push(chunk.toString());
      done();
    },
  });
  const log = createLog(options.logLevel ?? 'info', sink);
  const book = new BookFollower({ sql, log });
  await book.refresh();
  const selfCheck = new SelfCheck({ book, log });
  const metrics = new Metrics();
  watchDatabase(metrics, sql);
  const server = await createServer({
    role: 'api',
    sql: options.watchSql?.(apiSql) ?? apiSql,
    prisma: options.watchPrisma?.(prisma) ?? prisma,
    book,
    log,
    selfCheck,
    verify: createVerifier(TEST_ACCESS),
    corsOrigins: options.corsOrigins ?? [],
    ...(options.slowReaderMs !== undefined && { slowReaderMs: options.slowReaderMs }),
    metricsToken: options.metricsToken,
    limits,
    metrics,
    runJob: (dryRun, company) => runLap(sql, { worker: 'test', dryRun, company }),
  });
  const everything = await bearer();
  const ask: TestApi['ask'] = async (query, variables = {}, authorization = everything) => {
    const headers = authorization === null ? {} : { authorization };
    const payload = { query, variables };
    const response = await server.app.inject({ method: 'POST', url: '/graphql', headers, payload });
    return { status: response.statusCode, ...response.json<Omit<Answer, 'status'>>() };
  };
  return {
    sql,
    server,
    book,
    selfCheck,
    logged,
    ask,
    async read(query, variables) {
      await book.refresh();
      const { data, errors } = await ask(query, variables);
      if (errors !== undefined) throw new Error(JSON.stringify(errors));
      return data;
    },
    async stop() {
      await server.stop();
      await prisma.$disconnect();
      await closeSql(apiSql);
      await database.drop();
    },
  };
}

/** A venue whose prices stay fresh for the length of a test, told as of now. */
export async function freshVenue(sql: Sql): Promise<TestVenue> {
  const venue = await createTestVenue(sql, { staleAfterMs: 86_400_000 });
  venue.at = new Date().toISOString();
  return venue;
}

/**
 * Alice long 10 of BTCUSDT at 100 with 20, Bob, Carol and Dora short against her: at 97 she is bankrupt, with a
 * bankruptcy price of 98, and the three are 3 a contract in profit.
 */
export async function tellOfAlice(venue: TestVenue): Promise<void> {
  await venue.account('alice', { deposit: '20' });
  await venue.account('bob', { deposit: '100' });
  await venue.account('carol', { deposit: '60' });
  await venue.account('dora', { deposit: '30' });
  await venue.trade('BTCUSDT', 'alice', 'bob', '3', '100');
  await venue.trade('BTCUSDT', 'lp-usdt', 'bob', '3', '100');
  await venue.trade('BTCUSDT', 'alice', 'carol', '4', '100');
  await venue.trade('BTCUSDT', 'alice', 'dora', '3', '100');
  await venue.price('BTCUSDT', '100');
}

/**
 * The same, gone wrong: at 97, with 2 in the fund and one bid of 1@98.5. Her liquidation closes 1 and earns the fund
 * 0.24625; of the 8.74625 that the other 9 lack the fund pays its 2.24625, and the three concede 6.5.
 */
export async function aliceGoesBankrupt(
  api: TestApi,
  beforeTheLap = (): Promise<void> => Promise.resolve(),
): Promise<void> {
  const venue = await freshVenue(api.sql);
  await tellOfAlice(venue);
  await venue.deposit('fund-usdt', '2');
  await runRound(api);
  await venue.price('BTCUSDT', '97');
  await venue.depth('BTCUSDT', { bids: '1@98.5', asks: '1@99' });
  await beforeTheLap();
  await runRound(api);
}

async function runRound(api: TestApi): Promise<void> {
  const { data } = await api.ask(
    'mutation { jobRun(input: { name: "waterfall" }) { outcome userErrors { message } } }',
  );
  if (data.jobRun.outcome !== 'RAN') throw new Error(JSON.stringify(data));
}

const SHARED_INPUTS: Readonly<Record<string, string>> = {
  marketHalt: 'MarketStatusInput',
  marketResume: 'MarketStatusInput',
  engineStop: 'EngineInput',
  engineStart: 'EngineInput',
};

/** Runs a mutation with its one input, and returns its payload with the user errors. */
export async function actOn(
  api: TestApi,
  mutation: string,
  input: unknown,
  fields: string,
  authorization?: string,
): Promise<any> {
  const type = SHARED_INPUTS[mutation] ?? `${mutation.charAt(0).toUpperCase()}${mutation.slice(1)}Input`;
  const query = `mutation($input: ${type}!) { payload: ${mutation}(input: $input) { ${fields} userErrors { code message field } } }`;
  const { data, errors } = await api.ask(query, { input }, authorization);
  if (errors !== undefined) throw new Error(JSON.stringify(errors));
  return data.payload;
}

/** Another person than the one who proposes. */
export const approver = (): Promise<string> => bearer({ subject: 'second', scopes: ['approve:admin'] });

/** Decides on a change as another person, or as whoever the header is of. */
export async function decideOn(
  api: TestApi,
  { id: changeId, digest }: { readonly id: string; readonly digest: string },
  decision: 'APPROVE' | 'REJECT' = 'APPROVE',
  authorization?: string,
): Promise<any> {
  const input = { changeId, digest, decision };
  const fields = 'change { id status decidedBy decidedAt }';
  return actOn(api, 'changeDecide', input, fields, authorization ?? (await approver()));
}

/** Proposes a change and has another person approve it. */
export async function changeBoth(api: TestApi, mutation: string, input: unknown): Promise<any> {
  const { change, userErrors } = await actOn(api, mutation, input, 'change { id digest }');
  if (userErrors.length > 0) throw new Error(JSON.stringify(userErrors));
  return decideOn(api, { id: change.id, digest: change.digest });
}
