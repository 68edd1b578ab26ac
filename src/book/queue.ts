import type { ScoreName } from '../risk/margin.js';
import type { Decimal } from '../risk/decimal.js';
import { at, isExemptRow, type ColumnReader, type Heads } from './column-reader.js';
import { GRID_STEP, LARGEST_ERROR, ROUNDING } from './float-error.js';
import type { Members } from './members.js';
import { maintenanceError, maintenanceOf, profitError, type FloatMarket, type Margins } from './screen.js';
import { settleClose } from './settle-close.js';
import { placesDescending } from './sort.js';

/** Roundings of the products and quotients of a score. */
const PER_SCORE = 16 * ROUNDING;
/** Scores are cut off at ±10^18. */
const NEARLY_CUT = 9e17;
/** Queues larger than this, in size steps, are summed in whole numbers: five times it is still exact as a double. */
const LARGEST_FLOAT_SUM = 2 ** 50;
const LEVELS = 5;

export interface QueueSources {
  readonly columns: ColumnReader;
  readonly heads: Heads;
  readonly margins: Margins;
  readonly members: Members;
  readonly markets: readonly FloatMarket[];
  readonly marketNumber: number;
  readonly scoreName: ScoreName;
  /** The score that `risk` gives to the position of the account in a slot. */
  readonly exactScore: (slot: number) => Decimal | null;
  /** Multiplies the error bounds, as in the screen: 1. */
  readonly caution: number;
}

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
export function makeQueue(sources: QueueSources): Queue {
  const { members } = sources;
  const total = members.slots.length;
  const eligible = new Uint32Array(total);
  const keys = new Float64Array(total);
  // Low and high of one beside each other: places are looked at in another order than they are filled in.
  const ends = new Float64Array(total * 2);
  const unscored: number[] = [];
  const score = new ScoreSweep(sources);
  let count = 0;
  for (let member = 0; member < total; member++) {
    if (!isEligible(sources, member)) continue;
    if (!score.take(member)) {
      unscored.push(member);
      continue;
    }
    eligible[count] = member;
    keys[count] = score.key;
    ends[2 * count] = score.key - score.error;
    ends[2 * count + 1] = score.key + score.error;
    count++;
  }
  const places = placesDescending(keys.subarray(0, count));
  const order = new Uint32Array(count + unscored.length);
  const lows = new Float64Array(count);
  const highs = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const place = at(places, i);
    order[i] = at(eligible, place);
    lows[i] = at(ends, 2 * place);
    highs[i] = at(ends, 2 * place + 1);
  }
  settleClose(order, lows, highs, (close, isTied) => {
    if (isTied) close.sort((a, b) => compareIds(sources, a, b));
    else sortExactly(sources, close);
  });
  unscored.sort((a, b) => compareIds(sources, a, b));
  order.set(unscored, count);
  return finishQueue(sources, order);
}

/** Others are left out: liquidity providers, and whoever is exempt or held. */
export function isEligible({ members, columns, heads, margins }: QueueSources, member: number): boolean {
  const slot = at(members.slots, member);
  return !isExemptRow(columns.arrays, at(heads.rows, slot)) && at(margins.held, slot) === 0;
}

/** Everything else of a queue whose order is known. */
export function finishQueue(sources: QueueSources, order: Uint32Array): Queue {
  const ranks = new Uint32Array(sources.members.slots.length);
  const ahead = place(sources, order, ranks);
  return { length: order.length, order, ranks, ahead, levelStarts: levelStarts(ahead, order.length) };
}

/** As `risk` orders two members of a queue. */
export function compareExactly(sources: QueueSources, a: number, b: number): number {
  const [x, y] = [a, b].map((member) => sources.exactScore(at(sources.members.slots, member)));
  const order = x == null || y == null ? 0 : y.cmp(x);
  return order === 0 ? compareIds(sources, a, b) : order;
}

/** The score of one position after another, without an object for each. */
export class ScoreSweep {
  key = 0;
  /** Bound of the key's distance from the exact score. */
  error = 0;
  readonly #of: QueueSources;
  readonly #market: FloatMarket;

  constructor(sources: QueueSources) {
    const market = sources.markets[sources.marketNumber];
    if (market === undefined) throw new Error('a queue without its market');
    this.#of = sources;
    this.#market = market;
  }

  /** False: without a score, last in the queue. */
  take(member: number): boolean {
    const { members, columns, margins, heads, scoreName, caution } = this.#of;
    const slot = at(members.slots, member);
    const p = at(members.positions, member);
    const equity = at(margins.equity, slot);
    const equityError = at(margins.equityError, slot);
    if (equity < -equityError) return false;
    const { lotWorth, lotWorthSteps } = this.#market;
    const worth = at(columns.arrays.steps, p) * lotWorth;
    const cost = at(columns.arrays.costs, p);
    const profit = worth - cost;
    const notional = Math.abs(worth);
    const base = scoreName === 'LEVERAGED_RETURN' ? Math.abs(cost) : notional;
    if (!(equity > equityError)) return this.#exact(slot);
    const profitBound = profitError(worth, cost, caution);
    const isNearlyEven = Math.abs(profit) <= profitBound && lotWorthSteps !== null;
    // Of all scores the one that many share, and no float tells it from those beside it.
    if (cost === 0 || notional === 0 || (isNearlyEven && columns.breaksEven(p, lotWorthSteps))) {
      this.key = 0;
      this.error = 0;
      return true;
    }
    let relative = profitBound / Math.abs(profit) + equityError / equity + PER_SCORE * caution;
    let share = 1;
    if (scoreName === 'LEVERAGED_RETURN' && at(columns.arrays.counts, at(heads.rows, slot)) > 1) {
      const own = maintenanceOf(this.#market, notional);
      const all = at(margins.maintenance, slot);
      share = own / all;
      relative += maintenanceError(notional, caution) / own + at(margins.maintenanceError, slot) / all;
    }
    const leverage = notional / (equity * share);
    const key = profit < 0 ? profit / base / leverage : (profit / base) * leverage;
    // Written so that a NaN, of a division by nothing, goes the exact way too.
    if (!(relative < LARGEST_ERROR && Math.abs(key) < NEARLY_CUT)) return this.#exact(slot);
    this.key = key;
    this.error = Math.abs(key) * relative * (1 + LARGEST_ERROR) + GRID_STEP;
    return true;
  }

  #exact(slot: number): boolean {
    const value = this.#of.exactScore(slot);
    if (value === null) return false;
    this.key = value.toNumber() + 0;
    this.error = Math.abs(this.key) * 4 * ROUNDING;
    return true;
  }
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
function place({ columns, members }: QueueSources, order: Uint32Array, ranks: Uint32Array): Queue['ahead'] {
  const sizes = new Float64Array(members.positions.length);
  for (let member = 0; member < sizes.length; member++) {
    sizes[member] = Math.abs(at(columns.arrays.steps, at(members.positions, member)));
  }
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
