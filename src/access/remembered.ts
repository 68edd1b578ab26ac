import type { Caller } from './caller.js';

/** A key that is taken back counts for so much longer. */
const REMEMBERED_MS = 60_000;
const MOST_REMEMBERED = 10_000;

/** Callers of tokens that were verified a moment ago: a trader's page asks many times with one token. */
export class RememberedCallers {
  readonly #known = new Map<string, { readonly caller: Caller; readonly untilMs: number }>();

  find(token: string): Caller | undefined {
    const known = this.#known.get(token);
    if (known === undefined || Date.now() < known.untilMs) return known?.caller;
    this.#known.delete(token);
    return undefined;
  }

  remember(token: string, caller: Caller): void {
    // Rather all forgotten than sought for the oldest: they are verified again, once each.
    if (this.#known.size >= MOST_REMEMBERED) this.#known.clear();
    const expiresMs = (caller.expiresAt ?? Number.POSITIVE_INFINITY) * 1000;
    this.#known.set(token, { caller, untilMs: Math.min(expiresMs, Date.now() + REMEMBERED_MS) });
  }
}
