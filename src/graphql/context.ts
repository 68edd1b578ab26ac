import { performance } from 'node:perf_hooks';
import type { Caller } from '../access/caller.js';
import type { Verify } from '../access/verify.js';
import type { BookFollower, FollowedBook } from '../book/follower.js';
import type { SelfCheck } from '../book/self-check.js';
import type { Sql } from '../db/connect.js';
import type { Prisma } from '../db/prisma.js';
import type { Actor } from '../db/record-audit.js';
import type { AlsoStore, LapResult } from '../engine/run-lap.js';
import { addMilliseconds, type Instant } from '../risk/instant.js';
import type { Log } from '../telemetry.js';
import type { Pulse } from './live/pulse.js';
import { makeLoaders, type Loaders } from './loaders.js';

/** Runs a round of the waterfall at once. */
export type RunJob = (dryRun: boolean, alsoStore?: AlsoStore) => Promise<LapResult>;

/** The clients of one database server. */
export interface Clients {
  readonly sql: Sql;
  readonly prisma: Prisma;
}

/** What the API is made from; the process owns all of it. */
export interface ApiParts extends Clients {
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
}

/** Of one request. */
export interface Context {
  readonly parts: ApiParts;
  readonly caller: Caller;
  /** The caller as the audit log names him. */
  readonly actor: Actor;
  /** Of the process: beats when there may be news. */
  readonly pulse: Pulse;
  sql: Sql;
  prisma: Prisma;
  /** Taken once, so that all figures of an answer belong together; only a mutation takes a newer one. */
  book: FollowedBook;
  loaders: Loaders;
}

export function makeContext(parts: ApiParts, asked: Pick<Context, 'caller' | 'actor' | 'pulse'>): Context {
  const { sql, prisma, book } = parts;
  return { ...asked, parts, sql, prisma, book: book.current(), loaders: makeLoaders(sql, prisma) };
}

/** A mutation writes to the primary, and reads there what it has written: a standby may not show it yet. */
export function turnToPrimary(context: Context): void {
  const { primary } = context.parts;
  if (primary === undefined) return;
  context.sql = primary.sql;
  context.prisma = primary.prisma;
  context.loaders = makeLoaders(primary.sql, primary.prisma);
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
