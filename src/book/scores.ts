import type { ScoreName } from '../risk/margin.js';
import type { Decimal } from '../risk/decimal.js';
import { at, isExemptRow, type ColumnReader, type Heads } from './column-reader.js';
import { GRID_STEP, LARGEST_ERROR, ROUNDING } from './float-error.js';
import { maintenanceError, maintenanceOf, profitError, type FloatMarket, type Margins } from './screen.js';

/** Roundings of the products and quotients of a score. */
const PER_SCORE = 16 * ROUNDING;
/** Scores are cut off at ±10^18. */
const NEARLY_CUT = 9e17;
/** What scores in one market are made from. */
export interface ScoreSources {
  readonly columns: ColumnReader;
  readonly heads: Heads;
  readonly margins: Margins;
  readonly markets: readonly FloatMarket[];
  readonly marketNumber: number;
  readonly scoreName: ScoreName;
  /** The score that `risk` gives to the position of the account in a slot. */
  readonly exactScore: (slot: number) => Decimal | null;
  /** Multiplies the error bounds, as in the screen: 1. */
  readonly caution: number;
}

/** The score of one position after another, without an object for each. */
export class ScoreSweep {
  key = 0;
  /** Bound of the key's distance from the exact score. */
  error = 0;
  readonly #of: ScoreSources;
  readonly #market: FloatMarket;

  constructor(sources: ScoreSources) {
    const market = sources.markets[sources.marketNumber];
    if (market === undefined) throw new Error('a queue without its market');
    this.#of = sources;
    this.#market = market;
  }

  /** Of the position at place `p`, of the account in `slot`. False: without a score, last in the queue. */
  take(slot: number, p: number): boolean {
    const { columns, margins, heads, scoreName, caution } = this.#of;
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

/** Others are left out: liquidity providers, and whoever is exempt or held. */
export function isEligible(
  { columns, heads, margins }: Pick<ScoreSources, 'columns' | 'heads' | 'margins'>,
  slot: number,
): boolean {
  return !isExemptRow(columns.arrays, at(heads.rows, slot)) && at(margins.held, slot) === 0;
}
