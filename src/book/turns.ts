/** One at a time, in the order of asking. Whoever takes long is not waited for: turns save work, and nothing rests on them. */
export class Turns {
  readonly #limitMs: number;
  #last: Promise<unknown> = Promise.resolve();

  constructor(limitMs: number) {
    this.#limitMs = limitMs;
  }

  /** Resolves when it is the caller's turn, to what ends it. */
  async begin(): Promise<() => void> {
    const before = this.#last;
    let end = (): void => undefined;
    this.#last = new Promise<void>((resolve) => {
      end = resolve;
    });
    await before;
    const timer = setTimeout(end, this.#limitMs).unref();
    return () => {
      clearTimeout(timer);
      end();
    };
  }
}
