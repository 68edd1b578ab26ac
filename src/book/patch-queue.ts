import { at } from './column-reader.js';
import type { Members } from './members.js';
import { compareExactly, finishQueue, type Queue } from './queue.js';
import type { QueueSources } from './queue-draft.js';
import { isEligible, ScoreSweep } from './scores.js';

/** A queue before some accounts changed, and the members that it counts. */
export interface OldQueue {
  readonly queue: Queue;
  readonly members: Members;
}

/**
 * The queue after the accounts in some slots changed, prices being the same: all others keep their order, so the changed
 * ones are taken out and put in where they belong. What `makeQueue` would give, without sorting all.
 */
export function patchQueue(sources: QueueSources, old: OldQueue, touched: readonly number[]): Queue {
  const { members } = sources;
  const changed = new Set(touched);
  const others = movedPlaces(old, members, changed);
  const order = new ScoreOrder(sources);
  const fresh: number[] = [];
  for (let member = 0; member < members.slots.length; member++) {
    const slot = at(members.slots, member);
    if (changed.has(slot) && isEligible(sources, slot)) fresh.push(member);
  }
  fresh.sort((a, b) => order.compare(a, b));
  const merged = new Uint32Array(others.length + fresh.length);
  let from = 0;
  for (const [k, member] of fresh.entries()) {
    const end = firstBehind(others, from, (other) => order.compare(member, other) < 0);
    merged.set(others.subarray(from, end), from + k);
    merged[end + k] = member;
    from = end;
  }
  merged.set(others.subarray(from), from + fresh.length);
  const { steps } = sources.columns.arrays;
  const sizes = Float64Array.from(members.positions, (p) => Math.abs(at(steps, p)));
  return finishQueue(sources, merged, sizes);
}

/** Who did not change, in the old order, by their places in the new members. */
function movedPlaces(old: OldQueue, members: Members, changed: ReadonlySet<number>): Uint32Array {
  // Place + 1; 0: changed.
  const places = new Uint32Array(old.members.slots.length);
  let next = 0;
  for (let place = 0; place < places.length; place++) {
    const slot = at(old.members.slots, place);
    if (changed.has(slot)) continue;
    while (at(members.slots, next) < slot) next++;
    places[place] = next + 1;
  }
  const kept = new Uint32Array(old.queue.length);
  let count = 0;
  for (const member of old.queue.order) {
    const place = at(places, member);
    if (place > 0) kept[count++] = place - 1;
  }
  return kept.subarray(0, count);
}

/** Of places that the condition divides into those without and, behind, those with. */
function firstBehind(sorted: Uint32Array, start: number, isBehind: (member: number) => boolean): number {
  let [from, end] = [start, sorted.length];
  while (from < end) {
    const middle = (from + end) >> 1;
    if (isBehind(at(sorted, middle))) end = middle;
    else from = middle + 1;
  }
  return from;
}

/** The order of a queue between two of its members: floats tell, and where they cannot `risk` does. */
class ScoreOrder {
  readonly #sources: QueueSources;
  readonly #score: ScoreSweep;

  constructor(sources: QueueSources) {
    this.#sources = sources;
    this.#score = new ScoreSweep(sources);
  }

  compare(a: number, b: number): number {
    const score = this.#score;
    const hasA = this.#take(a);
    const [lowA, highA] = [score.key - score.error, score.key + score.error];
    const hasB = this.#take(b);
    if (hasA !== hasB) return hasA ? -1 : 1;
    if (hasA && lowA > score.key + score.error) return -1;
    if (hasA && highA < score.key - score.error) return 1;
    return compareExactly(this.#sources, a, b);
  }

  #take(member: number): boolean {
    const { slots, positions } = this.#sources.members;
    return this.#score.take(at(slots, member), at(positions, member));
  }
}
