import { partOf } from './bankruptcy.js';
import { maintenanceOf } from './brackets.js';
import { signOf, value } from './contract.js';
import { floorToGrid, floorToStep, max, min, ONE, sum, ZERO, type Decimal } from './decimal.js';
import type { AccountValuation, Market, PositionValuation, VenueParams } from './margin.js';

/** What is left of one level of recorded depth. */
export interface Level {
  readonly price: Decimal;
  readonly size: Decimal;
}

export interface FillPlan {
  /** `level` is the place in the given levels, from 0; value signed as the position. */
  readonly fills: readonly { readonly level: number; readonly price: Decimal; readonly size: Decimal; readonly value: Decimal }[];
  readonly closed: Decimal;
  readonly closeValue: Decimal;
  /** Positive: the fund earns it; negative: the fund pays it. */
  readonly fundDelta: Decimal;
  readonly stoppedBy: 'TARGET' | 'DEPTH' | 'DEVIATION' | 'FUND';
}

export interface WalkInput {
  readonly market: Market;
  /** The position's signed size before the first fill. */
  readonly size: Decimal;
  /** Contracts to close, at most |size|. */
  readonly target: Decimal;
  readonly mark: Decimal;
  /** Of the whole position, before the first fill. */
  readonly bankruptcyValue: Decimal;
  /** Best first; sizes in whole steps. */
  readonly levels: readonly Level[];
  readonly fundMayPay: Decimal;
}

/**
 * Fills against recorded depth, best level first. A fill worse than the bankruptcy value goes only as far as the
 * fund can pay, and none is worse than mark · (1 ± maxDeviation). The fund's part is computed on the cumulative
 * fills (dYdX), so n partial fills equal one.
 */
export function walkDepth(input: WalkInput): FillPlan {
  const { market, size, target } = input;
  const sign = signOf(size);
  const worst = input.mark.times(ONE.minus(sign.times(market.params.maxDeviation)));
  const fills: FillPlan['fills'][number][] = [];
  let closed = ZERO;
  let closeValue = ZERO;
  let absoluteValue = ZERO;
  const stop = (stoppedBy: FillPlan['stoppedBy']): FillPlan => ({
    fills,
    closed,
    closeValue,
    fundDelta: fundDelta(input, closed, closeValue, absoluteValue),
    stoppedBy,
  });
  for (const [place, level] of input.levels.entries()) {
    if (closed.eq(target)) break;
    if (level.price.minus(worst).times(sign).lt(0)) return stop('DEVIATION');
    const wanted = min(floorToStep(level.size, market.sizeStep), target.minus(closed));
    const worth = (lots: Decimal): Decimal => value(market, sign.times(lots), level.price);
    const canPay = (lots: Decimal): boolean =>
      surplus(input, closed.plus(lots), closeValue.plus(worth(lots))).gte(input.fundMayPay.neg());
    const lots = canPay(wanted) ? wanted : largest(wanted, market.sizeStep, canPay);
    if (lots.gt(0)) {
      const v = worth(lots);
      fills.push({ level: place, price: level.price, size: lots, value: v });
      closed = closed.plus(lots);
      closeValue = closeValue.plus(v);
      absoluteValue = absoluteValue.plus(v.abs());
    }
    if (lots.lt(wanted)) return stop('FUND');
  }
  return stop(closed.eq(target) ? 'TARGET' : 'DEPTH');
}

/** D = Σ closeValue − ⌈bankruptcyValue · closed ÷ size⌉. */
function surplus(input: WalkInput, closed: Decimal, closeValue: Decimal): Decimal {
  return closeValue.minus(partOf(input.bankruptcyValue, closed, input.size));
}

/** D < 0: the fund pays −D; else it earns min(⌊maxFeeRate · Σ|closeValue|⌋, D). */
function fundDelta(input: WalkInput, closed: Decimal, closeValue: Decimal, absoluteValue: Decimal): Decimal {
  const d = surplus(input, closed, closeValue);
  return d.lt(0) ? d : min(floorToGrid(input.market.params.maxFeeRate.times(absoluteValue)), d);
}

/** The largest whole number of steps up to `most` that meets a test which holds up to some point; 0 always does. */
export function largest(most: Decimal, step: Decimal, meets: (size: Decimal) => boolean): Decimal {
  let good = 0n;
  let bad = BigInt(most.dividedToIntegerBy(step).toFixed()) + 1n;
  while (bad - good > 1n) {
    const middle = (good + bad) / 2n;
    if (meets(step.times(middle.toString()))) good = middle;
    else bad = middle;
  }
  return step.times(good.toString());
}

/**
 * Contracts to close so that maintenance ≤ target · equity afterwards: the least such size, up to a size step, closed
 * at the expected price with the highest liquidation fee, brackets walked down. The whole position when no size does
 * or equity ≤ 0; 0 when nothing needs closing.
 */
export function restoreSize(v: AccountValuation, market: Market, expectedPrice: Decimal, p: VenueParams): Decimal {
  const position = v.positions.find((x) => x.marketId === market.id);
  if (position === undefined) return ZERO;
  const whole = position.size.abs();
  if (!v.equity.gt(0)) return whole;
  const room = (closed: Decimal): Decimal => roomAfter(v, position, market, expectedPrice, p, closed);
  if (room(ZERO).gte(0)) return ZERO;
  // The room is concave and linear between brackets: the first bracket end with room bounds the least size.
  let short = ZERO;
  for (const end of bracketEnds(position, market)) {
    if (room(end).lt(0)) {
      short = end;
      continue;
    }
    const steps = largest(end.minus(short), market.sizeStep, (extra) => room(short.plus(extra)).lt(0));
    return min(whole, short.plus(steps).plus(market.sizeStep));
  }
  return whole;
}

/** target · equity − maintenance after closing `closed` contracts at the price with the fee. */
function roomAfter(v: AccountValuation, position: PositionValuation, market: Market, price: Decimal, p: VenueParams, closed: Decimal): Decimal {
  const signed = signOf(position.size).times(closed);
  const closeValue = value(market, signed, price);
  const given = value(market, signed, position.mark).minus(closeValue);
  const fee = market.params.maxFeeRate.times(closeValue.abs());
  const left = value(market, position.size.minus(signed), position.mark).abs();
  const maintenance = v.maintenance.minus(position.maintenance).plus(maintenanceOf(market.schedule, left));
  return p.liquidationTarget.times(v.equity.minus(given).minus(fee)).minus(maintenance);
}

/** Sizes to close that bring the notional to a bracket's floor, in whole steps on both sides of it; then the whole. */
function bracketEnds(position: PositionValuation, market: Market): Decimal[] {
  const whole = position.size.abs();
  const ends: Decimal[] = [];
  for (const { floor } of market.schedule.steps) {
    if (floor.isZero() || floor.gte(position.notional)) continue;
    const kept = whole.times(floor).dividedToIntegerBy(position.notional.times(market.sizeStep)).times(market.sizeStep);
    const end = whole.minus(kept);
    ends.push(max(ZERO, end.minus(market.sizeStep)), end);
  }
  return [...ends.filter((end) => end.gt(0) && end.lt(whole)), whole].sort((a, b) => a.comparedTo(b));
}

/** Σ of what the levels offer. */
export function offered(levels: readonly Level[]): Decimal {
  return sum(levels.map((level) => level.size));
}
