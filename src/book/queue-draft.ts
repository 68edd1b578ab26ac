import { at } from './column-reader.js';
import type { Members } from './members.js';
import { isEligible, ScoreSweep, type ScoreSources } from './scores.js';

export interface QueueSources extends ScoreSources {
  readonly members: Members;
}

/** What a queue is sorted from: its members are taken one after the other, in the order of the list. */
export class QueueDraft {
  /** Those with a score, by their places in the list of members. */
  readonly scored: Uint32Array;
  /** Their scores as floats have them. */
  readonly keys: Float64Array;
  /** Low and high of each score beside each other: places are looked at in another order than they are filled in. */
  readonly ends: Float64Array;
  /** Members without a score, who come last. */
  readonly unscored: number[] = [];
  /** Of all members, in size steps, without sign. */
  readonly sizes: Float64Array;
  count = 0;
  #taken = 0;
  readonly #score: ScoreSweep;
  readonly #steps: Float64Array;

  constructor(sources: QueueSources) {
    const total = sources.members.slots.length;
    this.scored = new Uint32Array(total);
    this.keys = new Float64Array(total);
    this.ends = new Float64Array(total * 2);
    this.sizes = new Float64Array(total);
    this.#score = new ScoreSweep(sources);
    this.#steps = sources.columns.arrays.steps;
  }

  /** A list that is not that of these accounts would give its members the scores of others. */
  checkWhole(): void {
    if (this.#taken !== this.sizes.length)
      throw new Error(`${this.#taken} positions are in a list of ${this.sizes.length}`);
  }

  /** The next member: the position at place `p` of the account in `slot`; `isIn`: whether it stands in queues. */
  take(slot: number, p: number, isIn: boolean): void {
    const member = this.#taken++;
    this.sizes[member] = Math.abs(at(this.#steps, p));
    if (!isIn) return;
    const score = this.#score;
    if (!score.take(slot, p)) {
      this.unscored.push(member);
      return;
    }
    const place = this.count++;
    const { key, error } = score;
    this.scored[place] = member;
    this.keys[place] = key;
    this.ends[2 * place] = key - error;
    this.ends[2 * place + 1] = key + error;
  }
}

/** Of one queue: a walk along its members. */
export function draftOf(sources: QueueSources): QueueDraft {
  const { slots, positions } = sources.members;
  const draft = new QueueDraft(sources);
  for (let member = 0; member < slots.length; member++) {
    const slot = at(slots, member);
    draft.take(slot, at(positions, member), isEligible(sources, slot));
  }
  return draft;
}

/**
 * Of the lists that have sources. One walk in the order of the memory, which is that of every list, where a walk for each
 * queue would bring an account's figures as often as it has positions.
 */
export function draftAll(
  of: Pick<ScoreSources, 'columns' | 'heads' | 'margins'>,
  lists: readonly (QueueSources | undefined)[],
): (QueueDraft | undefined)[] {
  const { columns, heads } = of;
  const drafts = lists.map((sources) => (sources === undefined ? undefined : new QueueDraft(sources)));
  const { firsts, counts, markets, steps } = columns.arrays;
  for (let slot = 0; slot < heads.count; slot++) {
    const row = at(heads.rows, slot);
    const isIn = isEligible(of, slot);
    const first = at(firsts, row);
    const end = first + at(counts, row);
    for (let p = first; p < end; p++) {
      const list = at(markets, p) * 2 + (at(steps, p) < 0 ? 1 : 0);
      drafts[list]?.take(slot, p, isIn);
    }
  }
  for (const draft of drafts) draft?.checkWhole();
  return drafts;
}
