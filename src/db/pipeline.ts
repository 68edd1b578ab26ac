/**
 * Waits for statements of one transaction that were sent one behind the other, without waiting for each other's answers.
 * Each to its end, even when one fails: a statement sent after the rollback would be a transaction of its own.
 */
export async function allSent(sent: readonly Promise<unknown>[]): Promise<unknown> {
  await Promise.allSettled(sent);
  return Promise.all(sent);
}

/** Statements of one transaction, sent as they come. */
export class Pipeline {
  readonly #sent: Promise<unknown>[] = [];

  send(statement: Promise<unknown>): void {
    // It is waited for at the end; until then a failure is not an unhandled one.
    statement.catch(() => undefined);
    this.#sent.push(statement);
  }

  /** Throws the first failure. */
  async done(): Promise<void> {
    await allSent(this.#sent);
  }
}
