import type { Tx } from '../db/connect.js';
import { messageOf } from '../errors.js';
import type { Instant } from '../risk/instant.js';
import type { Log } from '../telemetry.js';
import type { Book } from './book.js';
import { compareMargins, type Comparison } from './margin-comparison.js';

/** A book in this process's memory. */
export interface CheckedBook {
  /** The newest book, in a transaction that shows the same snapshot. */
  inspect<T>(look: (tx: Tx, book: Book) => Promise<T>): Promise<T>;
  /** Forgets it, so that it is made from nothing. */
  rebuild(): Promise<unknown>;
}

export interface SelfCheckStatus {
  /** Accounts compared since this process began, each time anew. */
  readonly checked: number;
  /** Figures that differed. */
  readonly differences: number;
  /** Instant of the book that was compared last; null: none yet. */
  readonly lastAt: Instant | null;
}

export interface SelfCheckOptions {
  readonly book: CheckedBook;
  readonly log: Log;
  /** Accounts a time. */
  readonly sampleSize?: number;
  readonly intervalMs?: number;
}

const SAMPLE_SIZE = 100;
const INTERVAL_MS = 10_000;
/** Of one comparison: what is wrong in one place is often wrong in all. */
const MOST_LOGGED = 20;

/**
 * Holds the book against the views of the database, which compute the same by themselves: some accounts a time, all of
 * them one round after the other. A book that differs is made from nothing.
 */
export class SelfCheck {
  readonly #options: SelfCheckOptions;
  #status: SelfCheckStatus = { checked: 0, differences: 0, lastAt: null };
  /** Where the next comparison goes on. */
  #after = '';
  /** The book was made from nothing because of the accounts behind `#after`, which are looked at once more. */
  #isRepeated = false;
  #running: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: SelfCheckOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = setInterval(() => {
      this.#running ??= this.#run().finally(() => {
        this.#running = undefined;
      });
    }, this.#options.intervalMs ?? INTERVAL_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#running;
  }

  status(): SelfCheckStatus {
    return this.#status;
  }

  /** Compares the next accounts. */
  async check(): Promise<void> {
    const { book, sampleSize = SAMPLE_SIZE } = this.#options;
    const [comparison, at] = await book.inspect(async (tx, newest): Promise<[Comparison, Instant]> => [
      await compareMargins(tx, newest, this.#after, sampleSize),
      newest.at,
    ]);
    const { accounts, differences, next } = comparison;
    this.#status = {
      checked: this.#status.checked + accounts,
      differences: this.#status.differences + differences.length,
      lastAt: at,
    };
    if (differences.length > 0) this.#tell(comparison, at);
    const isMended = differences.length === 0;
    if (isMended || this.#isRepeated) this.#after = next ?? '';
    const wasRepeated = this.#isRepeated;
    // Once: where a book made from nothing differs too, memory is not to blame, and making it again would not help.
    this.#isRepeated = !isMended && !wasRepeated;
    if (this.#isRepeated) await book.rebuild();
  }

  #tell({ differences }: Comparison, at: Instant): void {
    const { log } = this.#options;
    for (const difference of differences.slice(0, MOST_LOGGED)) {
      log.error({ ...difference, at }, 'self-check: the book differs from the database');
    }
    log.error(
      { differences: differences.length, at },
      this.#isRepeated
        ? 'self-check: a book made from nothing differs as well; the rules and the views do not agree'
        : 'self-check: the book is made from nothing',
    );
  }

  async #run(): Promise<void> {
    try {
      await this.check();
    } catch (error) {
      this.#options.log.warn({ error: messageOf(error) }, 'self-check: could not compare');
    }
  }
}
