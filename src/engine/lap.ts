import type { Book } from '../book/book.js';
import type { AccountMargin } from '../book/account-margin.js';
import { marginOf } from '../book/account-margin.js';
import type { MarkFact, MarketState } from '../db/risk-state.js';
import type { Level } from '../risk/liquidation.js';
import { ZERO, min, max, type Decimal } from '../risk/decimal.js';
import { statusOf, valuate, type Account, type AccountValuation, type MarginStatus } from '../risk/margin.js';
import { fill, type Holding } from '../risk/position.js';
import type { PublishedRanking } from '../risk/ranking.js';
import { emptyOutcome, type Cause, type ExemptionEnded, type LedgerChange } from '../risk/outcome.js';

/** What is left of the newest recorded depth of a market: whole steps, best level first. `place` counts from 1. */
export interface DepthLeft {
  readonly snapshotId: string;
  readonly bids: readonly DepthLevel[];
  readonly asks: readonly DepthLevel[];
}

export interface DepthLevel extends Level {
  readonly place: number;
}

/** A margin call that is open, or lapsed and not yet released. */
export interface CallFact {
  readonly id: string;
  readonly accountId: string;
  readonly transitionId: string;
  readonly status: 'OPEN' | 'LAPSED';
  readonly deadline: string;
  readonly onLapse: 'REDUCE_ONLY' | 'LIQUIDATE';
}

export interface Booked {
  readonly before: Holding;
  readonly after: Holding;
  readonly realizedPnl: Decimal;
}

/**
 * One lap in memory: the state that it began with (`book`, which never changes), the accounts, funds and depth of the
 * moment, and what it has decided so far. Nothing in here reads a clock or the database, so a lap is a function of
 * what it was given.
 */
export class Lap {
  readonly book: Book;
  readonly outcome = emptyOutcome();
  readonly calls: ReadonlyMap<string, readonly CallFact[]>;
  /** Held at the start of the lap, by id. */
  readonly heldIds: readonly string[];
  /** Exempt in this lap, held ones included, by id. */
  readonly exemptIds: readonly string[];
  readonly #changed = new Map<string, Account>();
  readonly #valuations = new Map<string, AccountValuation>();
  readonly #depth = new Map<string, DepthLeft>();
  /** By ranking. */
  readonly #firstOpenRanks = new Map<string, number>();
  /** Net payments of a fund in this lap, by fund, then by account and market: one event each. */
  readonly #fundEvents = new Map<string, Map<string, Decimal>>();

  /** `expired`: exemptions whose time is over. They count no more from the beginning, and end with all else that is stored. */
  constructor(book: Book, calls: ReadonlyMap<string, readonly CallFact[]>, expired: readonly ExemptionEnded[] = []) {
    this.book = withoutExemption(book, expired);
    this.outcome.exemptionsEnded.push(...expired);
    this.calls = calls;
    this.heldIds = this.book.heldIds();
    this.exemptIds = this.book.exemptIds();
  }

  get venue(): Book['venue'] {
    return this.book.venue;
  }

  market(marketId: string): MarketState {
    const market = this.book.markets.get(marketId);
    if (market === undefined) throw new Error(`no market ${marketId}`);
    return market;
  }

  mark(marketId: string): MarkFact {
    const mark = this.book.marks.get(marketId);
    if (mark === undefined) throw new Error(`no price of ${marketId}`);
    return mark;
  }

  isLive(marketId: string): boolean {
    return this.book.marks.get(marketId)?.live ?? false;
  }

  /** As the lap began. */
  margin(accountId: string): AccountMargin {
    const margin = this.book.margin(accountId);
    if (margin === undefined) throw new Error(`no account ${accountId}`);
    return margin;
  }

  /** The account as it stands now. */
  account(accountId: string): Account {
    const account = this.#changed.get(accountId) ?? this.book.account(accountId);
    if (account === undefined) throw new Error(`no account ${accountId}`);
    return account;
  }

  /** Accounts that this lap has changed. */
  changed(): Iterable<Account> {
    return this.#changed.values();
  }

  /** The first of the ranking who still has the position: in a lap nobody who lost it gets it back. */
  firstOpenRank(ranking: PublishedRanking): number {
    let rank = this.#firstOpenRanks.get(ranking.id) ?? 1;
    const isOpen = (): boolean => this.account(ranking.accountAt(rank)).positions.has(ranking.marketId);
    while (rank <= ranking.queueLength && !isOpen()) rank++;
    this.#firstOpenRanks.set(ranking.id, rank);
    return rank;
  }

  /** Margin of the account as it stands now; null while a price of it was never received. */
  valuationOrNull(accountId: string): AccountValuation | null {
    if (!this.#changed.has(accountId)) return this.book.margin(accountId)?.valuation ?? null;
    const known = this.#valuations.get(accountId);
    if (known !== undefined) return known;
    const made = valuate(this.account(accountId), this.book.markets, this.book.marks);
    if (made !== null) this.#valuations.set(accountId, made);
    return made;
  }

  valuation(accountId: string): AccountValuation {
    const valuation = this.valuationOrNull(accountId);
    if (valuation === null) throw new Error(`${accountId} cannot be valued`);
    return valuation;
  }

  status(accountId: string): MarginStatus {
    return statusOf(this.valuation(accountId), this.venue);
  }

  /** Held accounts of the start of the lap: no step touches them but the last resort at mark. */
  isHeld(accountId: string): boolean {
    return this.book.margin(accountId)?.held ?? true;
  }

  /** Begins with the account as it stood at a later moment of the lap: what is made again begins in its middle. */
  beginWith(account: Account): void {
    this.#set(account);
  }

  setDepth(marketId: string, depth: DepthLeft): void {
    this.#depth.set(marketId, depth);
  }

  depth(marketId: string): DepthLeft | undefined {
    return this.#depth.get(marketId);
  }

  /** What the fund may pay now for one account and market: within balance, per-event cap and window allowance. */
  fundMayPay(accountId: string, market: MarketState): { balance: Decimal; allowance: Decimal | null; mayPay: Decimal } {
    const fund = this.book.funds.get(market.fundId);
    if (fund === undefined) throw new Error(`no fund ${market.fundId}`);
    const balance = this.account(market.fundId).balance;
    const events = this.#fundEvents.get(market.fundId);
    const key = eventKey(accountId, market.id);
    const own = events?.get(key) ?? ZERO;
    const limits = [balance];
    if (fund.perEventCap !== null) limits.push(max(ZERO, fund.perEventCap.minus(own)));
    let allowance: Decimal | null = null;
    if (fund.windowAllowance !== null) {
      let paid = fund.windowPaid;
      for (const [other, net] of events ?? []) if (other !== key && net.gt(0)) paid = paid.plus(net);
      allowance = max(ZERO, fund.windowAllowance.minus(paid).minus(own));
      limits.push(allowance);
    }
    return { balance, allowance, mayPay: limits.reduce((a, b) => min(a, b)) };
  }

  /** Positive: the fund earns it from the account; negative: the fund pays it to the account. */
  moveFund(accountId: string, market: MarketState, amount: Decimal, cause: Cause): void {
    if (amount.isZero()) return;
    const events = this.#fundEvents.get(market.fundId) ?? new Map<string, Decimal>();
    const key = eventKey(accountId, market.id);
    events.set(key, (events.get(key) ?? ZERO).minus(amount));
    this.#fundEvents.set(market.fundId, events);
    const kind = amount.gt(0) ? 'LIQUIDATION_FEE' : 'FUND_PAYMENT';
    this.credit(accountId, amount.neg(), kind, cause, market.id);
    this.credit(market.fundId, amount, kind, cause, market.id);
  }

  credit(accountId: string, amount: Decimal, kind: LedgerChange['kind'], cause: Cause, marketId: string | null): void {
    if (amount.isZero()) return;
    const account = this.account(accountId);
    this.#set({ ...account, balance: account.balance.plus(amount) });
    this.outcome.ledger.push({ accountId, assetId: account.marginAssetId, amount, kind, cause, marketId });
  }

  /** Books a change of a position at a value: cost and realized PnL as `fill` in risk says. */
  bookFill(accountId: string, marketId: string, sizeChange: Decimal, value: Decimal, cause: Cause): Booked {
    const account = this.account(accountId);
    const before = account.positions.get(marketId) ?? { size: ZERO, cost: ZERO };
    const { holding: after, realizedPnl } = fill(before, sizeChange, value);
    const positions = new Map(account.positions);
    if (after.size.isZero()) positions.delete(marketId);
    else positions.set(marketId, after);
    this.#set({ ...account, positions });
    this.outcome.positionChanges.push({
      accountId,
      marketId,
      cause,
      sizeChange,
      costChange: after.cost.minus(before.cost),
      realizedPnl,
      sizeAfter: after.size,
      costAfter: after.cost,
    });
    this.credit(accountId, realizedPnl, 'REALIZED_PNL', cause, marketId);
    return { before, after, realizedPnl };
  }

  /** The state that this lap leaves behind, as a book of its own. */
  bookAfter(): Book {
    if (this.#changed.size === 0) return this.book;
    // Not stored yet, so without a number. A held account keeps the status that this lap recorded of it.
    const statuses = this.outcome.transitions.map(
      ({ accountId, to, held }) => [accountId, { transitionId: '0', status: to, held }] as const,
    );
    return this.book.with(this.#changed.values(), new Map(statuses));
  }

  marginNow(accountId: string): AccountMargin | undefined {
    const start = this.book.margin(accountId);
    if (start === undefined || !this.#changed.has(accountId)) return start;
    // A lap does not record a held account's status anew: it keeps the one it began with.
    const account = this.account(accountId);
    const now = marginOf(this.book, account, this.valuationOrNull(accountId), undefined);
    return now.held ? { ...now, status: start.status } : now;
  }

  #set(account: Account): void {
    this.#changed.set(account.id, account);
    this.#valuations.delete(account.id);
  }
}

function withoutExemption(book: Book, expired: readonly ExemptionEnded[]): Book {
  if (expired.length === 0) return book;
  const accounts = expired.flatMap(({ accountId }) => book.account(accountId) ?? []);
  return book.with(accounts.map((account) => ({ ...account, exempt: false })));
}

function eventKey(accountId: string, marketId: string): string {
  return `${accountId} ${marketId}`;
}
