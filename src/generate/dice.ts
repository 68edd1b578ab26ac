import type { Range, Weighted } from './parameters.js';

const TWO_TO_32 = 4_294_967_296;

/**
 * xoshiro128** (Blackman and Vigna: Scrambled Linear Pseudorandom Number Generators, 2021), its state filled from the seed
 * by a 32-bit mixer. Whole numbers of 32 bits only: fast, and the same on every machine.
 */
export class Dice {
  readonly #state: Uint32Array;

  constructor(seed: number) {
    let next = seed >>> 0;
    this.#state = Uint32Array.from({ length: 4 }, () => {
      next = (next + 0x9e3779b9) >>> 0;
      return mixed(next);
    });
  }

  /** From 0 to n − 1. */
  below(n: number): number {
    return Math.floor((this.#next() / TWO_TO_32) * n);
  }

  within({ from, to }: Range): number {
    return from + this.below(to - from + 1);
  }

  coin(): boolean {
    return this.#next() >= TWO_TO_32 / 2;
  }

  /** One of them, each as often as its weight says. */
  pick<T extends Weighted>(choices: readonly T[]): T {
    let left = this.below(choices.reduce((total, { weight }) => total + weight, 0));
    for (const choice of choices) {
      left -= choice.weight;
      if (left < 0) return choice;
    }
    throw new Error('nothing to pick from');
  }

  #next(): number {
    const s = this.#state;
    const [a = 0, b = 0, c = 0, d = 0] = s;
    const drawn = Math.imul(rotated(Math.imul(b, 5), 7), 9) >>> 0;
    s[2] = c ^ a;
    s[3] = d ^ b;
    s[1] = b ^ c ^ a;
    s[0] = a ^ d ^ b;
    s[2] ^= b << 9;
    s[3] = rotated(d ^ b, 11);
    return drawn;
  }
}

/** The finalizer of MurmurHash3. */
function mixed(x: number): number {
  let h = x;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

function rotated(x: number, by: number): number {
  return (x << by) | (x >>> (32 - by));
}
