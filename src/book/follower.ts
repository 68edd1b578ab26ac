import { performance } from 'node:perf_hooks';
import type { Sql } from '../db/connect.js';
import { readDataInstant } from '../db/standby.js';
import { inTransaction } from '../db/transaction.js';
import { messageOf } from '../errors.js';
import type { Log } from '../telemetry.js';
import type { Book } from './book.js';
import type { Sweeper } from './sweeper.js';
import { takeBook, type TakenBook } from './take-book.js';

/** A book, and when this process took it, by its own monotonic clock: what its age is measured from. */
export interface FollowedBook extends Book {
  readonly takenAtMs: number;
}

export interface FollowerOptions {
  readonly sql: Sql;
  readonly log: Log;
  /** A refresh at least so often, hints or none. */
  readonly intervalMs?: number;
  /** Sweeps a large book in a thread of its own. */
  readonly sweeper?: Sweeper;
  /** Told of the first book's accounts as they are read. */
  readonly onProgress?: (accounts: number) => void;
}

const DEFAULT_INTERVAL_MS = 1000;

/**
 * Keeps the newest book in memory. A cache with an age, never a source of truth: it is made anew from one snapshot
 * of the database after a hint or an interval, and a failed refresh only lets the last one grow old.
 */
export class BookFollower {
  readonly #options: FollowerOptions;
  #taken: TakenBook | undefined;
  #refreshing: Promise<void> | undefined;
  #isWanted = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: FollowerOptions) {
    this.#options = options;
  }

  /** Takes the first book; from then on follows. */
  async start(): Promise<void> {
    await this.refresh();
    this.#timer = setInterval(() => {
      this.hint();
    }, this.#options.intervalMs ?? DEFAULT_INTERVAL_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#isWanted = false;
    await this.#refreshing;
  }

  current(): FollowedBook {
    return this.taken().book;
  }

  /** The newest book with its place in the database's history: where another reader may go on from. */
  taken(): TakenBook {
    if (this.#taken === undefined) throw new Error('the book has not been taken yet');
    return this.#taken;
  }

  /** Something changed, or may have: a refresh follows, one at a time, however many hints come meanwhile. */
  hint(): void {
    this.#isWanted = true;
    this.#refreshing ??= this.#drain().finally(() => {
      this.#refreshing = undefined;
    });
  }

  /** Takes a book that is newer than this call, and returns it. */
  async refresh(): Promise<FollowedBook> {
    const { sql, log, sweeper, onProgress } = this.#options;
    const askedAtMs = performance.now();
    const last = this.#taken;
    // Before the snapshot, which then holds all that was committed until this instant, on a standby as well.
    const { at, lagMs } = await readDataInstant(sql);
    const taken = await inTransaction(sql, { isolation: 'repeatable read', readOnly: true }, (tx) =>
      takeBook(tx, at, last, { sweeper, onProgress: last === undefined ? onProgress : undefined }),
    );
    if (last !== undefined && taken.book.columns !== last.book.columns && taken.place.history !== last.place.history) {
      log.warn(
        { was: last.place.history, is: taken.place.history },
        'another history of the database: the book is made anew',
      );
    }
    if (this.#taken === undefined || this.#taken.book.at <= taken.book.at) {
      this.#taken = { ...taken, book: taken.book.dated(askedAtMs - lagMs) };
    }
    return this.#taken.book;
  }

  async #drain(): Promise<void> {
    while (this.#isWanted) {
      this.#isWanted = false;
      try {
        await this.refresh();
      } catch (error) {
        this.#options.log.warn({ error: messageOf(error) }, 'the book could not be refreshed');
      }
    }
  }
}
