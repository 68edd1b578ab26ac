import { performance } from 'node:perf_hooks';
import type { Sql, Tx } from '../db/connect.js';
import type { HistoryPlace } from '../db/history-place.js';
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
  /** From so many accounts on; as `takeBook` has it when left out. */
  readonly sweptElsewhereFrom?: number;
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
  /** The newest book, and the number of the refresh that took it. */
  #taken: TakenBook | undefined;
  #takenBy = 0;
  /** What the next refresh goes on from; undefined: it makes the book from nothing. */
  #base: TakenBook | undefined;
  #refreshes = 0;
  /** Goes up with each `rebuild`: what was begun before it counts no more. */
  #generation = 0;
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
    await this.inspect(() => Promise.resolve());
    return this.taken().book;
  }

  /** A refresh, whose book and whose transaction `look` sees together: both show the same snapshot. */
  async inspect<T>(look: (tx: Tx, book: FollowedBook) => Promise<T>): Promise<T> {
    const { sql, sweeper, sweptElsewhereFrom, onProgress } = this.#options;
    const number = ++this.#refreshes;
    for (;;) {
      const [askedAtMs, generation, base] = [performance.now(), this.#generation, this.#base];
      // Before the snapshot, which then holds all that was committed until this instant, on a standby as well.
      const { at, lagMs } = await readDataInstant(sql);
      const [taken, seen] = await inTransaction(
        sql,
        { isolation: 'repeatable read', readOnly: true },
        async (tx): Promise<[TakenBook, T]> => {
          const isFirst = this.#taken === undefined;
          const options = { sweeper, sweptElsewhereFrom, onProgress: isFirst ? onProgress : undefined };
          const { book, ...rest } = await takeBook(tx, at, base, options);
          const dated = { book: book.dated(askedAtMs - lagMs), ...rest };
          return [dated, await look(tx, dated.book)];
        },
      );
      if (generation !== this.#generation) continue;
      if (base !== undefined && taken.isAnew) this.#tellOfAnotherHistory(base.place, taken.place);
      this.#keep(taken, number);
      return seen;
    }
  }

  /** Forgets what is known, and takes the book from nothing; until it is there, the last one stays. */
  async rebuild(): Promise<FollowedBook> {
    this.#generation++;
    this.#base = undefined;
    return this.refresh();
  }

  /** Refreshes may overtake each other: within one history the data tell which is newer, across two the asking does. */
  #keep(taken: TakenBook, number: number): void {
    const last = this.#base;
    const isNewer =
      last === undefined ||
      (last.place.history === taken.place.history && !taken.isAnew
        ? last.book.at <= taken.book.at
        : this.#takenBy < number);
    if (!isNewer) return;
    this.#taken = taken;
    this.#base = taken;
    this.#takenBy = number;
  }

  #tellOfAnotherHistory(was: HistoryPlace, is: HistoryPlace): void {
    this.#options.log.warn({ was, is }, 'another history of the database: the book is made anew');
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
