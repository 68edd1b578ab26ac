import type { MarketState } from '../db/risk-state.js';
import type { Decimal } from '../risk/decimal.js';
import { liquidationDistance } from '../risk/liquidation-price.js';
import type { AccountMargin } from './account-margin.js';
import { at, type ColumnReader } from './column-reader.js';
import { GRID_STEP, LARGEST_ERROR, ROUNDING } from './float-error.js';
import type { Members } from './members.js';
import { maintenanceError, maintenanceOf, type FloatMarket, type Margins } from './screen.js';
import { settleClose } from './settle-close.js';
import { placesDescending } from './sort.js';
import type { SweepSources } from './rank-queues.js';

/** Roundings of the sums and quotients of a distance. */
const PER_DISTANCE = 32 * ROUNDING;

interface LiquidationSources {
  readonly columns: ColumnReader;
  readonly margins: Margins;
  /** Of the market, both sides. */
  readonly members: readonly Members[];
  readonly market: MarketState;
  readonly floats: FloatMarket;
  /** The mark as a float; NaN: never priced. */
  readonly mark: number;
  /** What `risk` says of the position of the account in a slot. */
  readonly exactDistance: (slot: number) => Decimal | null;
  /** Multiplies the error bounds: 1. */
  readonly caution: number;
}

/** The order of one market's positions, when it is asked for, and the exact distance of each. */
export function liquidationOrder(
  { columns, margins, floats, caution, circumstances }: SweepSources & { readonly margins: Margins },
  members: readonly Members[],
  marketId: string,
  marginOf: (slot: number) => AccountMargin,
): { readonly slots: () => Uint32Array; readonly distance: (slot: number) => Decimal | null } {
  const market = circumstances.markets.get(marketId);
  const ownFloats = floats[columns.names.markets.indexOf(marketId)];
  if (market === undefined || ownFloats === undefined) throw new Error(`no market ${marketId}`);
  const exactDistance = (slot: number): Decimal | null => {
    const { valuation } = marginOf(slot);
    return valuation === null ? null : liquidationDistance(valuation, marketId, market);
  };
  const mark = circumstances.marks.get(marketId)?.price.toNumber() ?? Number.NaN;
  const sources = { columns, margins, members, market, floats: ownFloats, mark, exactDistance, caution };
  return { slots: () => nearestFirst(sources), distance: exactDistance };
}

/** Slots of the accounts that hold a position in the market: nearest to liquidation first, those without a price last. */
function nearestFirst(sources: LiquidationSources): Uint32Array {
  const total = sources.members.reduce((sum, { slots }) => sum + slots.length, 0);
  const slots = new Uint32Array(total);
  const keys = new Float64Array(total);
  const errors = new Float64Array(total);
  const without: number[] = [];
  const sweep = new DistanceSweep(sources);
  let count = 0;
  for (const members of sources.members) {
    for (let k = 0; k < members.slots.length; k++) {
      const slot = at(members.slots, k);
      if (!sweep.take(slot, at(members.positions, k))) {
        without.push(slot);
        continue;
      }
      slots[count] = slot;
      // The sort is a descending one.
      keys[count] = -sweep.distance;
      errors[count] = sweep.error;
      count++;
    }
  }
  const places = placesDescending(keys.subarray(0, count));
  const order = new Uint32Array(total);
  const lows = new Float64Array(count);
  const highs = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const place = at(places, i);
    order[i] = at(slots, place);
    lows[i] = at(keys, place) - at(errors, place);
    highs[i] = at(keys, place) + at(errors, place);
  }
  settleClose(order.subarray(0, count), lows, highs, (close) => {
    sortExactly(sources, close);
  });
  without.sort((a, b) => (idOf(sources, a) < idOf(sources, b) ? -1 : 1));
  order.set(without, count);
  return order;
}

function idOf({ columns }: LiquidationSources, slot: number): string {
  return columns.names.ids[slot] ?? '';
}

function sortExactly(sources: LiquidationSources, close: Uint32Array): void {
  const distances = new Map<number, Decimal>();
  for (const slot of close) {
    const distance = sources.exactDistance(slot);
    if (distance === null) throw new Error('a position with a liquidation price lost it');
    distances.set(slot, distance);
  }
  close.sort((a, b) => {
    const [x, y] = [distances.get(a), distances.get(b)];
    const order = x === undefined || y === undefined ? 0 : x.cmp(y);
    return order === 0 ? (idOf(sources, a) < idOf(sources, b) ? -1 : 1) : order;
  });
}

/**
 * The distance of one position after another. At the liquidation price the notional is x, and that price is to the mark as
 * x is to the notional now, or in an inverse market the other way round: neither sizes nor prices are needed.
 */
class DistanceSweep {
  distance = 0;
  /** Bound of its distance from the exact one. */
  error = 0;
  #notional = 0;
  #notionalError = 0;
  readonly #of: LiquidationSources;
  /** Whether the worth of a lot was truncated to the grid, and by what share of it. */
  readonly #lotError: number;

  constructor(sources: LiquidationSources) {
    this.#of = sources;
    this.#lotError = sources.market.payoff === 'INVERSE' ? GRID_STEP / Math.abs(sources.floats.lotWorth) : 0;
  }

  /** False: there is no liquidation price. */
  take(slot: number, position: number): boolean {
    const { columns, margins, floats, market, mark, caution } = this.#of;
    const equity = at(margins.equity, slot);
    // A price of the account was never received, and so it cannot be valued.
    if (Number.isNaN(equity)) return false;
    const worth = at(columns.arrays.steps, position) * floats.lotWorth;
    const notional = Math.abs(worth);
    const own = maintenanceOf(floats, notional);
    const maintenance = at(margins.maintenance, slot);
    const error =
      at(margins.equityError, slot) +
      at(margins.maintenanceError, slot) +
      maintenanceError(notional, caution) +
      PER_DISTANCE * caution * (Math.abs(equity) + notional + maintenance + own);
    const isLinear = market.payoff === 'LINEAR';
    const rises = at(columns.arrays.steps, position) > 0 === isLinear;
    const found = this.#findNotional(maintenance - own - (equity - worth), error, rises);
    if (found === 'NONE') return false;
    if (found === 'UNCLEAR') return this.#exact(slot);
    const ratio = isLinear ? this.#notional / notional : notional / this.#notional;
    const relative = this.#notionalError / this.#notional + PER_DISTANCE * caution + this.#lotError * caution;
    this.distance = Math.abs(ratio - 1);
    const grid = (GRID_STEP / mark + GRID_STEP) * caution;
    // Beside a small ratio the difference from 1 is rounded as a number near 1 is.
    const rounding = PER_DISTANCE * caution * (1 + ratio);
    this.error = (ratio * relative + rounding + grid) * (1 + LARGEST_ERROR);
    // A price that is nothing on the grid is none. Written so that a NaN goes the exact way too.
    const isPrice = ratio * mark > 4 * GRID_STEP;
    return relative < LARGEST_ERROR && isPrice && ratio < 1 / LARGEST_ERROR ? true : this.#exact(slot);
  }

  #exact(slot: number): boolean {
    const distance = this.#of.exactDistance(slot);
    if (distance === null) return false;
    this.distance = distance.toNumber();
    this.error = this.distance * 4 * ROUNDING;
    return true;
  }

  /**
   * The notional at liquidation, as `liquidationPrice` of `risk` finds it. `rest`: what all else requires beyond what it has,
   * within `error`.
   */
  #findNotional(rest: number, error: number, rises: boolean): 'FOUND' | 'NONE' | 'UNCLEAR' {
    const { floats, caution } = this.#of;
    const { floors, rates, deductions } = floats;
    const roundings = PER_DISTANCE * caution;
    for (let step = 0; step < floors.length; step++) {
      const deduction = at(deductions, step);
      const n = rises ? rest - deduction : deduction - rest;
      const d = rises ? 1 - at(rates, step) : 1 + at(rates, step);
      const from = at(floors, step) * d;
      const isLast = step + 1 === floors.length;
      const end = isLast ? 0 : at(floors, step + 1) * d;
      // What the error does not know of yet, and what an edge may be wrong by.
      const bound = error + roundings * (Math.abs(n) + deduction);
      const isUnclear = Math.abs(n) <= bound || Math.abs(n - from) <= bound + roundings * from;
      if (isUnclear || (!isLast && Math.abs(n - end) <= bound + roundings * end)) return 'UNCLEAR';
      if (n < from || (!isLast && n >= end)) continue;
      this.#notional = n / d;
      this.#notionalError = (bound + this.#notional * 4 * ROUNDING * caution) / d;
      return 'FOUND';
    }
    return 'NONE';
  }
}
