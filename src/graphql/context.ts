import { performance } from 'node:perf_hooks';
import type { Caller } from '../access/caller.js';
import type { Verify } from '../access/verify.js';
import type { BookFollower, FollowedBook } from '../book/follower.js';
import type { SelfCheck } from '../book/self-check.js';
import type { Sql } from '../db/connect.js';
import { withDeadline } from '../db/deadline.js';
import type { Prisma } from '../db/prisma.js';
import type { AccountRow } from '../db/read-accounts.js';
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

/** Of one request, or of one stream. */
export interface Context extends Asker {
  readonly parts: ServedParts;
  /** Given when nobody waits for the answer any more. */
  readonly deadline: AbortSignal;
  /** For the length of a mutation with the key of its request. */
  actor: Actor;
  sql: Sql;
  prisma: Prisma;
  /** Taken once, so that all figures of an answer belong together; only a mutation and a stream take a newer one. */
  readonly book: FollowedBook;
  readonly loaders: Loaders;
  /** From now on another book, left out: the newest when it is next asked for; and nothing that was read before. */
  renew(book?: FollowedBook): void;
  /** What never changes of these accounts need not be read again. */
  remember(accounts: readonly AccountRow[]): void;
}

/** Apollo goes on with a copy of its properties, so it has no hidden ones. */
export class RequestContext implements Context {
  readonly parts: ServedParts;
  readonly caller: Caller;
  actor: Actor;
  readonly log: Log;
  readonly outcome: Outcome;
  readonly deadline: AbortSignal;
  sql: Sql;
  prisma: Prisma;
  // Both only while they are needed: a stream that waits would keep a whole state of the book alive.
  private taken: FollowedBook | undefined;
  private made: Loaders | undefined;
  private known: readonly AccountRow[] = [];

  constructor(parts: ServedParts, { caller, actor, log, outcome }: Asker, deadline: AbortSignal) {
    this.parts = parts;
    this.caller = caller;
    this.actor = actor;
    this.log = log;
    this.outcome = outcome;
    this.deadline = deadline;
    this.sql = withDeadline(parts.sql, deadline);
    this.prisma = parts.prisma;
    this.taken = parts.book.current();
  }

  get book(): FollowedBook {
    return (this.taken ??= this.parts.book.current());
  }

  get loaders(): Loaders {
    if (this.made !== undefined) return this.made;
    this.made = makeLoaders(this.sql, this.prisma);
    for (const row of this.known) this.made.account.prime(row.id, row);
    return this.made;
  }

  renew(book?: FollowedBook): void {
    this.taken = book;
    this.made = undefined;
  }

  remember(accounts: readonly AccountRow[]): void {
    this.known = accounts;
  }
}

/** A mutation writes to the primary, and reads there what it has written: a standby may not show it yet. */
export function turnToPrimary(context: Context): void {
  const { primary } = context.parts;
  if (primary === undefined) return;
  context.sql = withDeadline(primary.sql, context.deadline);
  context.prisma = primary.prisma;
  context.renew(context.book);
}

/** After a mutation: its answer, and the mutations behind it, see what it changed. */
export async function takeNewBook(context: Context): Promise<void> {
  context.renew(await context.parts.book.refresh());
}

/** In milliseconds, by this process's monotonic clock. */
export function bookAgeMs(book: Pick<FollowedBook, 'takenAtMs'>): number {
  return Math.max(0, Math.floor(performance.now() - book.takenAtMs));
}

/** The database's clock by now, without asking it. */
export function instantNow(book: Pick<FollowedBook, 'at' | 'takenAtMs'>): Instant {
  return addMilliseconds(book.at, bookAgeMs(book));
}
