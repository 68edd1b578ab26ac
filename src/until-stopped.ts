import { performance } from 'node:perf_hooks';
import process from 'node:process';

/** npm passes on the SIGINT that the terminal has given the service already: two within milliseconds are one. */
const SAME_SIGNAL_MS = 1000;
const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/**
 * Resolves at the first SIGINT or SIGTERM, or as `other` does if that settles before. From then on a further signal,
 * a while later, ends the process at once.
 */
export async function untilStopped<T = never>(other?: Promise<T>): Promise<T | NodeJS.Signals> {
  let first: number | undefined;
  return new Promise((resolve, reject) => {
    // Signal handlers keep no process alive by themselves.
    const alive = setInterval(() => undefined, 60_000);
    const onSignal = (signal: NodeJS.Signals): void => {
      if (first !== undefined && performance.now() - first > SAME_SIGNAL_MS) process.exit(1);
      first ??= performance.now();
      clearInterval(alive);
      resolve(signal);
    };
    for (const signal of SIGNALS) process.on(signal, onSignal);
    other?.then(resolve, reject).finally(() => {
      clearInterval(alive);
    });
  });
}
