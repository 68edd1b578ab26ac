import { setTimeout as sleep } from 'node:timers/promises';
import type { Sql } from '../db/connect.js';
import { removeOldKeys } from '../db/request-keys.js';
import { removeUnneeded, THINNED, type Thinned } from '../db/retention.js';
import { messageOf } from '../errors.js';
import type { Log } from '../telemetry.js';

export interface RetentionOptions {
  readonly sql: Sql;
  readonly log: Log;
  /** What happened or was stored within so many days stays; undefined: everything but keys does. */
  readonly days: number | undefined;
  /** Between two batches. */
  readonly pauseMs?: number;
  /** After everything old was looked at, or while another process is at it. */
  readonly restMs?: number;
  /** Rows that one batch looks at. */
  readonly atMost?: number;
}

const PAUSE_MS = 1000;
const REST_MS = 3_600_000;
/** Some milliseconds each batch; 3.6 million rows an hour, more than a feed brings. */
const ROWS_PER_BATCH = 1000;
const FROM_THE_BEGINNING = '0';

/**
 * Removes keys of requests whose term is over and, where it is told to, old prices, order books and told snapshots that nothing
 * needs, a batch at a time. Any number of processes may do it. Where it is it keeps in mind alone: one that is killed leaves
 * whole batches, and the next one looks from the beginning.
 */
export class Retention {
  readonly #options: RetentionOptions;
  readonly #stopping = new AbortController();
  #loop: Promise<void> | undefined;

  constructor(options: RetentionOptions) {
    this.#options = options;
  }

  start(): void {
    this.#loop ??= this.#run();
  }

  /** Ends after the batch that is under way, if any. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#loop;
  }

  async #run(): Promise<void> {
    const { log, restMs = REST_MS } = this.#options;
    while (!this.#stopping.signal.aborted) {
      try {
        await this.#removeKeys();
        const { days } = this.#options;
        if (days !== undefined) for (const table of THINNED) await this.#thin(table, days);
      } catch (error) {
        log.error({ error: messageOf(error) }, 'old rows could not be removed; it is tried again');
      }
      await this.#wait(restMs);
    }
  }

  async #removeKeys(): Promise<void> {
    const { sql, log, pauseMs = PAUSE_MS, atMost = ROWS_PER_BATCH } = this.#options;
    let removed = 0;
    for (let batch = atMost; batch === atMost && !this.#stopping.signal.aborted;) {
      batch = await removeOldKeys(sql, atMost);
      removed += batch;
      if (batch === atMost) await this.#wait(pauseMs);
    }
    if (removed > 0) log.info({ table: 'idempotency_key', removed }, 'old rows were removed');
  }

  async #thin(table: Thinned, days: number): Promise<void> {
    const { sql, log, pauseMs = PAUSE_MS, atMost = ROWS_PER_BATCH } = this.#options;
    let after: string | null = FROM_THE_BEGINNING;
    let removed = 0;
    while (after !== null && !this.#stopping.signal.aborted) {
      const step = await removeUnneeded(sql, table, { days, after, atMost });
      removed += step?.removed ?? 0;
      after = step?.lookedTo ?? null;
      if (after !== null) await this.#wait(pauseMs);
    }
    if (removed > 0) log.info({ table, removed, days }, 'old rows were removed');
  }

  async #wait(milliseconds: number): Promise<void> {
    await sleep(milliseconds, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
  }
}
