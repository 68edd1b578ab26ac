import { dec, type Decimal } from '../risk/decimal.js';

const WORD = (1n << 64n) - 1n;

/**
 * SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014). In whole numbers only, so
 * that the same seed gives the same book on every machine.
 */
export class Random {
  #state: bigint;

  constructor(seed: bigint) {
    this.#state = seed & WORD;
  }

  /** From `from` to `to`, both included, in whole steps of `step`. */
  between(from: string, to: string, step: string): Decimal {
    const steps = dec(to).minus(dec(from)).dividedToIntegerBy(dec(step));
    return dec(from).plus(dec(step).times(dec((this.#next() % (BigInt(steps.toFixed()) + 1n)).toString())));
  }

  /** One of them, each as often as its weight says. */
  pick<T extends { readonly weight: number }>(choices: readonly T[]): T {
    let left = this.#next() % choices.reduce((total, { weight }) => total + BigInt(weight), 0n);
    for (const choice of choices) {
      left -= BigInt(choice.weight);
      if (left < 0n) return choice;
    }
    throw new Error('nothing to pick from');
  }

  #next(): bigint {
    this.#state = (this.#state + 0x9e3779b97f4a7c15n) & WORD;
    let z = this.#state;
    z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & WORD;
    z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & WORD;
    return z ^ (z >> 31n);
  }
}
