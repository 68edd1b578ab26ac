import type { Sql } from '../db/connect.js';
import { runLap, type LapMemory, type LapResult } from '../engine/run-lap.js';
import { messageOf } from '../errors.js';
import type { Log } from '../telemetry.js';

export interface RunnerOptions {
  readonly sql: Sql;
  readonly log: Log;
  /** Who runs, for the record: host and process. */
  readonly worker: string;
  /** How often the job is looked at; whether it is due is the job's row to say. */
  readonly pollMs?: number;
}

const DEFAULT_POLL_MS = 250;
/** After a failure, before the same lap is tried again. */
const PAUSE_AFTER_FAILURE_MS = 1000;

/**
 * Runs the waterfall on its interval and on hints, one lap at a time. Any number of processes may run it on one
 * database: the lap itself lets one in.
 */
export class JobRunner {
  readonly #options: RunnerOptions;
  #isStopping = false;
  #isHinted = false;
  #wake: (() => void) | undefined;
  #loop: Promise<void> | undefined;
  #lastIdleReason = '';
  readonly #memory: LapMemory = {};

  constructor(options: RunnerOptions) {
    this.#options = options;
  }

  start(): void {
    this.#loop ??= this.#run();
  }

  /** Something was recorded that a lap should see now rather than at the next interval. */
  hint(): void {
    this.#isHinted = true;
    this.#wake?.();
  }

  /** Ends after the lap that is running, if any. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#wake?.();
    await this.#loop;
  }

  async #run(): Promise<void> {
    while (!this.#isStopping) {
      const isHinted = this.#isHinted;
      this.#isHinted = false;
      const result = await this.#lap(isHinted);
      if (result === 'FAILED') await this.#pause(PAUSE_AFTER_FAILURE_MS);
      else if (result.kind !== 'RAN' || !result.more) await this.#pause(this.#options.pollMs ?? DEFAULT_POLL_MS);
    }
  }

  async #lap(isHinted: boolean): Promise<LapResult | 'FAILED'> {
    const { sql, worker, log } = this.#options;
    try {
      const result = await runLap(sql, { worker, onlyIfDue: !isHinted, memory: this.#memory });
      if (result.kind === 'RAN') {
        const { round, counts, attempts } = result;
        const isQuiet = counts.transitions + counts.liquidations + counts.events + counts.badDebts === 0;
        log[isQuiet ? 'debug' : 'info']({ round, attempts, ...counts }, 'lap');
      }
      this.#tellIdle(result);
      return result;
    } catch (error) {
      log.error({ error: messageOf(error) }, 'lap failed; it is tried again');
      return 'FAILED';
    }
  }

  /** Why this process does not run laps, told once, not every quarter of a second. */
  #tellIdle(result: LapResult): void {
    const reason =
      result.kind === 'BUSY' ? 'another process is inside a lap' : result.kind === 'PAUSED' ? 'the job is paused' : '';
    if (reason !== '' && reason !== this.#lastIdleReason) this.#options.log.info(`no lap here: ${reason}`);
    if (result.kind !== 'NOT_DUE') this.#lastIdleReason = reason;
  }

  async #pause(milliseconds: number): Promise<void> {
    if (this.#isStopping || this.#isHinted) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = undefined;
  }
}
