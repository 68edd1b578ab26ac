import type { Book } from '../../src/book/book.js';
import type { FundState } from '../../src/db/fund-state.js';
import type { LastStatus, MarkFact, MarketState } from '../../src/db/risk-state.js';
import { Lap, type CallFact, type DepthLeft } from '../../src/engine/lap.js';
import { act, survey } from '../../src/engine/waterfall.js';
import type { BookLine } from '../../src/ingest/book-line.js';
import { makeSchedule } from '../../src/risk/brackets.js';
import { dec, max, sum, ZERO, type Decimal } from '../../src/risk/decimal.js';
import { addMilliseconds, isOlderThan, type Instant } from '../../src/risk/instant.js';
import type { Account, VenueParams } from '../../src/risk/margin.js';
import {
  STALE_AFTER_MS,
  depthText,
  EVER,
  exemptionsOf,
  marketIdOf,
  OPENING,
  openingLines,
  priceText,
  type BookPlan,
  type LapPlan,
} from './random-book.js';
import { columnBookOf, type WholeState } from './plain-book.js';

const LAP_MS = 1000;

/** When the lap of this number, from 0, runs. */
export function lapTime(index: number): Instant {
  return addMilliseconds(OPENING, (index + 1) * LAP_MS);
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export interface LapTwist {
  readonly at?: Instant;
  /** The same depth, cut otherwise. */
  readonly cut?: (depth: DepthLeft, lot: Decimal) => DepthLeft;
}

/** Laps without a database: what each leaves is carried into the next as the store would. */
export class MemoryLaps {
  #state: Mutable<WholeState>;
  readonly #plan: BookPlan;
  readonly #calls = new Map<string, CallFact[]>();
  /** Net payments of funds, one an event. */
  readonly #payments: { readonly fundId: string; readonly at: Instant; readonly net: Decimal }[] = [];
  #ids = 0;

  readonly #bookOf: (state: WholeState) => Book;

  /** `bookOf`: which book the laps look at, the product's when left out. */
  constructor(plan: BookPlan, bookOf: (state: WholeState) => Book = columnBookOf) {
    this.#plan = plan;
    this.#bookOf = bookOf;
    this.#state = openingState(
      openingLines(plan),
      exemptionsOf(plan).map(({ accountId }) => accountId),
    );
  }

  /** For tests that ask for the same laps on the same book in another order. */
  reorder(order: (accounts: readonly Account[]) => readonly Account[]): void {
    const accounts = order([...this.#state.accounts.values()]);
    this.#state = { ...this.#state, accounts: new Map(accounts.map((account) => [account.id, account])) };
  }

  /** `at`: the lap's own time, when it is another than that of its prices. */
  run(index: number, { at = lapTime(index), cut = (depth) => depth }: LapTwist = {}): Lap {
    const told = this.#plan.laps[index];
    if (told === undefined) throw new Error('no such lap');
    this.#state = { ...this.#state, at, marks: this.#marksAt(told, lapTime(index), at), funds: this.#fundsAt(at) };
    const lap = new Lap(this.#bookOf(this.#state), new Map(this.#calls), this.#expiredAt(at));
    const troubles = survey(lap);
    if (troubles.length > 0)
      for (const depth of this.#depths(told))
        lap.setDepth(depth.marketId, cut(depth, lap.market(depth.marketId).sizeStep));
    act(lap, troubles);
    this.#carry(lap);
    return lap;
  }

  #expiredAt(at: Instant): { accountId: string; version: number }[] {
    return exemptionsOf(this.#plan)
      .filter(({ accountId }) => this.#state.accounts.get(accountId)?.exempt === true)
      .filter(({ laps }) => laps !== EVER && lapTime(laps) <= at)
      .map(({ accountId }) => ({ accountId, version: 1 }))
      .sort((a, b) => (a.accountId < b.accountId ? -1 : 1));
  }

  #marksAt(told: LapPlan, priceAt: Instant, at: Instant): Map<string, MarkFact> {
    const marks = new Map<string, MarkFact>();
    for (const [index, marketId] of [...this.#state.markets.keys()].entries()) {
      const price = told.prices[index];
      const isSilent = price === undefined || ((told.silent >> index) & 1) === 1;
      const last = this.#state.marks.get(marketId);
      const fresh = isSilent
        ? last
        : { priceMarkId: '0', price: dec(priceText(index, this.#plan, price)), at: priceAt };
      if (fresh === undefined) continue;
      const isActive = this.#state.markets.get(marketId)?.status === 'ACTIVE';
      marks.set(marketId, { ...fresh, live: isActive && !isOlderThan(fresh.at, STALE_AFTER_MS, at) });
    }
    return marks;
  }

  #depths(told: LapPlan): (DepthLeft & { marketId: string })[] {
    return this.#plan.markets.map((_, index) => {
      const [price, depth] = [told.prices[index], told.depths[index]];
      if (price === undefined || depth === undefined) throw new Error('no depth');
      const side = (name: 'bids' | 'asks'): DepthLeft['bids'] =>
        depthText(this.#plan, index, price, name, depth[name]).map(([text, size], place) => ({
          price: dec(text),
          size: dec(size),
          place: place + 1,
        }));
      return { marketId: marketIdOf(index), snapshotId: '0', bids: side('bids'), asks: side('asks') };
    });
  }

  #fundsAt(at: Instant): Map<string, FundState> {
    return new Map(
      [...this.#state.funds].map(([id, fund]) => {
        // No simulation lasts as long as a window.
        const paid = this.#payments.filter((payment) => payment.fundId === id && payment.at <= at);
        const windowPaid = fund.windowAllowance === null ? ZERO : sum(paid.map(({ net }) => net));
        return [id, { ...fund, windowPaid }];
      }),
    );
  }

  #carry(lap: Lap): void {
    const { outcome } = lap;
    const halted = new Set(outcome.halts.map((halt) => halt.marketId));
    const markets = new Map(
      [...this.#state.markets].map(([id, m]) => [id, halted.has(id) ? { ...m, status: 'HALTED' as const } : m]),
    );
    const lastStatuses = new Map<string, LastStatus>(this.#state.lastStatuses);
    const caused = new Map<string, string>();
    for (const { accountId, to, held } of outcome.transitions) {
      const transitionId = String(++this.#ids);
      // Calls follow the first transition of a lap, that of step 1.
      if (!caused.has(accountId)) caused.set(accountId, transitionId);
      lastStatuses.set(accountId, { transitionId, status: to, held });
    }
    this.#carryCalls(lap, caused);
    this.#carryPayments(lap);
    const accounts = new Map(this.#state.accounts);
    for (const { accountId } of outcome.exemptionsEnded) accounts.set(accountId, lap.account(accountId));
    for (const account of lap.changed()) accounts.set(account.id, account);
    this.#state = { ...this.#state, accounts, markets, lastStatuses };
  }

  #carryCalls({ outcome, venue, book }: Lap, caused: ReadonlyMap<string, string>): void {
    const ended = new Map(outcome.callsEnded.map((end) => [end.callId, end.status]));
    const released = new Set(outcome.callsReleased.map((end) => end.callId));
    for (const [accountId, calls] of this.#calls) {
      const standing = calls
        .filter((call) => !released.has(call.id) && ended.get(call.id) !== 'MET')
        .map((call) => (ended.get(call.id) === 'LAPSED' ? { ...call, status: 'LAPSED' as const } : call));
      this.#calls.set(accountId, standing);
    }
    for (const { accountId } of outcome.callsOpened) {
      const transitionId = caused.get(accountId) ?? book.lastStatus(accountId)?.transitionId;
      if (transitionId === undefined) throw new Error(`a call of ${accountId} without its transition`);
      const deadline = addMilliseconds(book.at, venue.callDeadlineMs);
      const call = { id: String(++this.#ids), accountId, transitionId, deadline, onLapse: venue.onCallLapse };
      this.#calls.set(accountId, [...(this.#calls.get(accountId) ?? []), { ...call, status: 'OPEN' }]);
    }
  }

  /** One event a fund, account and market of the lap, net; what earned is no payment. */
  #carryPayments({ outcome, book }: Lap): void {
    const events = new Map<string, Decimal>();
    for (const { accountId, marketId, amount, kind, cause } of outcome.ledger) {
      if (kind !== 'FUND_PAYMENT' && kind !== 'LIQUIDATION_FEE') continue;
      const market = marketId === null ? undefined : book.markets.get(marketId);
      if (accountId !== market?.fundId) continue;
      const key = `${market.fundId} ${causeAccount(outcome, cause)} ${market.id}`;
      events.set(key, (events.get(key) ?? ZERO).minus(amount));
    }
    for (const [key, net] of events) {
      const fundId = key.split(' ')[0] ?? '';
      this.#payments.push({ fundId, at: book.at, net: max(ZERO, net) });
    }
  }
}

export function causeAccount(
  { liquidations, events, covers }: Lap['outcome'],
  { kind, index }: { readonly kind: string; readonly index: number },
): string {
  const rows = kind === 'LIQUIDATION' ? liquidations : kind === 'DELEVERAGE' ? events : covers;
  const row = rows[index];
  if (row === undefined) throw new Error(`no ${kind} ${index}`);
  return row.accountId;
}

/** The lines of a book as the state that a lap loads. */
function openingState(lines: readonly BookLine[], exemptIds: readonly string[]): WholeState {
  const accounts = new Map<string, Mutable<Account>>();
  const markets = new Map<string, MarketState>();
  const funds = new Map<string, FundState>();
  let venue: VenueParams | undefined;
  const accountOf = (id: string): Mutable<Account> => {
    const account = accounts.get(id);
    if (account === undefined) throw new Error(`no account ${id}`);
    return account;
  };
  for (const line of lines) {
    if (line.type === 'fund') {
      const [cap, allowance] = [line.perEventCap ?? null, line.windowAllowance ?? null];
      const limits = {
        perEventCap: cap === null ? null : dec(cap),
        windowAllowance: allowance === null ? null : dec(allowance),
      };
      funds.set(line.id, { accountId: line.id, ...limits, windowPaid: ZERO });
      accounts.set(line.id, emptyAccount(line.id, 'INSURANCE_FUND', 'CROSS', line.assetId));
    } else if (line.type === 'account') {
      accounts.set(line.id, emptyAccount(line.id, line.kind ?? 'TRADER', line.mode ?? 'CROSS', line.marginAssetId));
    } else if (line.type === 'market') markets.set(line.id, marketState(line));
    else if (line.type === 'balance') accountOf(line.accountId).balance = dec(line.amount);
    else if (line.type === 'position') {
      const account = accountOf(line.accountId);
      account.positions = new Map([
        ...account.positions,
        [line.marketId, { size: dec(line.size), cost: dec(line.cost ?? '0') }],
      ]);
    } else if (line.type === 'venueParameters') venue = venueOf(line);
  }
  if (venue === undefined) throw new Error('no venue parameters');
  for (const id of exemptIds) accountOf(id).exempt = true;
  const ordered = new Map([...accounts].sort(([a], [b]) => (a < b ? -1 : 1)));
  return {
    at: OPENING,
    venue,
    markets,
    marks: new Map(),
    accounts: ordered,
    funds,
    lastStatuses: new Map(),
  };
}

function emptyAccount(id: string, kind: Account['kind'], mode: Account['mode'], marginAssetId: string): Account {
  return { id, kind, mode, marginAssetId, exempt: false, balance: ZERO, positions: new Map() };
}

function marketState(line: Extract<BookLine, { type: 'market' }>): MarketState {
  const amount = (text: string | null | undefined): Decimal => dec(text ?? '0');
  const brackets = line.brackets.map((b) => ({
    floor: dec(b.floor),
    maintenanceRate: dec(b.maintenanceRate),
    initialRate: dec(b.initialRate),
  }));
  return {
    ...{ id: line.id, payoff: line.payoff, status: 'ACTIVE', settlementAssetId: line.settlementAssetId },
    ...{ contractSize: dec(line.contractSize), priceTick: dec(line.priceTick), sizeStep: dec(line.sizeStep) },
    ...{ fundId: line.insuranceFundId, liquidityProviderId: line.liquidityProviderId },
    schedule: makeSchedule(brackets),
    badDebtLimit: amount(line.badDebtLimit),
    params: {
      ...{
        maxFeeRate: amount(line.maxFeeRate),
        maxDeviation: amount(line.maxDeviation),
        priceBand: amount(line.priceBand),
      },
      staleAfterMs: line.staleAfterMs ?? 0,
    },
    policy: {
      ...{
        version: '1',
        score: line.policy?.score ?? 'LEVERAGED_RETURN',
        allocation: line.policy?.allocation ?? 'QUEUE',
      },
      ...{ priceBasis: line.policy?.priceBasis ?? 'BANKRUPTCY', trigger: 'FUND_EXHAUSTED' },
    },
  };
}

function venueOf(line: Extract<BookLine, { type: 'venueParameters' }>): VenueParams {
  return {
    ...{ warningRatio: dec('0.66'), callRatio: dec('0.80'), liquidationTarget: dec('0.75'), staleShare: dec('0.05') },
    ...{ callDeadlineMs: line.callDeadlineMs ?? 0, callExtensionCapMs: 86_400_000 },
    ...{ onCallLapse: line.onCallLapse ?? 'REDUCE_ONLY', accountsPerLap: line.accountsPerLap ?? 0 },
  };
}
