import { performance } from 'node:perf_hooks';
import type { Sql, Tx } from '../db/connect.js';
import { isEarlier, type HistoryPlace } from '../db/history-place.js';
import { readDataInstant } from '../db/standby.js';
import { inTransaction } from '../db/transaction.js';
import { messageOf } from '../errors.js';
import type { Circumstances } from '../db/risk-state.js';
import type { Instant } from '../risk/instant.js';
import type { Log } from '../telemetry.js';
import type { Book } from './book.js';
import type { Sweeper } from './sweeper.js';
import { advanceBook, takeBook, type TakenBook } from './take-book.js';
import { Turns } from './turns.js';

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
  /** Told how long each refresh took. */
  readonly onTaken?: (seconds: number) => void;
  /** Told of the first book's accounts as they are read. */
  readonly onProgress?: (accounts: number) => void;
}

const DEFAULT_INTERVAL_MS = 1000;
/** The first book of a large venue takes as long; after that no turn comes near it. */
const LONGEST_TURN_MS = 20_000;

/** Takes the book of the transaction's snapshot, which must not have been taken before the turn. */
export type Take = (tx: Tx, at: Instant) => Promise<TakenBook>;

interface StartingPoint {
  readonly askedAtMs: number;
  readonly number: number;
  readonly generation: number;
  readonly base: TakenBook | undefined;
}

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
  readonly #turns = new Turns(LONGEST_TURN_MS);
  readonly #supposing = new Turns(LONGEST_TURN_MS);
  /** A refresh that waits for its turn. */
  #awaited: Promise<FollowedBook> | undefined;
  #refreshing: Promise<void> | undefined;
  #isWanted = false;
  readonly #listeners = new Set<() => void>();
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

  /** Calls `listener` after each newer book, until what it returns is called. */
  onBook(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Something changed, or may have: a refresh follows, one at a time, however many hints come meanwhile. */
  hint(): void {
    this.#isWanted = true;
    this.#refreshing ??= this.#drain().finally(() => {
      this.#refreshing = undefined;
    });
  }

  /** Takes a book that is newer than this call, and returns it. Calls that wait for the same turn share one. */
  refresh(): Promise<FollowedBook> {
    this.#awaited ??= this.#inspect(
      () => Promise.resolve(),
      () => {
        this.#awaited = undefined;
      },
    ).then(() => this.current());
    return this.#awaited;
  }

  /** A refresh, whose book and whose transaction `look` sees together: both show the same snapshot. */
  inspect<T>(look: (tx: Tx, book: FollowedBook) => Promise<T>): Promise<T> {
    return this.#inspect(look, () => undefined);
  }

  /**
   * The newest book, and what it would be under other circumstances, which nobody keeps. One at a time: however many are
   * asked for, the book that is followed waits for one at most.
   */
  async suppose(
    change: (now: Circumstances) => Circumstances,
  ): Promise<{ readonly now: FollowedBook; readonly then: Book }> {
    const end = await this.#supposing.begin();
    try {
      const { book: now } = this.taken();
      const { at, venue, markets, marks, funds } = now;
      const was: Circumstances = { at, venue, markets, marks, funds };
      const circumstances = change(was);
      if (circumstances === was) return { now, then: now };
      return { now, then: await advanceBook(now, { circumstances, added: [], statuses: new Map() }, this.#options) };
    } finally {
      end();
    }
  }

  /**
   * For whoever decides in a transaction of his own: `work` takes its snapshot, then the book of it, which goes on from
   * the newest and becomes the newest. Meanwhile nobody else makes the same again.
   */
  async inTurn<T>(work: (take: Take) => Promise<T>): Promise<T> {
    const end = await this.#turns.begin();
    try {
      const from = this.#startingPoint();
      return await work((tx, at) => this.#take(tx, at, from));
    } finally {
      end();
    }
  }

  async #inspect<T>(look: (tx: Tx, book: FollowedBook) => Promise<T>, onBegin: () => void): Promise<T> {
    const { sql } = this.#options;
    for (;;) {
      const end = await this.#turns.begin();
      onBegin();
      try {
        const { askedAtMs, ...from } = this.#startingPoint();
        // Before the snapshot, which then holds all that was committed until this instant, on a standby as well.
        const { at, lagMs } = await readDataInstant(sql);
        const seen = await inTransaction(sql, { isolation: 'repeatable read', readOnly: true }, async (tx) => {
          const taken = await this.#take(tx, at, { ...from, askedAtMs: askedAtMs - lagMs });
          end();
          return look(tx, taken.book);
        });
        this.#options.onTaken?.((performance.now() - askedAtMs) / 1000);
        if (from.generation === this.#generation) return seen;
      } finally {
        end();
      }
    }
  }

  #startingPoint(): StartingPoint {
    const [askedAtMs, number] = [performance.now(), ++this.#refreshes];
    return { askedAtMs, number, generation: this.#generation, base: this.#base };
  }

  async #take(tx: Tx, at: Instant, { askedAtMs, number, generation, base }: StartingPoint): Promise<TakenBook> {
    const { sweeper, sweptElsewhereFrom, onProgress } = this.#options;
    const isFirst = this.#taken === undefined;
    const options = { sweeper, sweptElsewhereFrom, onProgress: isFirst ? onProgress : undefined };
    const { book, ...rest } = await takeBook(tx, at, base, options);
    const taken = { book: book.dated(askedAtMs), ...rest };
    if (generation === this.#generation) {
      if (base !== undefined && taken.isAnew) this.#tellOfAnotherHistory(base.place, taken.place);
      this.#keep(taken, number);
    }
    return taken;
  }

  /** Forgets what is known, and takes the book from nothing; until it is there, the last one stays. */
  async rebuild(): Promise<FollowedBook> {
    this.#generation++;
    this.#base = undefined;
    return this.refresh();
  }

  /** Some may overtake each other: within one history the snapshot tells which is newer, across two the asking does. */
  #keep(taken: TakenBook, number: number): void {
    const last = this.#base;
    const isNewer =
      last === undefined ||
      (last.place.history === taken.place.history && !taken.isAnew
        ? !isEarlier(taken.place, last.place)
        : this.#takenBy < number);
    if (!isNewer) return;
    this.#taken = taken;
    this.#base = taken;
    this.#takenBy = number;
    for (const tell of this.#listeners) tell();
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
