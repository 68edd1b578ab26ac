import { weights } from '../risk/margin.js';
import { ceilFraction, min, sum, ZERO, type Decimal } from '../risk/decimal.js';
import type { Lap } from './lap.js';

interface Shortfall {
  /** Null: no position that the deficit could be charged to. */
  readonly marketId: string | null;
  readonly amount: Decimal;
}

/**
 * Step 7, of an account bankrupted in this lap and now without positions: cash still negative is charged, each
 * market's own shortfall to that market's fund, within what it may pay; the rest is a bad debt owed by the exchange.
 */
export function coverDeficit(lap: Lap, accountId: string): void {
  const account = lap.account(accountId);
  if (account.positions.size > 0 || !account.balance.lt(0)) return;
  for (const shortfall of shortfallsOf(lap, accountId, account.balance.neg())) {
    if (shortfall.amount.gt(0)) coverShortfall(lap, accountId, shortfall);
  }
  if (!lap.account(accountId).balance.isZero()) throw new Error(`the shortfalls of ${accountId} are not its deficit`);
}

function coverShortfall(lap: Lap, accountId: string, { marketId, amount }: Shortfall): void {
  const cause = { kind: 'COVER', index: lap.outcome.covers.length } as const;
  const market = marketId === null ? null : lap.market(marketId);
  const fund = market === null ? null : lap.fundMayPay(accountId, market);
  const fundPaid = fund === null ? ZERO : min(amount, fund.mayPay);
  const badDebt = amount.minus(fundPaid);
  if (market !== null) lap.moveFund(accountId, market, fundPaid.neg(), cause);
  lap.credit(accountId, badDebt, 'BAD_DEBT', cause, marketId);
  lap.outcome.covers.push({
    accountId,
    marketId,
    fundId: market?.fundId ?? null,
    shortfall: amount,
    fundBalanceBefore: fund?.balance ?? null,
    fundMayPay: fund?.mayPay ?? null,
    fundPaid,
    badDebt,
  });
}

/**
 * Per market: its bankruptcy value − what its close brought. An account whose positions all went in another's
 * step 6 before its turn has no such events: its deficit is split by its weights at the start of the lap.
 */
function shortfallsOf(lap: Lap, accountId: string, deficit: Decimal): Shortfall[] {
  const events = lap.outcome.events.filter((event) => event.accountId === accountId);
  if (events.length === 0) return byStartingWeights(lap, accountId, deficit);
  return events.map((event) => {
    // A leg's value is signed from the counterparty's side: the bankrupt received its opposite.
    const brought = sum(event.legs.map((leg) => leg.value.neg())).plus(event.fundPaid);
    return { marketId: event.marketId, amount: event.bankruptcyValue.minus(brought) };
  });
}

function byStartingWeights(lap: Lap, accountId: string, deficit: Decimal): Shortfall[] {
  const start = lap.book.margin(accountId)?.valuation;
  if (start === undefined || start === null || start.positions.length === 0)
    return [{ marketId: null, amount: deficit }];
  const weightOf = weights(start);
  let numerator = ZERO;
  let assigned = ZERO;
  return start.positions.map((position, k) => {
    const { n, d } = weightOf(k);
    numerator = numerator.plus(n);
    // Up, cumulatively: the parts sum to the deficit exactly.
    const upTo = ceilFraction(deficit.times(numerator), d);
    const amount = upTo.minus(assigned);
    assigned = upTo;
    return { marketId: position.marketId, amount };
  });
}

/** A market whose bad debt in the lap exceeds its limit is halted. */
export function haltForBadDebt(lap: Lap): void {
  const debts = new Map<string, Decimal>();
  for (const { marketId, badDebt } of lap.outcome.covers) {
    if (marketId !== null) debts.set(marketId, (debts.get(marketId) ?? ZERO).plus(badDebt));
  }
  for (const [marketId, debt] of debts) {
    const limit = lap.market(marketId).badDebtLimit;
    if (debt.lte(limit)) continue;
    const reason = `bad debt of ${debt.toFixed()} in one lap exceeds the limit of ${limit.toFixed()}`;
    lap.outcome.halts.push({ marketId, reason });
  }
}
