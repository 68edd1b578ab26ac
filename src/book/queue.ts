import type { Decimal } from '../risk/decimal.js';
import { at } from './column-reader.js';
import type { QueueDraft, QueueSources } from './queue-draft.js';
import { settleClose } from './settle-close.js';
import { placesDescending } from './sort.js';

/** Queues larger than this, in size steps, are summed in whole numbers: five times it is still exact as a double. */
const LARGEST_FLOAT_SUM = 2 ** 50;
const LEVELS = 5;

/** One ranking: who stands where, what stands before. Ranks count from 1. */
export interface Queue {
  readonly length: number;
  /** By rank − 1: place in the members. */
  readonly order: Uint32Array;
  /** By place in the members; 0: not in the queue. */
  readonly ranks: Uint32Array;
  /** By rank − 1, with the whole at the end: size steps of all before; or steps of the money grid, where floats end. */
  readonly ahead: { readonly unit: 'SIZE_STEP'; readonly sums: Float64Array } | GridSums;
  /** First rank of each level from 4 down to 1; beyond the queue when nobody is in it. */
  readonly levelStarts: readonly number[];
}

interface GridSums {
  readonly unit: 'GRID_STEP';
  readonly sums: readonly bigint[];
}

/** Exactly the order that `risk` gives: floats rank, and `risk` ranks those whose floats are too close to tell. */
export function makeQueue(sources: QueueSources, draft: QueueDraft): Queue {
  const { scored, ends, unscored, count, sizes } = draft;
  const places = placesDescending(draft.keys.subarray(0, count));
  const order = new Uint32Array(count + unscored.length);
  const lows = new Float64Array(count);
  const highs = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const place = at(places, i);
    order[i] = at(scored, place);
    lows[i] = at(ends, 2 * place);
    highs[i] = at(ends, 2 * place + 1);
  }
  settleClose(order, lows, highs, (close, isTied) => {
    if (isTied) close.sort((a, b) => compareIds(sources, a, b));
    else sortExactly(sources, close);
  });
  unscored.sort((a, b) => compareIds(sources, a, b));
  order.set(unscored, count);
  return finishQueue(sources, order, sizes);
}

/** Everything else of a queue whose order is known. `sizes`: of the members, in size steps, without sign. */
export function finishQueue(sources: QueueSources, order: Uint32Array, sizes: Float64Array): Queue {
  const ranks = new Uint32Array(sources.members.slots.length);
  const ahead = place(sources, order, sizes, ranks);
  return { length: order.length, order, ranks, ahead, levelStarts: levelStarts(ahead, order.length) };
}

/** As `risk` orders two members of a queue. */
export function compareExactly(sources: QueueSources, a: number, b: number): number {
  const [x, y] = [a, b].map((member) => sources.exactScore(at(sources.members.slots, member)));
  const order = x == null || y == null ? 0 : y.cmp(x);
  return order === 0 ? compareIds(sources, a, b) : order;
}

function sortExactly(sources: QueueSources, close: Uint32Array): void {
  const { members, exactScore } = sources;
  const scores = new Map<number, Decimal>();
  for (const member of close) {
    const score = exactScore(at(members.slots, member));
    if (score === null) throw new Error('a scored position lost its score');
    scores.set(member, score);
  }
  close.sort((a, b) => {
    const [x, y] = [scores.get(a), scores.get(b)];
    const order = x === undefined || y === undefined ? 0 : y.cmp(x);
    return order === 0 ? compareIds(sources, a, b) : order;
  });
}

/** By code units, which for ids is the order of their bytes. */
function compareIds({ columns, members }: QueueSources, a: number, b: number): number {
  const x = columns.names.ids[at(members.slots, a)] ?? '';
  const y = columns.names.ids[at(members.slots, b)] ?? '';
  return x < y ? -1 : x > y ? 1 : 0;
}

/** Writes down the ranks, and sums up what stands before each: one walk, since its order is none of the memory's. */
function place(
  { columns, members }: QueueSources,
  order: Uint32Array,
  sizes: Float64Array,
  ranks: Uint32Array,
): Queue['ahead'] {
  const sums = new Float64Array(order.length + 1);
  let sum = 0;
  for (let i = 0; i < order.length; i++) {
    const member = at(order, i);
    ranks[member] = i + 1;
    sum += at(sizes, member);
    sums[i + 1] = sum;
  }
  // Below the limit every partial sum is a whole number that a double holds.
  if (sum < LARGEST_FLOAT_SUM) return { unit: 'SIZE_STEP', sums };
  const exact = [0n];
  let whole = 0n;
  for (const member of order) {
    const size = columns.sizeInGridSteps(at(members.positions, member));
    whole += size < 0n ? -size : size;
    exact.push(whole);
  }
  return { unit: 'GRID_STEP', sums: exact };
}

/** level = 5 − ⌊5 · ahead ÷ whole⌋, and what is ahead only grows: level 5 − k begins where 5 · ahead reaches k · whole. */
function levelStarts(ahead: Queue['ahead'], length: number): number[] {
  const starts: number[] = [];
  let rank = 1;
  for (let k = 1; k < LEVELS; k++) {
    while (rank <= length && !reaches(ahead, rank - 1, length, k)) rank++;
    starts.push(rank);
  }
  return starts;
}

function reaches(ahead: Queue['ahead'], index: number, length: number, k: number): boolean {
  if (ahead.unit === 'SIZE_STEP') return LEVELS * at(ahead.sums, index) >= k * at(ahead.sums, length);
  return BigInt(LEVELS) * (ahead.sums[index] ?? 0n) >= BigInt(k) * (ahead.sums[length] ?? 0n);
}

/** 5 goes first, 1 last. */
export function levelOf({ levelStarts }: Queue, rank: number): number {
  let level = LEVELS;
  for (const start of levelStarts) if (rank >= start) level--;
  return level;
}
