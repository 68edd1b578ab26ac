import { ONE, ZERO, floorToGrid, max, min, signOf } from './decimal.js';
import type { Decimal } from './decimal.js';
import { signedLike, value } from './contract.js';
import { maintenanceOf } from './brackets.js';
import { partOf } from './bankruptcy.js';
import { floorToLots, lastBeforeChange, lotsIn } from './lots.js';
import { positionIn } from './margin.js';
import type { AccountValuation, Market, VenueParams } from './margin.js';

/** What is left of a level of depth. */
export interface Level {
  readonly price: Decimal;
  readonly size: Decimal;
}

export interface PlannedFill {
  /** Index of its level. */
  readonly level: number;
  readonly price: Decimal;
  readonly size: Decimal;
  /** What the closed part is worth at the price, signed as the position. */
  readonly value: Decimal;
}

export type StopReason = 'TARGET' | 'DEPTH' | 'DEVIATION' | 'FUND';

export interface FillPlan {
  readonly fills: readonly PlannedFill[];
  readonly closed: Decimal;
  /** Σ of the fills' values. */
  readonly closeValue: Decimal;
  /** What the fund earns (above 0) or pays (below 0). */
  readonly fundDelta: Decimal;
  readonly stoppedBy: StopReason;
}

/**
 * Contracts to close for maintenance ≤ liquidationTarget · equity: the least number of lots, by the margin as it would be
 * after closing them at the expected price with the full fee, through every bracket on the way down. The whole position
 * when no part is enough; 0 when nothing need be closed.
 */
export function restoreSize(
  v: AccountValuation,
  marketId: string,
  market: Market,
  expectedPrice: Decimal,
  params: Pick<VenueParams, 'liquidationTarget'>,
): Decimal {
  const position = positionIn(v, marketId);
  const size = position.size.abs();
  const lotNotional = value(market, market.sizeStep, position.mark).abs();
  if (signOf(v.equity) <= 0 || lotNotional.isZero()) return size;
  const maintenanceRest = v.maintenance.minus(position.maintenance);

  const excess = (lots: Decimal): Decimal => {
    const closed = signedLike(position.size, min(lots.times(market.sizeStep), size));
    const atMark = value(market, closed, position.mark);
    const closeValue = value(market, closed, expectedPrice);
    const fee = floorToGrid(market.params.maxFeeRate.times(closeValue.abs()));
    const equity = v.equity.plus(closeValue).minus(atMark).minus(fee);
    const left = maintenanceOf(market.schedule, position.value.minus(atMark).abs());
    return params.liquidationTarget.times(equity).minus(maintenanceRest.plus(left));
  };

  if (signOf(excess(ZERO)) >= 0) return ZERO;
  const all = lotsIn(size, market.sizeStep).plus(size.mod(market.sizeStep).isZero() ? ZERO : ONE);
  let from: Decimal = ZERO;
  // The excess is a straight line inside a bracket and bends downwards at every floor, so its top is beside one of them.
  for (const { floor } of [...market.schedule.steps].reverse()) {
    const end = all.minus(floor.dividedToIntegerBy(lotNotional));
    for (const to of [end.minus(ONE), end]) {
      if (to.lte(from)) continue;
      if (signOf(excess(to)) >= 0) {
        return min(lastBeforeChange(from, to, excess).plus(ONE).times(market.sizeStep), size);
      }
      from = to;
    }
  }
  return size;
}

export interface Walk {
  readonly market: Market;
  /** Of the position, signed. */
  readonly size: Decimal;
  /** Contracts to close, at most |size|. */
  readonly target: Decimal;
  readonly mark: Decimal;
  /** Of the whole position, before the first fill. */
  readonly bankruptcyValue: Decimal;
  /** Best first. */
  readonly levels: readonly Level[];
  /** What the fund may pay for this position, at least 0. */
  readonly fundMayPay: Decimal;
}

/** Fills against recorded depth, level by level; beyond the bankruptcy price only as many lots as the fund can pay for. */
export function walkDepth(walk: Walk): FillPlan {
  const { market, size, target } = walk;
  const fills: PlannedFill[] = [];
  let closed: Decimal = ZERO;
  let closeValue: Decimal = ZERO;
  let stoppedBy: StopReason = 'DEPTH';
  for (const [level, { price, size: offered }] of walk.levels.entries()) {
    const left = target.minus(closed);
    if (left.isZero()) break;
    const wanted = offered.gte(left) ? left : floorToLots(offered, market.sizeStep);
    if (wanted.isZero()) continue;
    if (isBeyondDeviation(market, size, walk.mark, price)) {
      stoppedBy = 'DEVIATION';
      break;
    }
    const taken = payable(walk, price, wanted, closed, closeValue);
    if (!taken.isZero()) {
      const worth = value(market, signedLike(size, taken), price);
      fills.push({ level, price, size: taken, value: worth });
      closed = closed.plus(taken);
      closeValue = closeValue.plus(worth);
    }
    if (taken.lt(wanted)) {
      stoppedBy = 'FUND';
      break;
    }
  }
  if (closed.eq(target)) stoppedBy = 'TARGET';
  return { fills, closed, closeValue, fundDelta: fundDelta(walk, fills, closed, closeValue), stoppedBy };
}

/** Selling under mark · (1 − maxDeviation), or buying above mark · (1 + maxDeviation). */
function isBeyondDeviation(market: Market, size: Decimal, mark: Decimal, price: Decimal): boolean {
  const { maxDeviation } = market.params;
  return size.isNegative()
    ? price.gt(mark.times(ONE.plus(maxDeviation)))
    : price.lt(mark.times(ONE.minus(maxDeviation)));
}

/** What closing brought above (below: under) the bankruptcy value of the closed part. */
export function surplusOf(walk: Pick<Walk, 'size' | 'bankruptcyValue'>, closed: Decimal, closeValue: Decimal): Decimal {
  return closeValue.minus(partOf(walk.bankruptcyValue, closed, walk.size));
}

/** The most of `wanted` that leaves the fund paying no more than it may, counted over all fills together. */
function payable(walk: Walk, price: Decimal, wanted: Decimal, closed: Decimal, closeValue: Decimal): Decimal {
  const { market, size } = walk;
  const headroom = (taken: Decimal): Decimal => {
    const worth = value(market, signedLike(size, taken), price);
    return surplusOf(walk, closed.plus(taken), closeValue.plus(worth)).plus(walk.fundMayPay);
  };
  if (signOf(headroom(wanted)) >= 0) return wanted;
  const headroomOfLots = (lots: Decimal): Decimal => headroom(min(lots.times(market.sizeStep), wanted));
  const lots = lotsIn(wanted, market.sizeStep);
  const all = wanted.mod(market.sizeStep).isZero() ? lots : lots.plus(ONE);
  return lastBeforeChange(ZERO, all, headroomOfLots).times(market.sizeStep);
}

/** D < 0: the fund pays −D. D ≥ 0: it earns the fee, down, but never more than D. */
function fundDelta(walk: Walk, fills: readonly PlannedFill[], closed: Decimal, closeValue: Decimal): Decimal {
  if (fills.length === 0) return ZERO;
  const surplus = surplusOf(walk, closed, closeValue);
  if (signOf(surplus) < 0) return surplus;
  // All fills of a position have its sign, so Σ |value| = |Σ value|.
  return max(ZERO, min(floorToGrid(walk.market.params.maxFeeRate.times(closeValue.abs())), surplus));
}
