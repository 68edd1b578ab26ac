import { bankruptcyValues } from '../risk/bankruptcy.js';
import { ZERO, type Decimal } from '../risk/decimal.js';
import { restoreSize, walkDepth, type FillPlan } from '../risk/liquidation.js';
import type { AccountValuation, PositionValuation } from '../risk/margin.js';
import type { MarketState } from '../db/risk-state.js';
import type { DepthLevel, Lap } from './lap.js';
import type { LiquidationReason } from '../risk/outcome.js';

/**
 * Step 3: reduces an account just enough, position by position, largest maintenance first, against the recorded
 * depth; the market's liquidity provider takes the other side. Each position is visited once a lap.
 */
export function liquidate(lap: Lap, accountId: string, reason: LiquidationReason): void {
  for (const { marketId } of byMaintenance(lap.valuation(accountId).positions)) {
    if (!lap.isLive(marketId)) continue;
    const valuation = lap.valuation(accountId);
    if (!isToBeLiquidated(lap, accountId, valuation, reason)) return;
    liquidatePosition(lap, valuation, marketId, reason);
  }
}

/** The order in which an account's positions go: by maintenance, largest first, market id last. */
export function byMaintenance(positions: readonly PositionValuation[]): PositionValuation[] {
  return [...positions].sort((a, b) => b.maintenance.comparedTo(a.maintenance) || (a.marketId < b.marketId ? -1 : 1));
}

function isToBeLiquidated(
  lap: Lap,
  accountId: string,
  valuation: AccountValuation,
  reason: LiquidationReason,
): boolean {
  if (reason === 'CALL_LAPSED') return valuation.maintenance.gt(lap.venue.liquidationTarget.times(valuation.equity));
  const status = lap.status(accountId);
  return status === 'LIQUIDATABLE' || status === 'BANKRUPT';
}

function liquidatePosition(lap: Lap, valuation: AccountValuation, marketId: string, reason: LiquidationReason): void {
  const market = lap.market(marketId);
  const position = positionOf(valuation, marketId);
  const depth = lap.depth(marketId);
  const levels: readonly DepthLevel[] = (position.size.gt(0) ? depth?.bids : depth?.asks) ?? [];
  const bestPrice = levels[0]?.price ?? null;
  const target = restoreSize(valuation, marketId, market, bestPrice ?? position.mark, lap.venue);
  if (target.isZero()) return;
  const bankruptcyValue = bankruptcyValues(valuation).get(marketId) ?? ZERO;
  const { balance, mayPay } = lap.fundMayPay(valuation.accountId, market);
  const plan = walkDepth({
    market,
    size: position.size,
    target,
    mark: position.mark,
    bankruptcyValue,
    levels,
    fundMayPay: mayPay,
  });
  // An attempt that closed nothing is history only where an ADL follows, which has to tell what was tried before.
  if (plan.closed.isZero() && !valuation.equity.lt(0)) return;
  const realizedPnl = bookPlan(lap, valuation.accountId, market, position, plan);
  consume(lap, marketId, position.size.gt(0) ? 'bids' : 'asks', plan);
  const after = lap.valuation(valuation.accountId);
  lap.outcome.liquidations.push({
    accountId: valuation.accountId,
    marketId,
    reason,
    kind: target.eq(position.size.abs()) ? 'FULL' : 'PARTIAL',
    stoppedBy: plan.stoppedBy,
    mark: position.mark,
    sizeBefore: position.size,
    costBefore: position.cost,
    equityBefore: valuation.equity,
    maintenanceBefore: valuation.maintenance,
    bankruptcyValue,
    target,
    closed: plan.closed,
    closeValue: plan.closeValue,
    realizedPnl,
    fundDelta: plan.fundDelta,
    fundMayPay: mayPay,
    fundBalanceBefore: balance,
    depthSnapshotId: depth?.snapshotId ?? null,
    bestPrice,
    depthSize: levels.reduce((total, level) => total.plus(level.size), ZERO),
    equityAfter: after.equity,
    maintenanceAfter: after.maintenance,
    counterpartyId: market.liquidityProviderId,
    fills: plan.fills.map((fill) => {
      const level = levels[fill.level];
      if (level === undefined) throw new Error('a fill without its level');
      return { depthLevel: level.place, price: fill.price, size: fill.size, value: fill.value };
    }),
  });
}

/** Both sides and the fund's part, each booked once for all the fills of the step. */
function bookPlan(
  lap: Lap,
  accountId: string,
  market: MarketState,
  position: PositionValuation,
  plan: FillPlan,
): Decimal {
  if (plan.closed.isZero()) return ZERO;
  const cause = { kind: 'LIQUIDATION', index: lap.outcome.liquidations.length } as const;
  const sizeTaken = plan.closed.times(position.size.gt(0) ? 1 : -1);
  const { realizedPnl } = lap.bookFill(accountId, market.id, sizeTaken.neg(), plan.closeValue.neg(), cause);
  lap.bookFill(market.liquidityProviderId, market.id, sizeTaken, plan.closeValue, cause);
  lap.moveFund(accountId, market, plan.fundDelta, cause);
  return realizedPnl;
}

function consume(lap: Lap, marketId: string, side: 'bids' | 'asks', plan: FillPlan): void {
  const depth = lap.depth(marketId);
  if (depth === undefined || plan.fills.length === 0) return;
  const used = new Map(plan.fills.map((fill) => [fill.level, fill.size]));
  const left = depth[side]
    .map((level, place) => ({ ...level, size: level.size.minus(used.get(place) ?? ZERO) }))
    .filter((level) => level.size.gt(0));
  lap.setDepth(marketId, { ...depth, [side]: left });
}

export function positionOf(valuation: AccountValuation, marketId: string): PositionValuation {
  const position = valuation.positions.find((p) => p.marketId === marketId);
  if (position === undefined) throw new Error(`${valuation.accountId} has no position in ${marketId}`);
  return position;
}
