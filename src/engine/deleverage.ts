import type { PublishedRanking } from '../risk/ranking.js';
import type { MarketState } from '../db/risk-state.js';
import { bankruptcyPrice, bankruptcyValues } from '../risk/bankruptcy.js';
import { oppositeOf, sideOf } from '../risk/contract.js';
import { ZERO, type Decimal } from '../risk/decimal.js';
import { legPrice } from '../risk/deleverage.js';
import type { AccountValuation, PositionValuation } from '../risk/margin.js';
import { priceOfValue } from '../risk/position.js';
import { closeAtMark } from './close-at-mark.js';
import { EventLegs } from './legs.js';
import type { Lap } from './lap.js';
import { byMaintenance } from './liquidate.js';
import type { DeleverageEvent, Skip } from '../risk/outcome.js';
import { takeCounterparties } from './take-counterparties.js';

/**
 * Steps 5 and 6 of a BANKRUPT account: every position left in a live market is closed. The fund pays first; then
 * lawful counterparties by the market's policy at the price; what is left, at mark against whoever is on the other
 * side. All bankruptcy values are read together, before the first leg.
 */
export function deleverage(lap: Lap, accountId: string): void {
  const valuation = lap.valuation(accountId);
  if (!valuation.equity.lt(0)) return;
  const values = bankruptcyValues(valuation);
  for (const position of byMaintenance(valuation.positions)) {
    if (!lap.isLive(position.marketId)) continue;
    const bankruptcyValue = values.get(position.marketId);
    if (bankruptcyValue === undefined) throw new Error('a position without its bankruptcy value');
    const fund = lap.fundMayPay(valuation.accountId, lap.market(position.marketId));
    deleveragePosition(lap, { valuation, position, bankruptcyValue, fund });
  }
}

export interface Bankruptcy {
  /** Before the first of the account's events. */
  readonly valuation: AccountValuation;
  readonly position: PositionValuation;
  readonly bankruptcyValue: Decimal;
  readonly fund: ReturnType<Lap['fundMayPay']>;
}

/** One event: what the fund pays, then every leg. A verification makes it again from what is stored. */
export function deleveragePosition(lap: Lap, { valuation, position, bankruptcyValue, fund }: Bankruptcy): void {
  const market = lap.market(position.marketId);
  const side = oppositeOf(sideOf(position.size));
  const ranking = lap.book.ranking(market.id, side);
  const price = legPrice({
    market,
    size: position.size,
    mark: position.mark,
    bankruptcyValue,
    fundMayPay: fund.mayPay,
    basis: market.policy.priceBasis,
  });
  const cause = { kind: 'DELEVERAGE', index: lap.outcome.events.length } as const;
  lap.moveFund(valuation.accountId, market, price.fundPays.neg(), cause);

  const legs = new EventLegs(lap, {
    bankruptId: valuation.accountId,
    market,
    size: position.size,
    mark: position.mark,
    cause,
  });
  takeCounterparties(lap, legs, ranking, price.value);
  legs.settle();
  const sizeDeleveraged = legs.closed;
  // All of them, and as they stood at the price: at the mark one of them may be taken after all.
  const exempt = skipsOf(lap, lap.exemptIds, ranking, 'EXEMPT');
  closeAtMark(lap, legs, ranking);
  legs.settle();

  lap.outcome.events.push({
    ...circumstances(lap, valuation.accountId, market),
    marketId: market.id,
    accountId: valuation.accountId,
    side,
    ranking,
    deficit: price.deficit,
    fundBalanceBefore: fund.balance,
    fundAllowanceBefore: fund.allowance,
    fundMayPay: fund.mayPay,
    fundPaid: price.fundPays,
    mark: position.mark,
    markValue: position.value,
    bankruptcyValue,
    bankruptcyPrice: bankruptcyPrice(market, position.size, bankruptcyValue),
    priceValue: price.value,
    price: priceOfValue(market, position.size, price.value),
    clamped: price.clamped,
    sizeBefore: position.size,
    costBefore: position.cost,
    equityBefore: valuation.equity,
    maintenanceBefore: valuation.maintenance,
    sizeDeleveraged,
    sizeClosedAtMark: position.size.abs().minus(sizeDeleveraged),
    realizedPnl: legs.realizedPnl,
    legs: legs.legs,
    skips: [...passedOver(legs), ...exempt, ...untouchedHeld(lap, legs, ranking)],
  });
}

/** The policy in force, and what the liquidation of this lap saw of the market before. */
function circumstances(
  lap: Lap,
  accountId: string,
  market: MarketState,
): Pick<DeleverageEvent, 'scoreName' | 'priceBasis' | 'trigger' | 'bestPrice' | 'depthSize' | 'liquidated'> {
  const tried = lap.outcome.liquidations.find((l) => l.accountId === accountId && l.marketId === market.id);
  return {
    scoreName: market.policy.score,
    priceBasis: market.policy.priceBasis,
    trigger: market.policy.trigger,
    bestPrice: tried?.bestPrice ?? null,
    depthSize: tried?.depthSize ?? null,
    liquidated: tried !== undefined,
  };
}

/** Who stood before the last touched leg and was passed over. */
function passedOver({ legs, refusals }: EventLegs): Skip[] {
  const lastTouched = Math.max(0, ...legs.map((leg) => leg.rank ?? Number.POSITIVE_INFINITY));
  // Its own rank counts: one refused at the price, wholly or beyond a part, may be the one that closes at mark.
  return refusals.filter((refusal) => (refusal.rank ?? 0) <= lastTouched);
}

function untouchedHeld(lap: Lap, { legs }: EventLegs, ranking: PublishedRanking): Skip[] {
  const told = new Set([...lap.exemptIds, ...legs.map((leg) => leg.accountId)]);
  const untouched = lap.heldIds.filter((accountId) => !told.has(accountId));
  return skipsOf(lap, untouched, ranking, 'HELD');
}

/** Those who have a position of the ranking's market and side, without a rank. */
function skipsOf(
  lap: Lap,
  accountIds: readonly string[],
  { marketId, side }: PublishedRanking,
  reason: 'EXEMPT' | 'HELD',
): Skip[] {
  return accountIds.flatMap((accountId) => {
    const size = lap.account(accountId).positions.get(marketId)?.size ?? ZERO;
    if (size.isZero() || sideOf(size) !== side) return [];
    const now = lap.valuationOrNull(accountId);
    const [equity, maintenance, initial] = [now?.equity ?? null, now?.maintenance ?? null, now?.initial ?? null];
    return [{ accountId, rank: null, reason, size: size.abs(), equity, maintenance, initial }];
  });
}
