import type { MarkFact, MarketState } from '../db/risk-state.js';
import { gridSteps, isOnGrid, type Decimal } from '../risk/decimal.js';
import { value } from '../risk/contract.js';
import type { VenueParams } from '../risk/margin.js';
import { at, TRADER, type ColumnReader, type Heads } from './column-reader.js';
import { GRID_STEP, ROUNDING } from './float-error.js';

/** Amounts near what the database holds (10^20) are left to exact arithmetic. */
const NEARLY_OUTGROWN = 9.9e19;

/**
 * Error bounds, as multiples of ROUNDING. An amount read, a number of steps and the worth of a step are each within 1, so
 * a worth is within 3, a profit within 3 of worth and 1 of cost and 1 of their sum; adding n of them up adds n at most.
 */
const PER_AMOUNT = 6;
/** Of a notional: what its margin may be wrong by, deduction and a step taken for its neighbour at a floor included. */
const PER_NOTIONAL = 16;

/** What a float sweep needs of a market, as floats. */
export interface FloatMarket {
  /** Worth of one size step in the settlement asset, with its sign: negative for INVERSE. NaN: never priced. */
  readonly lotWorth: number;
  /** The same exactly, in steps of the money grid; null: never priced, or finer than the grid. */
  readonly lotWorthSteps: bigint | null;
  readonly live: boolean;
  readonly floors: Float64Array;
  readonly rates: Float64Array;
  readonly deductions: Float64Array;
}

const NONE = new Float64Array(1);
const UNKNOWN_MARKET: FloatMarket = {
  ...{ lotWorth: Number.NaN, lotWorthSteps: null, live: false },
  ...{ floors: NONE, rates: NONE, deductions: NONE },
};

/** By the columns' market number. */
export function floatMarkets(
  marketIds: readonly string[],
  markets: ReadonlyMap<string, MarketState>,
  marks: ReadonlyMap<string, MarkFact>,
): FloatMarket[] {
  return marketIds.map((id) => {
    const market = markets.get(id);
    // Numbered for a later state, which knows it.
    if (market === undefined) return UNKNOWN_MARKET;
    const mark = marks.get(id);
    const { steps } = market.schedule;
    const column = (of: (step: (typeof steps)[number]) => Decimal): Float64Array =>
      Float64Array.from(steps, (step) => of(step).toNumber());
    // A size is worth its lots times the worth of a lot, exactly, in both kinds of market.
    const lotWorth = mark === undefined ? null : value(market, market.sizeStep, mark.price);
    return {
      lotWorth: lotWorth?.toNumber() ?? Number.NaN,
      lotWorthSteps: lotWorth !== null && isOnGrid(lotWorth) ? gridSteps(lotWorth) : null,
      live: mark?.live ?? false,
      floors: column((step) => step.floor),
      rates: column((step) => step.maintenanceRate),
      deductions: column((step) => step.maintenanceDeduction),
    };
  });
}

export function maintenanceOf(market: FloatMarket, notional: number): number {
  let step = 0;
  while (step + 1 < market.floors.length && notional >= at(market.floors, step + 1)) step++;
  return notional * at(market.rates, step) - at(market.deductions, step);
}

/** Bound of the error of a maintenance margin of this notional. */
export function maintenanceError(notional: number, caution: number): number {
  return (PER_NOTIONAL * ROUNDING * notional + GRID_STEP) * caution;
}

/** Bound of the error of a profit. */
export function profitError(worth: number, cost: number, caution: number): number {
  return PER_AMOUNT * ROUNDING * (Math.abs(worth) + Math.abs(cost)) * caution;
}

/** Places in the order of MARGIN_STATUSES; NO_STATUS: none is known, or the account has none. */
export const NO_STATUS = 5;
/** The floats cannot say: exact arithmetic must. */
export const UNDECIDED = 6;
const [HEALTHY, WARNING, MARGIN_CALL, LIQUIDATABLE, BANKRUPT] = [0, 1, 2, 3, 4];

/** Figures of every account of a state, by slot. */
export interface Margins {
  /** In the margin asset; NaN when a price of it was never received. */
  readonly equity: Float64Array;
  readonly equityError: Float64Array;
  readonly maintenance: Float64Array;
  readonly maintenanceError: Float64Array;
  readonly status: Uint8Array;
  /** 1: left alone for want of a trustworthy price. */
  readonly held: Uint8Array;
}

export function emptyMargins(count: number): Margins {
  return {
    equity: new Float64Array(count),
    equityError: new Float64Array(count),
    maintenance: new Float64Array(count),
    maintenanceError: new Float64Array(count),
    status: new Uint8Array(count),
    held: new Uint8Array(count),
  };
}

export function copyMargins(from: Margins, count: number): Margins {
  const copy = emptyMargins(count);
  copy.equity.set(from.equity);
  copy.equityError.set(from.equityError);
  copy.maintenance.set(from.maintenance);
  copy.maintenanceError.set(from.maintenanceError);
  copy.status.set(from.status);
  copy.held.set(from.held);
  return copy;
}

/** Added to the code of a status that is held. */
export const HELD_BIT = 8;
/** Of a last recorded status: there is none. */
export const UNRECORDED = 255;

/** Decides by exact arithmetic. The status as its place in MARGIN_STATUSES, or NO_STATUS; held: 0 or 1. */
export type Decide = (slot: number) => { readonly status: number; readonly held: number };

export interface Screening {
  readonly columns: ColumnReader;
  readonly heads: Heads;
  readonly markets: readonly FloatMarket[];
  readonly venue: VenueParams;
  /** By slot: the status last recorded and whether held, or UNRECORDED. A held account keeps its status. */
  readonly lastCodes: Uint8Array;
  readonly decide: Decide;
  /** Multiplies the error bounds: 1. Less than that makes mistakes, which a test shows. */
  readonly caution: number;
}

/** Screens accounts in floats; `risk` decides where the floats cannot. Exactly the statuses that `risk` gives to all. */
export class Screen {
  readonly #of: Screening;
  readonly #callRatio: number;
  readonly #warningRatio: number;
  readonly #staleShare: number;

  constructor(screening: Screening) {
    this.#of = screening;
    this.#callRatio = screening.venue.callRatio.toNumber();
    this.#warningRatio = screening.venue.warningRatio.toNumber();
    this.#staleShare = screening.venue.staleShare.toNumber();
  }

  /** Writes the figures of one account into its slot. */
  mark(slot: number, into: Margins): void {
    const { columns, heads, markets, caution } = this.#of;
    const { kinds, firsts, counts, balances, markets: marketOf, steps, costs } = columns.arrays;
    const row = at(heads.rows, slot);
    const first = at(firsts, row);
    const end = first + at(counts, row);
    const balance = at(balances, row);
    let equity = balance;
    let amounts = Math.abs(balance);
    let largest = amounts;
    let maintenance = 0;
    let maintenanceBound = 0;
    let stale = 0;
    let isStale = false;
    for (let p = first; p < end; p++) {
      const market = markets[at(marketOf, p)];
      if (market === undefined) throw new Error('a position without its market');
      const worth = at(steps, p) * market.lotWorth;
      const cost = at(costs, p);
      const notional = Math.abs(worth);
      const margin = maintenanceOf(market, notional);
      equity += worth - cost;
      amounts += notional + Math.abs(cost);
      largest = Math.max(largest, notional, Math.abs(cost));
      maintenance += margin;
      maintenanceBound += maintenanceError(notional, caution);
      if (!market.live) {
        stale += margin;
        isStale = true;
      }
    }
    const count = end - first;
    const equityBound = (PER_AMOUNT + count) * ROUNDING * amounts * caution;
    maintenanceBound += count * ROUNDING * maintenance * caution;
    into.equity[slot] = equity;
    into.equityError[slot] = equityBound;
    into.maintenance[slot] = maintenance;
    into.maintenanceError[slot] = maintenanceBound;
    let held = 0;
    let status = NO_STATUS;
    if (at(kinds, row) === TRADER) {
      const isLarge = Math.max(largest, Math.abs(equity)) >= NEARLY_OUTGROWN;
      const isHeld = isStale && this.#isHeld(stale, maintenance, maintenanceBound);
      if (isLarge || isHeld === null) status = UNDECIDED;
      else if (isHeld || Number.isNaN(equity)) {
        held = 1;
        status = this.#lastKnown(slot, Number.isNaN(equity) ? NO_STATUS : HEALTHY);
      } else status = this.#status(equity, equityBound, maintenance, maintenanceBound, count);
    }
    if (status === UNDECIDED) ({ status, held } = this.#of.decide(slot));
    into.status[slot] = status;
    into.held[slot] = held;
  }

  #lastKnown(slot: number, unrecorded: number): number {
    const last = at(this.#of.lastCodes, slot);
    return last === UNRECORDED ? unrecorded : last % HELD_BIT;
  }

  /** Null: too close to say. */
  #isHeld(stale: number, maintenance: number, bound: number): boolean | null {
    const distance = stale - this.#staleShare * maintenance;
    // Each is within the bound of its own, and the share times the other within two roundings more.
    if (Math.abs(distance) <= 2 * bound + 4 * ROUNDING * maintenance * this.#of.caution) return null;
    return distance > 0;
  }

  #status(
    equity: number,
    equityBound: number,
    maintenance: number,
    maintenanceBound: number,
    positions: number,
  ): number {
    if (positions === 0) return equity < 0 ? BANKRUPT : HEALTHY;
    if (Math.abs(equity) <= equityBound) return UNDECIDED;
    if (equity < 0) return BANKRUPT;
    // Whether it is exactly zero, which makes a status of its own, floats cannot say.
    if (maintenance <= maintenanceBound) return UNDECIDED;
    const both = equityBound + maintenanceBound;
    if (Math.abs(equity - maintenance) <= both) return UNDECIDED;
    if (equity < maintenance) return LIQUIDATABLE;
    const call = this.#beyond(maintenance, this.#callRatio, equity, both);
    if (call !== false) return call === null ? UNDECIDED : MARGIN_CALL;
    const warning = this.#beyond(maintenance, this.#warningRatio, equity, both);
    return warning === null ? UNDECIDED : warning ? WARNING : HEALTHY;
  }

  /** Whether maintenance ≥ ratio · equity; null: too close to say. A ratio is at most 1. */
  #beyond(maintenance: number, ratio: number, equity: number, bound: number): boolean | null {
    const distance = maintenance - ratio * equity;
    if (Math.abs(distance) <= bound + 4 * ROUNDING * equity * this.#of.caution) return null;
    return distance > 0;
  }
}
