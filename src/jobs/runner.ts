import { performance } from 'node:perf_hooks';
import { BookFollower } from '../book/follower.js';
import type { Sql } from '../db/connect.js';
import type { JobDuty } from '../db/read-duty.js';
import { runLap, type LapMemory, type LapResult } from '../engine/run-lap.js';
import { messageOf } from '../errors.js';
import type { Metrics } from '../operations/metrics.js';
import type { Log } from '../telemetry.js';
import { lookAtDuty, mustTakeOver, standsBy } from './duty.js';

export interface RunnerOptions {
  readonly sql: Sql;
  readonly log: Log;
  /** Who runs, for the record: host and process. */
  readonly worker: string;
  /** How often the job is looked at; whether it is due is the job's row to say. */
  readonly pollMs?: number;
  /** The book that laps go on from, and what is remembered; left out: a book of the runner's own. */
  readonly memory?: LapMemory;
  readonly metrics?: Pick<Metrics, 'ranLap' | 'failedLap'>;
}

const DEFAULT_POLL_MS = 250;
/** After a failure, before the same lap is tried again. */
const PAUSE_AFTER_FAILURE_MS = 1000;

type Outcome = LapResult | { readonly kind: 'STANDS_BY'; readonly worker: string } | { readonly kind: 'FAILED' };

type Hint = 'NONE' | 'MAYBE' | 'SURE';

/** A lap that was hinted at while another engine was at work: the round it came after, and since when it is owed. */
interface Owed {
  readonly round: string;
  readonly sinceMs: number;
}

/**
 * Runs the waterfall on its interval and on hints, one lap at a time. Any number of processes may run it on one
 * database: the lap itself lets one in. Whoever did the last round goes on; the others stand by, and take over when a
 * lap is owed and does not come.
 */
export class JobRunner {
  readonly #options: RunnerOptions;
  #isStopping = false;
  #hinted: Hint = 'NONE';
  #wake: (() => void) | undefined;
  #loop: Promise<void> | undefined;
  #lastIdleReason = '';
  #owed: Owed | undefined;
  readonly #memory: LapMemory;

  constructor(options: RunnerOptions) {
    this.#options = options;
    this.#memory = options.memory ?? { books: new BookFollower(options) };
  }

  start(): void {
    this.#loop ??= this.#run();
  }

  /**
   * Something was recorded that a lap should see now rather than at the next interval. Not sure: it may have been, while
   * this process could not hear of it; an engine at work elsewhere is then not blamed for a lap that does not come.
   */
  hint(isSure = true): void {
    if (this.#hinted !== 'SURE') this.#hinted = isSure ? 'SURE' : 'MAYBE';
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
      const hinted = this.#hinted;
      this.#hinted = 'NONE';
      const result = await this.#look(hinted);
      if (result.kind === 'FAILED') await this.#pause(PAUSE_AFTER_FAILURE_MS);
      else if (result.kind !== 'RAN' || !result.more) await this.#pause(this.#options.pollMs ?? DEFAULT_POLL_MS);
    }
  }

  async #look(hinted: Hint): Promise<Outcome> {
    try {
      const duty = await lookAtDuty(this.#options.sql);
      const outcome = standsBy(duty, this.#options.worker)
        ? await this.#standBy(duty, hinted === 'SURE')
        : await this.#lap(hinted === 'NONE');
      this.#tellIdle(outcome);
      return outcome;
    } catch (error) {
      this.#options.metrics?.failedLap();
      this.#options.log.error({ error: messageOf(error) }, 'lap failed; it is tried again');
      return { kind: 'FAILED' };
    }
  }

  async #standBy(duty: JobDuty, isHinted: boolean): Promise<Outcome> {
    if (this.#owed?.round !== duty.round) this.#owed = undefined;
    if (isHinted) this.#owed ??= { round: duty.round, sinceMs: performance.now() };
    const hintedForMs = this.#owed === undefined ? 0 : performance.now() - this.#owed.sinceMs;
    if (duty.paused || !mustTakeOver(duty, hintedForMs)) return { kind: 'STANDS_BY', worker: duty.worker ?? '' };
    const outcome = await this.#lap(this.#owed === undefined);
    if (outcome.kind === 'RAN') this.#options.log.info(`took over from ${duty.worker ?? 'nobody'}`);
    return outcome;
  }

  async #lap(onlyIfDue: boolean): Promise<LapResult> {
    const { sql, worker, log } = this.#options;
    const begunMs = performance.now();
    const result = await runLap(sql, { worker, onlyIfDue, memory: this.#memory });
    if (result.kind === 'RAN') {
      this.#options.metrics?.ranLap(result, (performance.now() - begunMs) / 1000);
      const { round, counts, attempts } = result;
      const { transitions, liquidations, events, badDebts, exemptionsEnded } = counts;
      const isQuiet = transitions + liquidations + events + badDebts + exemptionsEnded === 0;
      log[isQuiet ? 'debug' : 'info']({ round, attempts, ...counts }, 'lap');
    }
    return result;
  }

  /** Why this process does not run laps, told once, not every quarter of a second. */
  #tellIdle(outcome: Outcome): void {
    const reason = idleReasonOf(outcome);
    if (reason !== '' && reason !== this.#lastIdleReason) this.#options.log.info(`no lap here: ${reason}`);
    if (outcome.kind !== 'NOT_DUE') this.#lastIdleReason = reason;
  }

  async #pause(milliseconds: number): Promise<void> {
    if (this.#isStopping || this.#hinted !== 'NONE') return;
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

function idleReasonOf(outcome: Outcome): string {
  if (outcome.kind === 'STANDS_BY') return `${outcome.worker} is at work`;
  if (outcome.kind === 'BUSY') return 'another process is inside a lap';
  return outcome.kind === 'PAUSED' ? 'the job is paused' : '';
}
