/** Tells those who wait for news that there may be some; whoever was busy meanwhile finds out at once. */
export class Pulse {
  #count = 0;
  #isOver = false;
  #waiting: (() => void)[] = [];
  readonly #shared = new Map<string, Promise<unknown>>();
  readonly #timer: NodeJS.Timeout;

  /** Beats at least so often: age alone can change what is shown. */
  constructor(intervalMs: number) {
    this.#timer = setInterval(() => {
      this.beat();
    }, intervalMs).unref();
  }

  get count(): number {
    return this.#count;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  beat(): void {
    this.#count++;
    this.#shared.clear();
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /** What is made once between two beats, whoever asks for it: readers at the same place read it together. */
  shared<T>(key: string, make: () => Promise<T>): Promise<T> {
    const made = (this.#shared.get(key) as Promise<T> | undefined) ?? make();
    this.#shared.set(key, made);
    return made;
  }

  /** Resolves once there was a beat after that count. */
  async after(count: number): Promise<void> {
    if (this.#count > count || this.#isOver) return;
    await new Promise<void>((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#isOver = true;
    this.beat();
  }
}
