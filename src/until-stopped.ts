import process from 'node:process';

/** Resolves at the first SIGINT or SIGTERM, or with the reason for which `other` settles before. A second signal ends at once. */
export async function untilStopped<T = never>(other?: Promise<T>): Promise<T | NodeJS.Signals> {
  return new Promise((resolve, reject) => {
    const stopAtOnce = (): void => {
      process.exit(1);
    };
    const onSignal = (signal: NodeJS.Signals): void => {
      process.on(signal, stopAtOnce);
      resolve(signal);
    };
    process.once('SIGINT', onSignal);
    process.once('SIGTERM', onSignal);
    // Signals keep no process alive by themselves.
    const alive = setInterval(() => undefined, 60_000);
    const settle = (): void => {
      clearInterval(alive);
    };
    process.once('SIGINT', settle);
    process.once('SIGTERM', settle);
    other?.then(resolve, reject).finally(settle);
  });
}
