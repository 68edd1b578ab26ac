import { performance } from 'node:perf_hooks';
import type { BookFollower, FollowedBook } from '../book/follower.js';
import type { Sql } from '../db/connect.js';
import type { Prisma } from '../db/prisma.js';
import type { LapResult } from '../engine/run-lap.js';
import { addMilliseconds, type Instant } from '../risk/instant.js';
import type { Log } from '../telemetry.js';
import { makeLoaders, type Loaders } from './loaders.js';

/** Runs a round of the waterfall at once. */
export type RunJob = (dryRun: boolean) => Promise<LapResult>;

/** What the API is made from; the process owns all of it. */
export interface ApiParts {
  readonly sql: Sql;
  readonly prisma: Prisma;
  readonly book: Pick<BookFollower, 'current' | 'refresh'>;
  readonly log: Log;
  readonly runJob: RunJob;
}

/** Of one request. */
export interface Context {
  readonly parts: ApiParts;
  readonly sql: Sql;
  /** Taken once, so that all figures of an answer belong together; only a mutation takes a newer one. */
  book: FollowedBook;
  loaders: Loaders;
}

export function makeContext(parts: ApiParts): Context {
  const { sql, prisma, book } = parts;
  return { parts, sql, book: book.current(), loaders: makeLoaders(sql, prisma) };
}

/** After a mutation: its answer, and the mutations behind it, see what it changed. */
export async function takeNewBook(context: Context): Promise<void> {
  context.book = await context.parts.book.refresh();
  context.loaders = makeLoaders(context.sql, context.parts.prisma);
}

/** In milliseconds, by this process's monotonic clock. */
export function bookAgeMs(book: FollowedBook): number {
  return Math.max(0, Math.floor(performance.now() - book.takenAtMs));
}

/** The database's clock by now, without asking it. */
export function instantNow(book: FollowedBook): Instant {
  return addMilliseconds(book.at, bookAgeMs(book));
}
