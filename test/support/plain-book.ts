import { valuedMargin, type AccountMargin } from '../../src/book/account-margin.js';
import type { Book, Indicator, OpenInterest, StatusCounts } from '../../src/book/book.js';
import type { Glance, PositionGlance } from '../../src/book/glance.js';
import type { Circumstances } from '../../src/db/risk-state.js';
import { ColumnBook } from '../../src/book/column-book.js';
import { Columns } from '../../src/book/columns.js';
import { accountHash, addHash, circumstancesDigest, rankingId } from '../../src/book/ranking-id.js';
import { byDistance, type NearPosition } from '../../src/book/near-liquidation.js';
import { liquidationDistance } from '../../src/risk/liquidation-price.js';
import { rowOfAccount } from '../../src/db/account-rows.js';
import type { LastStatus } from '../../src/db/risk-state.js';
import { sideOf, type Side } from '../../src/risk/contract.js';
import { sum, type Decimal } from '../../src/risk/decimal.js';
import type { Account, MarginStatus } from '../../src/risk/margin.js';
import { percentileOf, rank, score, type PublishedRanking, type Ranking } from '../../src/risk/ranking.js';

/** Everything that a book is made from, as plain maps. */
export interface WholeState extends Circumstances {
  readonly accounts: ReadonlyMap<string, Account>;
  readonly lastStatuses: ReadonlyMap<string, LastStatus>;
}

/** The product's book of the state. */
export function columnBookOf(state: WholeState, caution?: number): ColumnBook {
  const columns = new Columns();
  columns.names.know(state.markets.values());
  const added = [...state.accounts.values()].map((account) => columns.add(rowOfAccount(account)));
  return ColumnBook.empty(columns, caution).advance({ circumstances: state, added, statuses: state.lastStatuses });
}

/** The same book by `risk` alone, which looks at every account: what the product's is held against. */
export class PlainBook implements Book {
  readonly #state: WholeState;
  readonly #margins: ReadonlyMap<string, AccountMargin>;
  readonly #rankings = new Map<string, PublishedRanking>();

  constructor(state: WholeState) {
    this.#state = state;
    const accounts = [...state.accounts.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
    this.#margins = new Map(
      accounts.map((account) => [account.id, valuedMargin(state, account, state.lastStatuses.get(account.id))]),
    );
  }

  get at(): WholeState['at'] {
    return this.#state.at;
  }
  get venue(): WholeState['venue'] {
    return this.#state.venue;
  }
  get markets(): WholeState['markets'] {
    return this.#state.markets;
  }
  get marks(): WholeState['marks'] {
    return this.#state.marks;
  }
  get funds(): WholeState['funds'] {
    return this.#state.funds;
  }
  get accountCount(): number {
    return this.#margins.size;
  }

  account(accountId: string): Account | undefined {
    return this.#state.accounts.get(accountId);
  }

  margin(accountId: string): AccountMargin | undefined {
    return this.#margins.get(accountId);
  }

  holds(accountId: string, marketId: string): boolean {
    return this.account(accountId)?.positions.has(marketId) === true;
  }

  lastStatus(accountId: string): LastStatus | undefined {
    return this.#state.lastStatuses.get(accountId);
  }

  accountIds(after = ''): Iterable<string> {
    return [...this.#margins.keys()].filter((id) => id > after);
  }

  withStatus(statuses: readonly MarginStatus[], after = ''): Iterable<string> {
    return this.#idsWhere(({ status, account }) => status !== null && statuses.includes(status) && account.id > after);
  }

  heldIds(): readonly string[] {
    return this.#idsWhere(({ held }) => held);
  }

  exemptIds(): readonly string[] {
    return this.#idsWhere(({ account }) => account.exempt);
  }

  moved(): Iterable<string> {
    return this.#idsWhere(({ account, status, held }) => {
      const last = this.lastStatus(account.id) ?? { status: 'HEALTHY', held: false };
      return account.kind === 'TRADER' && (status !== last.status || held !== last.held);
    });
  }

  unranked(marketId: string, side: Side): readonly string[] {
    return this.#holders(marketId, side).filter((id) => this.ranking(marketId, side).rankOf(id) === null);
  }

  openInterest(marketId: string): OpenInterest {
    const long = this.#holders(marketId, 'LONG');
    return {
      size: sum(long.flatMap((id) => this.account(id)?.positions.get(marketId)?.size ?? [])),
      longPositions: long.length,
      shortPositions: this.#holders(marketId, 'SHORT').length,
    };
  }

  sizesOfTraders(marketId: string): Iterable<Decimal> {
    return [...this.#holders(marketId, 'LONG'), ...this.#holders(marketId, 'SHORT')].flatMap((id) => {
      const account = this.account(id);
      return account?.kind === 'TRADER' ? (account.positions.get(marketId)?.size ?? []) : [];
    });
  }

  ranking(marketId: string, side: Side): PublishedRanking {
    const key = `${marketId} ${side}`;
    const known = this.#rankings.get(key) ?? this.#makeRanking(marketId, side);
    this.#rankings.set(key, known);
    return known;
  }

  glance(accountId: string): Glance | undefined {
    const margin = this.margin(accountId);
    if (margin === undefined) return undefined;
    const positions = [...margin.account.positions.keys()].sort().map((marketId): PositionGlance => {
      const indicator = this.indicator(accountId, marketId);
      return indicator?.state === 'RANKED'
        ? { marketId, state: 'RANKED', level: indicator.level }
        : { marketId, state: indicator?.state ?? 'UNKNOWN', level: null };
    });
    return { status: margin.status, held: margin.held, positions };
  }

  /** It knows no other book. */
  levelsSince(): undefined {
    return undefined;
  }

  indicator(accountId: string, marketId: string): Indicator | undefined {
    const margin = this.margin(accountId);
    const holding = margin?.account.positions.get(marketId);
    if (margin === undefined || holding === undefined) return undefined;
    if (margin.account.kind !== 'TRADER' || margin.account.exempt) return { state: 'EXEMPT' };
    if (margin.held) return { state: 'UNKNOWN' };
    const ranking = this.ranking(marketId, sideOf(holding.size));
    const { id, queueLength, queueSize } = ranking;
    const entry = ranking.entryOf(accountId);
    if (entry === undefined) throw new Error(`${accountId} has no rank`);
    return { state: 'RANKED', ...entry, queueLength, percentile: percentileOf(entry, queueSize), rankingId: id };
  }

  nearLiquidation(marketIds: Iterable<string>, after?: NearPosition): Iterable<NearPosition> {
    const all = [...new Set(marketIds)].flatMap((marketId) => this.#distances(marketId)).sort(byDistance);
    return after === undefined ? all : all.filter((each) => byDistance(each, after) > 0);
  }

  #distances(marketId: string): NearPosition[] {
    const market = this.markets.get(marketId);
    if (market === undefined) return [];
    return this.#idsWhere(({ account }) => account.positions.has(marketId)).map((accountId) => {
      const valuation = this.margin(accountId)?.valuation ?? null;
      const distance = valuation === null ? null : liquidationDistance(valuation, marketId, market);
      return { accountId, marketId, distance };
    });
  }

  counts(): StatusCounts {
    const byStatus = { HEALTHY: 0, WARNING: 0, MARGIN_CALL: 0, LIQUIDATABLE: 0, BANKRUPT: 0 };
    for (const { status, held } of this.#margins.values()) if (!held && status !== null) byStatus[status]++;
    return { byStatus, held: this.heldIds().length };
  }

  with(changed: Iterable<Account>, statuses: ReadonlyMap<string, LastStatus> = new Map()): PlainBook {
    const accounts = new Map(this.#state.accounts);
    for (const account of changed) accounts.set(account.id, account);
    const lastStatuses = new Map([...this.#state.lastStatuses, ...statuses]);
    return new PlainBook({ ...this.#state, accounts, lastStatuses });
  }

  #idsWhere(isWanted: (margin: AccountMargin) => boolean): string[] {
    return [...this.#margins.values()].filter(isWanted).map(({ account }) => account.id);
  }

  #holders(marketId: string, side: Side): string[] {
    return this.#idsWhere(({ account }) => {
      const size = account.positions.get(marketId)?.size;
      return size !== undefined && sideOf(size) === side;
    });
  }

  #makeRanking(marketId: string, side: Side): PublishedRanking {
    const policy = this.markets.get(marketId)?.policy;
    if (policy === undefined) throw new Error(`no market ${marketId}`);
    const holders = this.#holders(marketId, side);
    const hashes = new Uint32Array(4);
    const candidates = [];
    for (const id of holders) {
      const margin = this.margin(id);
      const holding = margin?.account.positions.get(marketId);
      if (margin === undefined || holding === undefined) continue;
      addHash(hashes, accountHash(rowOfAccount(margin.account)));
      const { kind, exempt } = margin.account;
      if (kind !== 'TRADER' || exempt || margin.held || margin.valuation === null) continue;
      const scored = score(policy.score, margin.valuation, marketId);
      candidates.push({ accountId: id, size: holding.size.abs(), score: scored });
    }
    const id = rankingId(circumstancesDigest(this.#state), marketId, side, hashes);
    const markets = candidates.flatMap((c) => [...(this.account(c.accountId)?.positions.keys() ?? [])]);
    return published(id, policy.version, rank(marketId, side, candidates), new Set(markets));
  }
}

function published(
  id: string,
  policyVersion: string,
  ranking: Ranking,
  markets: ReadonlySet<string>,
): PublishedRanking {
  const { entries, marketId, side, queueLength, queueSize } = ranking;
  const entryAt = (place: number): Ranking['entries'][number] => {
    const entry = entries[place - 1];
    if (entry === undefined) throw new Error(`no rank ${place}`);
    return entry;
  };
  const entryOf = new Map(entries.map((entry) => [entry.accountId, entry]));
  return {
    ...{ id, policyVersion, marketId, side, queueLength, queueSize, entryAt },
    accountAt: (place) => entryAt(place).accountId,
    levelAt: (place) => entryAt(place).level,
    rankOf: (accountId) => entryOf.get(accountId)?.rank ?? null,
    entryOf: (accountId) => entryOf.get(accountId),
    levelSizes: () => [5, 4, 3, 2, 1].map((level) => sum(entries.filter((e) => e.level === level).map((e) => e.size))),
    restsOn: () => markets,
  };
}
