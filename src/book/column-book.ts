import { rowOfAccount } from '../db/account-rows.js';
import type { Circumstances, LastStatus } from '../db/risk-state.js';
import type { Side } from '../risk/contract.js';
import type { Decimal } from '../risk/decimal.js';
import type { Account, MarginStatus } from '../risk/margin.js';
import { score } from '../risk/ranking.js';
import { exactMargin, type AccountMargin } from './account-margin.js';
import type { Book, Indicator, OpenInterest, StatusCounts } from './book.js';
import { at, hasAccount, NO_ROW, TRADER } from './column-reader.js';
import type { Columns } from './columns.js';
import { glanceAt, type Glance } from './glance.js';
import { goneSince, compareLevels, type LevelChanges } from './level-changes.js';
import { indicatorOf } from './indicator.js';
import { liquidationOrder } from './liquidation-order.js';
import { listed, queueKey } from './members.js';
import { openInterestOf, sizesOfTraders } from './open-interest.js';
import { merged, type MarketOrder, type NearPosition } from './near-liquidation.js';
import { QueueRanking, type ScoreOf } from './queue-ranking.js';
import { circumstancesDigest, rankingId } from './ranking-id.js';
import {
  advance,
  completed,
  completeQueues,
  emptyState,
  membersIn,
  membersOfMarket,
  remade,
  stepTo,
  type BookState,
  type Changes,
} from './state.js';
import { countStatuses } from './status-counts.js';
import { codeOf, MARGIN_STATUSES, recordedCode, recordedStatus } from './status-codes.js';
import { isLight, sweep, type Swept, type SweepTask } from './sweep.js';

/** Sweeps in another thread, so that this one goes on answering. */
export type SweepElsewhere = (task: SweepTask) => Promise<Swept>;

/** A book over columns: floats screen, `risk` decides. */
export class ColumnBook implements Book {
  /** When this process took it, by its monotonic clock; NaN: not said. */
  readonly takenAtMs: number;
  readonly #state: BookState;
  readonly #known = new Map<number, AccountMargin>();
  /** Those that were looked at: a page asks for each of their fields. */
  readonly #indicators = new Map<string, Indicator | undefined>();
  /** By market: slots, nearest to liquidation first. */
  readonly #nearest = new Map<string, Uint32Array>();
  #digest: string | undefined;

  private constructor(state: BookState, takenAtMs = Number.NaN) {
    this.#state = state;
    this.takenAtMs = takenAtMs;
  }

  /** Nobody's, over new columns. `caution` multiplies all error bounds; below 1 floats decide what they cannot know. */
  static empty(columns: Columns, caution = 1): ColumnBook {
    return new ColumnBook(emptyState(columns, caution));
  }

  /** Accounts, those of other states that share the columns included. */
  get slotCount(): number {
    return this.#state.heads.count;
  }
  /** Where rows for `advance` are added. */
  get columns(): Columns {
    return this.#state.columns;
  }

  /** The book after the changes, swept elsewhere, all of its rankings made. */
  async advanceBy(sweepTask: SweepElsewhere, changes: Changes): Promise<ColumnBook> {
    const step = stepTo(this.#state, changes, true);
    const swept = isLight(step.task) ? sweep(step.task) : await sweepTask(step.task);
    return new ColumnBook(completed(step, swept));
  }

  /** The same book with every margin and ranking made anew: what a move of all prices costs. */
  remade(): ColumnBook {
    return new ColumnBook(remade(this.#state), this.takenAtMs);
  }

  /** Makes the queues that nobody asked for yet, all at once. */
  rankAll(): void {
    completeQueues(this.#state);
  }

  /** The same book, taken at a moment of this process's monotonic clock. */
  dated(takenAtMs: number): ColumnBook {
    return new ColumnBook(this.#state, takenAtMs);
  }

  /** The book after the changes; this one stays as it is. */
  advance(changes: Changes): ColumnBook {
    return new ColumnBook(advance(this.#state, changes));
  }

  with(accounts: Iterable<Account>, statuses: ReadonlyMap<string, LastStatus> = new Map()): ColumnBook {
    const { circumstances, columns } = this.#state;
    const added = [...accounts].map((account) => columns.add(rowOfAccount(account)));
    return this.advance({ circumstances, added, statuses });
  }

  get at(): Circumstances['at'] {
    return this.#state.circumstances.at;
  }
  get venue(): Circumstances['venue'] {
    return this.#state.circumstances.venue;
  }
  get markets(): Circumstances['markets'] {
    return this.#state.circumstances.markets;
  }
  get marks(): Circumstances['marks'] {
    return this.#state.circumstances.marks;
  }
  get funds(): Circumstances['funds'] {
    return this.#state.circumstances.funds;
  }
  get accountCount(): number {
    return this.#state.heads.rows.filter((row) => row !== NO_ROW).length;
  }

  account(accountId: string): Account | undefined {
    return this.margin(accountId)?.account;
  }

  margin(accountId: string): AccountMargin | undefined {
    const slot = this.#slot(accountId);
    return slot === undefined ? undefined : this.#marginIn(slot);
  }

  glance(accountId: string): Glance | undefined {
    const slot = this.#slot(accountId);
    return slot === undefined ? undefined : glanceAt(this.#state, slot, (id, side) => this.ranking(id, side));
  }

  holds(accountId: string, marketId: string): boolean {
    const { columns, heads } = this.#state;
    const slot = this.markets.has(marketId) ? this.#slot(accountId) : undefined;
    return (
      slot !== undefined && columns.positionOf(at(heads.rows, slot), columns.names.marketNumber(marketId)) !== undefined
    );
  }

  lastStatus(accountId: string): LastStatus | undefined {
    const slot = this.#slot(accountId);
    const status = slot === undefined ? undefined : recordedStatus(this.#state.lastCodes, slot);
    if (slot === undefined || status === undefined) return undefined;
    return { transitionId: String(this.#state.lastTransitions[slot] ?? 0n), ...status };
  }

  *accountIds(after?: string): Iterable<string> {
    for (const slot of this.#slots(after)) yield this.#id(slot);
  }

  *withStatus(statuses: readonly MarginStatus[], after?: string): Iterable<string> {
    const codes = new Set(statuses.map((status) => MARGIN_STATUSES.indexOf(status)));
    for (const slot of this.#slots(after)) if (codes.has(at(this.#state.margins.status, slot))) yield this.#id(slot);
  }

  heldIds(): readonly string[] {
    return this.#idsWhere((slot) => at(this.#state.margins.held, slot) === 1);
  }

  exemptIds(): readonly string[] {
    const { columns, heads } = this.#state;
    return this.#idsWhere((slot) => at(columns.arrays.exempts, at(heads.rows, slot)) === 1);
  }

  moved(): readonly string[] {
    const { margins, lastCodes, columns, heads } = this.#state;
    return this.#idsWhere(
      (slot) =>
        at(columns.arrays.kinds, at(heads.rows, slot)) === TRADER &&
        codeOf(at(margins.status, slot), at(margins.held, slot)) !== recordedCode(lastCodes, slot),
    );
  }

  unranked(marketId: string, side: Side): readonly string[] {
    const ranking = this.ranking(marketId, side);
    const slots = [...membersIn(this.#state, queueKey(marketId, side)).slots].filter(
      (slot) => ranking.rankOfSlot(slot) === null,
    );
    return slots.map((slot) => this.#id(slot)).sort();
  }

  openInterest(marketId: string): OpenInterest {
    return openInterestOf(this.#state.columns, ...membersOfMarket(this.#state, marketId));
  }

  sizesOfTraders(marketId: string): Iterable<Decimal> {
    return sizesOfTraders(this.#state, membersOfMarket(this.#state, marketId));
  }

  ranking(marketId: string, side: Side): QueueRanking {
    const key = queueKey(marketId, side);
    const known = this.#state.rankings.get(key);
    if (known !== undefined) return known;
    const made = this.#makeRanking(marketId, side);
    this.#state.rankings.set(key, made);
    return made;
  }

  levelsSince(earlier: Book): LevelChanges | undefined {
    if (!(earlier instanceof ColumnBook) || earlier.columns.names !== this.columns.names) return undefined;
    return { ...compareLevels(earlier, this), gone: goneSince(earlier.#state, this.#state) };
  }

  indicator(accountId: string, marketId: string): Indicator | undefined {
    const key = `${accountId} ${marketId}`;
    const margin = this.margin(accountId);
    if (margin !== undefined && !this.#indicators.has(key))
      this.#indicators.set(
        key,
        indicatorOf(margin, marketId, (side) => this.ranking(marketId, side)),
      );
    return this.#indicators.get(key);
  }

  nearLiquidation(marketIds: Iterable<string>, after?: NearPosition): Iterable<NearPosition> {
    return merged(
      [...new Set(marketIds)].filter((id) => this.markets.has(id)).map((id) => this.#liquidationOrder(id)),
      after,
    );
  }

  #liquidationOrder(marketId: string): MarketOrder {
    const members = membersOfMarket(this.#state, marketId);
    const { slots, distance } = liquidationOrder(this.#state, members, marketId, (slot) => this.#marginIn(slot));
    const known = this.#nearest.get(marketId) ?? slots();
    this.#nearest.set(marketId, known);
    const placed = (slot: number): NearPosition => ({ accountId: this.#id(slot), marketId, distance: distance(slot) });
    return { length: known.length, at: (index) => placed(at(known, index)) };
  }

  counts(): StatusCounts {
    return countStatuses(this.#state);
  }

  #slot(accountId: string): number | undefined {
    const slot = this.#state.columns.names.slotOf(accountId);
    return slot === undefined || !hasAccount(this.#state.heads, slot) ? undefined : slot;
  }

  #id(slot: number): string {
    return this.#state.columns.names.ids[slot] ?? '';
  }

  *#slots(after?: string): Iterable<number> {
    const sorted = this.#state.columns.names.slotsById();
    let [from, end] = [0, after === undefined ? 0 : sorted.length];
    while (after !== undefined && from < end) {
      const middle = (from + end) >> 1;
      if (this.#id(at(sorted, middle)) > after) end = middle;
      else from = middle + 1;
    }
    for (let i = from; i < sorted.length; i++) if (hasAccount(this.#state.heads, at(sorted, i))) yield at(sorted, i);
  }

  /** Finds them in the order of the slots, which is quick, and orders the few that are found. */
  #idsWhere(isWanted: (slot: number) => boolean): string[] {
    const found: string[] = [];
    for (let slot = 0; slot < this.#state.heads.count; slot++) if (isWanted(slot)) found.push(this.#id(slot));
    return found.sort();
  }

  #marginIn(slot: number): AccountMargin {
    const margin = this.#known.get(slot) ?? exactMargin(this.#state, slot);
    this.#known.set(slot, margin);
    return margin;
  }

  #makeRanking(marketId: string, side: Side): QueueRanking {
    const { columns, heads, circumstances, lastCodes } = this.#state;
    const market = circumstances.markets.get(marketId);
    if (market === undefined) throw new Error(`no market ${marketId}`);
    const key = queueKey(marketId, side);
    completeQueues(this.#state, [key]);
    const members = membersIn(this.#state, key);
    const queue = listed(this.#state.queues, key);
    // The ranking outlives this book where nothing of it moves, so it holds on to no more than it needs.
    const sources = { columns, heads, circumstances, lastCodes };
    const known = this.#known;
    const scoreOf: ScoreOf = (slot) => {
      const { valuation } = known.get(slot) ?? exactMargin(sources, slot);
      if (valuation === null) throw new Error(`${columns.names.ids[slot] ?? ''} cannot be valued`);
      return score(market.policy.score, valuation, marketId);
    };
    this.#digest ??= circumstancesDigest(circumstances);
    return new QueueRanking({
      ...{ marketId, side, queue, columns, heads, members, scoreOf },
      id: rankingId(this.#digest, marketId, side, members.hash),
      policyVersion: market.policy.version,
      sizeStep: market.sizeStep,
    });
  }
}
