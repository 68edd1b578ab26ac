import type { MarketState } from '../db/risk-state.js';
import { value } from '../risk/contract.js';
import { legIsLawful } from '../risk/counterparty.js';
import { min, ZERO, type Decimal } from '../risk/decimal.js';
import { effectiveLeverage, valuate, type AccountValuation } from '../risk/margin.js';
import { entryPrice, fill, priceOfValue, type Holding } from '../risk/position.js';
import { legValue } from '../risk/deleverage.js';
import type { RankEntry } from '../risk/ranking.js';
import type { Lap } from './lap.js';
import type { Cause, Leg, LegStage, Skip } from '../risk/outcome.js';

export interface EventFrame {
  readonly bankruptId: string;
  readonly market: MarketState;
  /** The bankrupt's position, signed, before the first leg. */
  readonly size: Decimal;
  readonly mark: Decimal;
  readonly cause: Cause;
}

/**
 * The legs of one event while they are made, opposite and equal on both sides, at one value, no fee. A counterparty
 * is booked leg by leg, the bankrupt once a stage for the sum of its legs.
 */
export class EventLegs {
  readonly market: MarketState;
  readonly size: Decimal;
  readonly legs: Leg[] = [];
  readonly refusals: Skip[] = [];
  realizedPnl: Decimal = ZERO;
  closed: Decimal = ZERO;
  readonly #lap: Lap;
  readonly #frame: EventFrame;
  /** Σ size of the legs at the price so far: what their rounding runs over. */
  #cumulative: Decimal = ZERO;
  /** Legs not yet booked on the bankrupt's side, signed as its position. */
  #openSize: Decimal = ZERO;
  #openValue: Decimal = ZERO;

  constructor(lap: Lap, frame: EventFrame) {
    this.#lap = lap;
    this.#frame = frame;
    this.market = frame.market;
    this.size = frame.size;
  }

  get remaining(): Decimal {
    return this.size.abs().minus(this.closed);
  }

  isOnOtherSide(accountId: string): boolean {
    const holding = this.#lap.account(accountId).positions.get(this.market.id);
    return (
      holding !== undefined &&
      accountId !== this.#frame.bankruptId &&
      holding.size.isNegative() !== this.size.isNegative()
    );
  }

  /** Books the leg if, as booked, it is lawful; else records why not. */
  tryAtPrice(entry: RankEntry, size: Decimal, priceValue: Decimal): void {
    const bankruptValue = legValue(priceValue, this.size, this.#cumulative, size);
    const before = this.#lap.valuation(entry.accountId);
    const after = this.#afterLeg(entry.accountId, size, bankruptValue);
    if (!legIsLawful(before, after)) {
      this.refuse(entry, after.equity.lt(0) ? 'NON_OVERLAPPING_BANKRUPTCY' : 'WOULD_BREACH_MARGIN');
      return;
    }
    this.#cumulative = this.#cumulative.plus(size);
    this.#book('DELEVERAGE', entry.accountId, entry, size, bankruptValue);
  }

  /** As much of what remains as the account has, at mark. */
  takeAtMark(accountId: string, entry: RankEntry | null): void {
    const holding = this.#holding(accountId);
    const size = min(holding.size.abs(), this.remaining);
    this.#book('CLOSE_AT_MARK', accountId, entry, size, value(this.market, this.#signed(size), this.#frame.mark));
  }

  refuse(entry: RankEntry, reason: 'NON_OVERLAPPING_BANKRUPTCY' | 'WOULD_BREACH_MARGIN'): void {
    if (this.refusals.some((refusal) => refusal.accountId === entry.accountId)) return;
    const now = this.#lap.valuation(entry.accountId);
    this.refusals.push({
      accountId: entry.accountId,
      rank: entry.rank,
      reason,
      size: this.#holding(entry.accountId).size.abs(),
      equity: now.equity,
      maintenance: now.maintenance,
      initial: now.initial,
    });
  }

  /** Books the bankrupt's side of the stage that ends here. */
  settle(): void {
    if (this.#openSize.isZero()) return;
    const { bankruptId, cause } = this.#frame;
    const booked = this.#lap.bookFill(bankruptId, this.market.id, this.#openSize.neg(), this.#openValue.neg(), cause);
    this.realizedPnl = this.realizedPnl.plus(booked.realizedPnl);
    this.#openSize = ZERO;
    this.#openValue = ZERO;
  }

  #holding(accountId: string): Holding {
    const holding = this.#lap.account(accountId).positions.get(this.market.id);
    if (holding === undefined) throw new Error(`${accountId} has no position in ${this.market.id}`);
    return holding;
  }

  /** `size` contracts with the sign of the bankrupt's position. */
  #signed(size: Decimal): Decimal {
    return this.size.isNegative() ? size.neg() : size;
  }

  #afterLeg(accountId: string, size: Decimal, bankruptValue: Decimal): AccountValuation {
    const account = this.#lap.account(accountId);
    const { holding, realizedPnl } = fill(this.#holding(accountId), this.#signed(size), bankruptValue);
    const positions = new Map(account.positions);
    if (holding.size.isZero()) positions.delete(this.market.id);
    else positions.set(this.market.id, holding);
    const { markets, marks } = this.#lap.book;
    const after = valuate({ ...account, balance: account.balance.plus(realizedPnl), positions }, markets, marks);
    if (after === null) throw new Error(`${accountId} cannot be valued`);
    return after;
  }

  /** `bankruptValue`: what the bankrupt receives for its part, signed as its position. */
  #book(stage: LegStage, accountId: string, entry: RankEntry | null, size: Decimal, bankruptValue: Decimal): void {
    const { cause, mark } = this.#frame;
    const before = this.#lap.valuationOrNull(accountId);
    const taken = this.#signed(size);
    const booked = this.#lap.bookFill(accountId, this.market.id, taken, bankruptValue, cause);
    this.#openSize = this.#openSize.plus(taken);
    this.#openValue = this.#openValue.plus(bankruptValue);
    this.closed = this.closed.plus(size);
    const after = this.#lap.valuationOrNull(accountId);
    const counterpartyValue = bankruptValue.neg();
    const markValue = value(this.market, taken.neg(), mark);
    this.legs.push({
      stage,
      accountId,
      rank: entry?.rank ?? null,
      queueLength: entry === null ? null : this.#queueLength(),
      sizeAhead: entry?.sizeAhead ?? null,
      score: entry?.score.value ?? null,
      profitRatio: entry?.score.profitRatio ?? null,
      leverage: entry?.score.leverage ?? null,
      sizeBefore: booked.before.size,
      sizeClosed: size,
      sizeAfter: booked.after.size,
      costBefore: booked.before.cost,
      costAfter: booked.after.cost,
      value: counterpartyValue,
      markValue,
      price: priceOfValue(this.market, taken, bankruptValue),
      realizedPnl: booked.realizedPnl,
      concession: markValue.minus(counterpartyValue),
      equityBefore: before?.equity ?? null,
      equityAfter: after?.equity ?? null,
      maintenanceBefore: before?.maintenance ?? null,
      maintenanceAfter: after?.maintenance ?? null,
      leverageBefore: leverageOf(before, this.market.id),
      leverageAfter: leverageOf(after, this.market.id),
      entryPriceBefore: entryPrice(this.market, booked.before),
      entryPriceAfter: entryPrice(this.market, booked.after),
    });
  }

  #queueLength(): number {
    const side = this.size.isNegative() ? 'LONG' : 'SHORT';
    return this.#lap.book.ranking(this.market.id, side).queueLength;
  }
}

function leverageOf(valuation: AccountValuation | null, marketId: string): Decimal | null {
  if (valuation === null) return null;
  const k = valuation.positions.findIndex((p) => p.marketId === marketId);
  return k < 0 ? null : effectiveLeverage(valuation, k);
}
