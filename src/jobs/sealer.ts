import { sealChains } from '../db/chains.js';
import type { Sql } from '../db/connect.js';
import { messageOf } from '../errors.js';
import type { Log } from '../telemetry.js';

export interface SealerOptions {
  readonly sql: Sql;
  readonly log: Log;
  readonly intervalMs?: number;
}

const INTERVAL_MS = 1000;

/**
 * Seals the chains a moment after their rows were committed, past every transaction that writes them. Any number of
 * processes may do it: one at a time works, and the others find nothing left.
 */
export class ChainSealer {
  readonly #options: SealerOptions;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #lastFailure = '';

  constructor(options: SealerOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = setInterval(() => {
      this.#running ??= this.#seal().finally(() => {
        this.#running = undefined;
      });
    }, this.#options.intervalMs ?? INTERVAL_MS);
  }

  /** Ends after the rows that are being sealed, if any. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#stopping.abort();
    await this.#running;
  }

  async #seal(): Promise<void> {
    const { sql, log } = this.#options;
    let failure = '';
    try {
      await sealChains(sql, { signal: this.#stopping.signal });
    } catch (error) {
      failure = messageOf(error);
    }
    // Told once, not every second; that it is over, too.
    if (failure === this.#lastFailure) return;
    if (failure === '') log.info('the chains are sealed again');
    else log.error({ error: failure }, 'the chains could not be sealed; it is tried again');
    this.#lastFailure = failure;
  }
}
