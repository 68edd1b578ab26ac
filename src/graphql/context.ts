import { performance } from 'node:perf_hooks';
import type { Caller } from '../access/caller.js';
import type { Verify } from '../access/verify.js';
import type { BookFollower, FollowedBook } from '../book/follower.js';
import type { SelfCheck } from '../book/self-check.js';
import type { Sql } from '../db/connect.js';
import { withDeadline } from '../db/deadline.js';
import type { Prisma } from '../db/prisma.js';
import type { Actor } from '../db/record-audit.js';
import type { LapCompany, LapResult } from '../engine/run-lap.js';
import { addMilliseconds, type Instant } from '../risk/instant.js';
import type { Metrics } from '../operations/metrics.js';
import type { Log } from '../telemetry.js';
import type { Pulse } from './live/pulse.js';
import { makeLoaders, type Loaders } from './loaders.js';
import type { Outcome } from './outcome.js';
import type { RateLimit } from './rate-limit.js';

/** Runs a round of the waterfall at once. */
export type RunJob = (dryRun: boolean, company?: LapCompany) => Promise<LapResult>;

/** The clients of one database server. */
export interface Clients {
  readonly sql: Sql;
  readonly prisma: Prisma;
}

/** What one request may take, and how many of them. */
export interface Limits {
  /** Whether the contract may be asked for. */
  readonly introspection: boolean;
  /** So long a request may take to arrive, and as long again to be answered. */
  readonly requestTimeoutMs: number;
  /** Of one caller; null: any number. */
  readonly rate: RateLimit | null;
  /** Addresses whose `x-forwarded-for` is believed. */
  readonly trustedProxies: readonly string[];
}

/** What the API is made from; the process owns all of it. */
export interface ApiParts extends Clients {
  /** Of the process: with an engine beside the API it is all. */
  readonly role: 'api' | 'all';
  readonly limits: Limits;
  /** Where mutations go when the clients above are those of a standby, which takes no writes. */
  readonly primary?: Clients;
  readonly book: Pick<BookFollower, 'current' | 'refresh' | 'onBook' | 'suppose'>;
  readonly log: Log;
  readonly verify: Verify;
  /** Sites whose pages may ask. */
  readonly corsOrigins: readonly string[];
  /** A reader of streams to whom nothing could be sent for so long is closed; left out: 15 s. */
  readonly slowReaderMs?: number;
  readonly runJob: RunJob;
  readonly selfCheck: Pick<SelfCheck, 'status'>;
  readonly metrics: Metrics;
  /** Whoever reads metrics has it; undefined: whoever is on this machine. */
  readonly metricsToken?: string | undefined;
}

/** The same, served. */
export interface ServedParts extends ApiParts {
  /** Beats when there may be news. */
  readonly pulse: Pulse;
}

/** Whose request it is. */
export interface Asker {
  readonly caller: Caller;
  /** The caller as the audit log names him. */
  readonly actor: Actor;
  /** Every line of it has the request's id. */
  readonly log: Log;
  /** What becomes of it. */
  readonly outcome: Outcome;
}

/** Of one request. */
export interface Context extends Asker {
  readonly parts: ServedParts;
  /** Given when nobody waits for the answer any more. */
  readonly deadline: AbortSignal;
  /** For the length of a mutation with the key of its request. */
  actor: Actor;
  sql: Sql;
  prisma: Prisma;
  /** Taken once, so that all figures of an answer belong together; only a mutation takes a newer one. */
  book: FollowedBook;
  loaders: Loaders;
}

export function makeContext(parts: ServedParts, asker: Asker, deadline: AbortSignal): Context {
  const { prisma, book } = parts;
  const sql = withDeadline(parts.sql, deadline);
  return { ...asker, parts, deadline, sql, prisma, book: book.current(), loaders: makeLoaders(sql, prisma) };
}

/** A mutation writes to the primary, and reads there what it has written: a standby may not show it yet. */
export function turnToPrimary(context: Context): void {
  const { primary } = context.parts;
  if (primary === undefined) return;
  context.sql = withDeadline(primary.sql, context.deadline);
  context.prisma = primary.prisma;
  context.loaders = makeLoaders(context.sql, context.prisma);
}

/** After a mutation: its answer, and the mutations behind it, see what it changed. */
export async function takeNewBook(context: Context): Promise<void> {
  context.book = await context.parts.book.refresh();
  context.loaders = makeLoaders(context.sql, context.prisma);
}

/** In milliseconds, by this process's monotonic clock. */
export function bookAgeMs(book: Pick<FollowedBook, 'takenAtMs'>): number {
  return Math.max(0, Math.floor(performance.now() - book.takenAtMs));
}

/** The database's clock by now, without asking it. */
export function instantNow(book: Pick<FollowedBook, 'at' | 'takenAtMs'>): Instant {
  return addMilliseconds(book.at, bookAgeMs(book));
}
