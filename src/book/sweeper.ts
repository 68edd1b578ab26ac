import { performance } from 'node:perf_hooks';
import { Worker } from 'node:worker_threads';
import type { ColumnReader } from './column-reader.js';
import { toMessage, type AnswerMessage, type Known } from './sweep-message.js';
import type { Swept, SweepTask } from './sweep.js';

interface Waiting {
  readonly resolve: (swept: Swept) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Sweeps in a thread of its own, so that this one goes on answering. What it makes comes over whole, without a copy,
 * and becomes a state in one step of this thread: whoever reads sees the old state or the new one, whole.
 */
export class Sweeper {
  readonly #onSwept: ((seconds: number) => void) | undefined;
  #worker: Worker | undefined;
  #known: Known | undefined;
  #tasks = 0;
  readonly #waiting = new Map<number, Waiting>();
  readonly #numbers = new WeakMap<ColumnReader, number>();
  #numbered = 0;

  /** `onSwept` is told how long each one took. */
  constructor(onSwept?: (seconds: number) => void) {
    this.#onSwept = onSwept;
  }

  readonly sweep = (task: SweepTask): Promise<Swept> => {
    const worker = this.#started();
    const columns = this.#numberOf(task.columns);
    const number = ++this.#tasks;
    const message = toMessage(number, task, columns, this.#known);
    this.#known = { columns, ids: task.columns.names.ids.length };
    const begunMs = performance.now();
    return new Promise<Swept>((resolve, reject) => {
      const tell = (swept: Swept): void => {
        this.#onSwept?.((performance.now() - begunMs) / 1000);
        resolve(swept);
      };
      this.#waiting.set(number, { resolve: tell, reject });
      worker.postMessage(message);
    });
  };

  async stop(): Promise<void> {
    const worker = this.#worker;
    if (worker === undefined) return;
    this.#lose(worker, new Error('the sweeping thread was stopped'));
    await worker.terminate();
  }

  #started(): Worker {
    if (this.#worker !== undefined) return this.#worker;
    const worker = startWorker();
    worker.on('message', (answer: AnswerMessage) => {
      const waiting = this.#waiting.get(answer.number);
      this.#waiting.delete(answer.number);
      if (answer.failure === undefined) waiting?.resolve(answer.swept);
      else waiting?.reject(new Error(`a sweep failed: ${answer.failure}`));
    });
    worker.on('error', (error) => {
      this.#lose(worker, error);
    });
    worker.on('exit', () => {
      this.#lose(worker, new Error('the sweeping thread has ended'));
    });
    // Nothing is lost when the process ends in the middle of a sweep.
    worker.unref();
    this.#worker = worker;
    return worker;
  }

  /** The next sweep begins with a new thread, which knows nothing. */
  #lose(worker: Worker, error: unknown): void {
    // An error is followed by the thread's exit, and by then another may be at work.
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    this.#known = undefined;
    for (const { reject } of this.#waiting.values()) reject(error instanceof Error ? error : new Error(String(error)));
    this.#waiting.clear();
  }

  #numberOf(columns: ColumnReader): number {
    const known = this.#numbers.get(columns) ?? this.#numbered++;
    this.#numbers.set(columns, known);
    return known;
  }
}

function startWorker(): Worker {
  const isSource = import.meta.url.endsWith('.ts');
  const entry = new URL(isSource ? './sweep-start.mjs' : './sweep-worker.js', import.meta.url);
  // What it makes are typed arrays, which count elsewhere: little is to be young there.
  return new Worker(entry, { execArgv: [], resourceLimits: { maxYoungGenerationSizeMb: 4 } });
}
