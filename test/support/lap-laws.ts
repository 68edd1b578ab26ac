import type { AccountMargin } from '../../src/book/account-margin.js';
import type { Lap } from '../../src/engine/lap.js';
import { ceilFraction, sum, ZERO, type Decimal } from '../../src/risk/decimal.js';
import { statusOf, type Account } from '../../src/risk/margin.js';
import type { DeleverageEvent, Leg } from '../../src/risk/outcome.js';
import { byScore, entriesOf } from '../../src/risk/ranking.js';
import { causeAccount } from './memory-laps.js';

/** What a lap broke of the invariants, by their numbers in the domain's list; empty when it is lawful. */
export function brokenLaws(lap: Lap): string[] {
  return [
    ...sizesSumToZero(lap),
    ...moneyIsConserved(lap),
    ...fundsStaySolvent(lap),
    ...closesOnlyShrink(lap),
    ...bankruptsAreClosed(lap),
    ...counterpartiesAreSpared(lap),
    ...legsSumExactly(lap),
    ...rankingsAreOrdered(lap),
    ...deficitsAreCharged(lap),
    ...nobodyJumpsTheQueue(lap),
    ...nobodyGains(lap),
    ...theExemptComeLast(lap),
  ];
}

function accountsOf(lap: Lap): Account[] {
  return [...lap.book.accountIds()].map((id) => lap.account(id));
}

function marginsOf(lap: Lap): AccountMargin[] {
  return [...lap.book.accountIds()].map((id) => lap.margin(id));
}

function sizesSumToZero(lap: Lap): string[] {
  return [...lap.book.markets.keys()].flatMap((marketId) => {
    const total = sum(accountsOf(lap).map((account) => account.positions.get(marketId)?.size ?? ZERO));
    return total.isZero() ? [] : [`1: the sizes of ${marketId} sum to ${total.toFixed()}`];
  });
}

/** Σ balances − Σ cost of an asset. */
function money(accounts: Iterable<Account>, assetId: string): Decimal {
  let total: Decimal = ZERO;
  for (const account of accounts) {
    if (account.marginAssetId !== assetId) continue;
    total = total.plus(account.balance).minus(sum([...account.positions.values()].map((holding) => holding.cost)));
  }
  return total;
}

function moneyIsConserved(lap: Lap): string[] {
  const { markets } = lap.book;
  const accounts = [...lap.book.accountIds()].flatMap((id) => lap.book.account(id) ?? []);
  const assets = new Set([...markets.values()].map((market) => market.settlementAssetId));
  return [...assets].flatMap((assetId) => {
    const badDebt = sum(
      lap.outcome.ledger.filter((e) => e.kind === 'BAD_DEBT' && e.assetId === assetId).map((e) => e.amount),
    );
    const change = money(accountsOf(lap), assetId).minus(money(accounts, assetId));
    return change.eq(badDebt) ? [] : [`2: ${assetId} changed by ${change.toFixed()}, bad debt ${badDebt.toFixed()}`];
  });
}

function fundsStaySolvent(lap: Lap): string[] {
  const broken: string[] = [];
  const balances = new Map<string, Decimal>();
  const flows = new Map<string, Decimal>();
  for (const { accountId, amount, kind, cause } of lap.outcome.ledger) {
    if (kind === 'FUND_PAYMENT' || kind === 'LIQUIDATION_FEE') {
      const flow = `${kind} ${cause.kind} ${cause.index}`;
      flows.set(flow, (flows.get(flow) ?? ZERO).plus(amount));
    }
    if (!lap.book.funds.has(accountId)) continue;
    const before = balances.get(accountId) ?? lap.book.account(accountId)?.balance ?? ZERO;
    balances.set(accountId, before.plus(amount));
    if (before.plus(amount).lt(0)) broken.push(`3: ${accountId} falls to ${before.plus(amount).toFixed()}`);
  }
  for (const [flow, left] of flows) if (!left.isZero()) broken.push(`3: ${flow} loses ${left.toFixed()}`);
  for (const e of lap.outcome.events) {
    const { priceBasis, clamped, deficit, fundMayPay, fundPaid } = e;
    if (!fundPaid.eq(deficit.lt(fundMayPay) ? deficit : fundMayPay)) broken.push(`3: ${e.accountId} is not paid first`);
    const expected = priceBasis === 'MARK' ? e.markValue : e.bankruptcyValue.minus(fundPaid);
    if (!clamped && !e.priceValue.eq(expected)) broken.push(`3: ${e.accountId} is priced ${e.priceValue.toFixed()}`);
  }
  return broken;
}

function closesOnlyShrink(lap: Lap): string[] {
  return lap.outcome.positionChanges.flatMap(({ accountId, marketId, cause, sizeAfter, sizeChange }) => {
    if (cause.kind === 'LIQUIDATION' && causeAccount(lap.outcome, cause) !== accountId) return [];
    const before = sizeAfter.minus(sizeChange);
    const shrinks =
      sizeAfter.abs().lt(before.abs()) && (sizeAfter.isZero() || sizeAfter.isNegative() === before.isNegative());
    return shrinks ? [] : [`4: ${accountId} in ${marketId} from ${before.toFixed()} to ${sizeAfter.toFixed()}`];
  });
}

/** But for those that a full lap did not reach. */
function bankruptsAreClosed(lap: Lap): string[] {
  const acted = new Set([...lap.outcome.events, ...lap.outcome.covers].map((row) => row.accountId));
  return marginsOf(lap).flatMap(({ account: { id, kind }, held }) => {
    const now = lap.valuationOrNull(id);
    if (kind !== 'TRADER' || held || now === null || (lap.outcome.more && !acted.has(id))) return [];
    const broken: string[] = [];
    if (now.equity.lt(0) && now.positions.some((p) => p.live))
      broken.push(`5: ${id} is bankrupt and open in a live market`);
    if (now.positions.length === 0 && now.balance.lt(0)) broken.push(`5: ${id} is left with ${now.balance.toFixed()}`);
    const wasClosed = acted.has(id) && now.positions.length === 0;
    if (wasClosed && !now.balance.isZero())
      broken.push(`5: ${id} ends with ${now.balance.toFixed()}, not with nothing`);
    return broken;
  });
}

function counterpartiesAreSpared(lap: Lap): string[] {
  const legs = lap.outcome.events.flatMap((event) => event.legs.map((leg) => ({ event, leg })));
  return legs.flatMap(({ event, leg }) => {
    const of = `${leg.accountId} by a ${leg.stage} leg of ${event.accountId}`;
    const broken: string[] = [];
    if (leg.accountId === event.accountId) broken.push(`13: ${of}`);
    if (!event.equityBefore.lt(0)) broken.push(`7: ${event.accountId} was not bankrupt`);
    const { equityBefore, equityAfter, maintenanceBefore, maintenanceAfter } = leg;
    if (equityBefore === null || equityAfter === null || maintenanceBefore === null || maintenanceAfter === null) {
      return leg.stage === 'CLOSE_AT_MARK' ? broken : [...broken, `6: ${of} at an unknown equity`];
    }
    if (!equityBefore.lt(0) && equityAfter.lt(0)) broken.push(`6: ${of} is bankrupt`);
    if (!equityBefore.lt(maintenanceBefore) && equityAfter.lt(maintenanceAfter))
      broken.push(`6: ${of} is liquidatable`);
    if (leg.stage === 'CLOSE_AT_MARK' && !equityAfter.eq(equityBefore)) broken.push(`6: ${of} at mark changes equity`);
    return broken;
  });
}

/** 8: the legs are one rounding over what they close together, and the fills of a step one close. */
function legsSumExactly(lap: Lap): string[] {
  const broken: string[] = [];
  for (const event of lap.outcome.events) {
    const atPrice = event.legs.filter((leg) => leg.stage === 'DELEVERAGE');
    const closed = sum(atPrice.map((leg) => leg.sizeClosed));
    const received = sum(atPrice.map((leg) => leg.value.neg()));
    const whole = ceilFraction(event.priceValue.times(closed), event.sizeBefore.abs());
    if (!received.eq(whole))
      broken.push(`8: the legs of ${event.accountId} bring ${received.toFixed()} of ${whole.toFixed()}`);
    if (!closed.eq(event.sizeDeleveraged)) broken.push(`8: ${event.accountId} tells another size than its legs`);
  }
  for (const l of lap.outcome.liquidations) {
    const [size, worth] = [sum(l.fills.map((f) => f.size)), sum(l.fills.map((f) => f.value))];
    if (!size.eq(l.closed) || !worth.eq(l.closeValue)) broken.push(`8: the fills of ${l.accountId} are not its close`);
  }
  return broken;
}

function rankingsAreOrdered(lap: Lap): string[] {
  const broken: string[] = [];
  for (const marketId of lap.book.markets.keys()) {
    for (const side of ['LONG', 'SHORT'] as const) {
      const ranking = lap.book.ranking(marketId, side);
      const [entries, queueSize] = [[...entriesOf(ranking)], ranking.queueSize];
      let ahead: Decimal = ZERO;
      for (const [index, entry] of entries.entries()) {
        const next = entries[index + 1];
        if (next !== undefined && byScore(entry, next) >= 0)
          broken.push(`9: ${entry.accountId} before ${next.accountId}`);
        if (entry.rank !== index + 1 || !entry.sizeAhead.eq(ahead)) broken.push(`9: ${entry.accountId} miscounts`);
        ahead = ahead.plus(entry.size);
      }
      if (!ahead.eq(queueSize) || (entries[0] !== undefined && entries[0].level !== 5))
        broken.push(`9: ${marketId} ${side}`);
    }
  }
  return broken;
}

function deficitsAreCharged(lap: Lap): string[] {
  const { outcome, book } = lap;
  return outcome.covers.flatMap((cover) => {
    const fundId = cover.marketId === null ? null : book.markets.get(cover.marketId)?.fundId;
    if (fundId !== cover.fundId) return [`15: ${cover.accountId} is paid by ${cover.fundId ?? 'nobody'}`];
    const event = outcome.events.find((e) => e.accountId === cover.accountId && e.marketId === cover.marketId);
    if (event === undefined) return [];
    const brought = sum(event.legs.map((leg) => leg.value.neg())).plus(event.fundPaid);
    const lacking = event.bankruptcyValue.minus(brought);
    return lacking.eq(cover.shortfall) ? [] : [`15: ${cover.accountId} is charged ${cover.shortfall.toFixed()}`];
  });
}

/** 16, of QUEUE: whoever stands before the last one touched is gone by then, or it is told why it was passed over. */
function nobodyJumpsTheQueue(lap: Lap): string[] {
  return lap.outcome.events.flatMap((event, index) => {
    if (lap.market(event.marketId).policy.allocation !== 'QUEUE') return [];
    const last = lastRank(event.legs);
    return [...entriesOf(event.ranking)]
      .filter(({ accountId, rank }) => rank < last && !event.skips.some((skip) => skip.accountId === accountId))
      .filter(({ accountId }) => !isGone(lap, event, index, accountId))
      .map(({ accountId, rank }) => `16: ${accountId}, rank ${rank}, is passed over by an event of ${event.accountId}`);
  });
}

function lastRank(legs: readonly Leg[]): number {
  return Math.max(0, ...legs.filter((leg) => leg.stage === 'DELEVERAGE').map((leg) => leg.rank ?? 0));
}

function isGone(lap: Lap, event: DeleverageEvent, index: number, accountId: string): boolean {
  return lap.outcome.positionChanges.some(
    (change) =>
      change.accountId === accountId &&
      change.marketId === event.marketId &&
      change.sizeAfter.isZero() &&
      (change.cause.kind === 'LIQUIDATION' || (change.cause.kind === 'DELEVERAGE' && change.cause.index <= index)),
  );
}

/** Whoever is exempt has no rank, is told as passed over, and closes at mark only, behind all ranked and before the provider. */
function theExemptComeLast(lap: Lap): string[] {
  const isExempt = (id: string): boolean => lap.book.account(id)?.exempt === true;
  const placeOf = ({ accountId, rank }: Leg): number => {
    if (rank !== null) return 0;
    if (lap.isHeld(accountId)) return 3;
    return isExempt(accountId) ? 1 : 2;
  };
  return lap.outcome.events.flatMap(({ accountId: of, ranking, legs, skips }) => {
    const broken = [...entriesOf(ranking)]
      .filter(({ accountId }) => isExempt(accountId))
      .map((e) => `${e.accountId} ranks`);
    for (const leg of legs.filter(({ accountId }) => isExempt(accountId))) {
      if (leg.stage === 'DELEVERAGE') broken.push(`${leg.accountId} closes at the price`);
      if (!skips.some((skip) => skip.accountId === leg.accountId && skip.reason === 'EXEMPT'))
        broken.push(`${leg.accountId} is not told as passed over`);
    }
    const places = legs.filter(({ stage }) => stage === 'CLOSE_AT_MARK').map(placeOf);
    if (places.some((place, k) => place < (places[k - 1] ?? 0))) broken.push(`places at mark ${places.join(' ')}`);
    return broken.map((what) => `exempt: ${what} in an event of ${of}`);
  });
}

/** 17: at frozen prices a lap makes nobody richer but by what the fund and the exchange pay to clear a bankruptcy. */
function nobodyGains(lap: Lap): string[] {
  const broken: string[] = [];
  for (const { legs, accountId } of lap.outcome.events) {
    for (const leg of legs) if (leg.concession.lt(0)) broken.push(`17: ${leg.accountId} gains by closing ${accountId}`);
  }
  for (const { account, valuation } of marginsOf(lap)) {
    const now = lap.valuationOrNull(account.id);
    if (account.kind !== 'TRADER' || valuation === null || now === null || now.equity.lte(valuation.equity)) continue;
    const own = [...lap.outcome.liquidations, ...lap.outcome.events, ...lap.outcome.covers];
    if (!own.some((row) => row.accountId === account.id))
      broken.push(`17: ${account.id} gains by the troubles of others`);
    const isSolvent = statusOf(valuation, lap.venue) !== 'BANKRUPT';
    const best = sum(
      lap.outcome.liquidations.filter((l) => l.accountId === account.id).map((l) => betterThanMark(lap, l)),
    );
    if (isSolvent && now.equity.gt(valuation.equity.plus(best)))
      broken.push(`17: ${account.id} gains by its liquidation`);
    if (!isSolvent && now.equity.gt(best.gt(0) ? best : ZERO)) broken.push(`17: ${account.id} gains by its bankruptcy`);
  }
  return broken;
}

/** What the fills of a liquidation brought above the mark; not below 0. */
function betterThanMark(
  lap: Lap,
  { marketId, mark, fills, sizeBefore }: Lap['outcome']['liquidations'][number],
): Decimal {
  const market = lap.market(marketId);
  const gains = fills.map(({ price, value }) => {
    const isBetter = sizeBefore.isNegative() ? price.lt(mark) : price.gt(mark);
    // A bound: the whole value, where the price is better, in a market whose mark is never zero.
    return isBetter
      ? value
          .abs()
          .times(price.minus(mark).abs())
          .dividedBy(market.payoff === 'LINEAR' ? price : mark)
      : ZERO;
  });
  return sum(gains);
}
