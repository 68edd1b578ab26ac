import { performance } from 'node:perf_hooks';

export interface Times {
  readonly runs: number;
  readonly medianMs: number;
  readonly p99Ms: number;
}

export function summarize(milliseconds: readonly number[]): Times {
  const sorted = [...milliseconds].sort((a, b) => a - b);
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
  return { runs: sorted.length, medianMs: at(0.5), p99Ms: at(0.99) };
}

/** Wall time of each of `runs` calls, after one that does not count; `prepare` before each is not timed. */
export async function time(
  runs: number,
  work: () => Promise<unknown>,
  prepare?: () => Promise<unknown>,
): Promise<Times> {
  await work();
  const taken: number[] = [];
  for (let i = 0; i < runs; i++) {
    await prepare?.();
    const start = performance.now();
    await work();
    taken.push(performance.now() - start);
  }
  return summarize(taken);
}
