import { createHash } from 'node:crypto';
import type { RiskState } from '../db/risk-state.js';
import { isHeld, statusOf, valuate, type Account, type AccountValuation, type MarginStatus } from '../risk/margin.js';
import { percentileOf, rank, score, type PublishedRanking, type RankEntry, type Ranking } from '../risk/ranking.js';
import { sideOf, type Side } from '../risk/contract.js';
import type { Decimal } from '../risk/decimal.js';
import type { Instant } from '../risk/instant.js';

/** Held: without a trustworthy price; then `status` is the last known one, null when there never was one. */
export interface AccountMargin {
  readonly account: Account;
  readonly valuation: AccountValuation | null;
  readonly status: MarginStatus | null;
  readonly held: boolean;
}

export type Indicator =
  | (Omit<RankEntry, 'accountId' | 'size'> & {
      readonly state: 'RANKED';
      readonly queueLength: number;
      readonly percentile: Decimal;
      readonly rankingId: string;
    })
  | { readonly state: 'EXEMPT' | 'UNKNOWN' };

/** Margin and rankings of one state of the database, made by `risk`. Rankings are made when first asked for. */
export interface Book {
  readonly at: Instant;
  readonly state: RiskState;
  margin(accountId: string): AccountMargin | undefined;
  margins(): Iterable<AccountMargin>;
  /** Those made so far, by market and side. */
  readonly rankings: Map<string, PublishedRanking>;
  ranking(marketId: string, side: Side): PublishedRanking;
  /** Of a position; undefined when there is none. A liquidity provider is EXEMPT, a HELD account UNKNOWN. */
  indicator(accountId: string, marketId: string): Indicator | undefined;
}

export interface BookSources {
  /** Margins that the caller has already. */
  readonly known?: (accountId: string) => AccountMargin | undefined;
  /** An earlier book: what did not move since is taken over, by the identity of what it was made from. */
  readonly previous?: Book | undefined;
}

export function makeBook(state: RiskState, { known, previous }: BookSources = {}): Book {
  const movedMarkets = movedMarketsSince(previous?.state, state);
  const margins = new Map<string, AccountMargin>();
  // The id of a ranking covers every price and policy, those of markets without positions too.
  let moved = previous?.state.accounts.size !== state.accounts.size || movedMarkets?.size !== 0;
  for (const account of state.accounts.values()) {
    const old = previous?.margin(account.id);
    const margin = known?.(account.id) ?? (isUnmoved(old, account, movedMarkets) ? old : marginOf(state, account));
    moved ||= margin !== old;
    margins.set(account.id, margin);
  }
  const rankings = moved || previous === undefined ? new Map<string, PublishedRanking>() : previous.rankings;
  const ranking = (marketId: string, side: Side): PublishedRanking => {
    const key = `${marketId} ${side}`;
    const known = rankings.get(key);
    if (known !== undefined) return known;
    const made = makeRanking(state, margins.values(), marketId, side);
    rankings.set(key, made);
    return made;
  };
  const indicator = (accountId: string, marketId: string): Indicator | undefined => {
    const margin = margins.get(accountId);
    const holding = margin?.account.positions.get(marketId);
    if (margin === undefined || holding === undefined) return undefined;
    if (margin.account.kind !== 'TRADER') return { state: 'EXEMPT' };
    if (margin.held) return { state: 'UNKNOWN' };
    const published = ranking(marketId, sideOf(holding.size));
    const entry = published.entryOf.get(accountId);
    if (entry === undefined) throw new Error(`${accountId} is missing in the queue of ${marketId}`);
    return {
      state: 'RANKED',
      ...entry,
      queueLength: published.ranking.queueLength,
      percentile: percentileOf(entry, published.ranking.queueSize),
      rankingId: published.id,
    };
  };
  return {
    at: state.at,
    state,
    margin: (id) => margins.get(id),
    margins: () => margins.values(),
    rankings,
    ranking,
    indicator,
  };
}

/** Markets whose price, terms or status changed; null when all may have: no earlier state, or other thresholds. */
function movedMarketsSince(old: RiskState | undefined, now: RiskState): ReadonlySet<string> | null {
  if (old?.venue !== now.venue || old.markets.size !== now.markets.size) return null;
  const isSame = (marketId: string): boolean =>
    old.marks.get(marketId) === now.marks.get(marketId) && old.markets.get(marketId) === now.markets.get(marketId);
  return new Set([...now.markets.keys()].filter((marketId) => !isSame(marketId)));
}

/** Whether the account's margin can be none other than it was. */
function isUnmoved(
  old: AccountMargin | undefined,
  account: Account,
  movedMarkets: ReadonlySet<string> | null,
): old is AccountMargin {
  if (movedMarkets === null || old?.account !== account || old.held) return false;
  if (movedMarkets.size === 0) return true;
  for (const marketId of account.positions.keys()) if (movedMarkets.has(marketId)) return false;
  return true;
}

function marginOf(state: RiskState, account: Account): AccountMargin {
  const valuation = valuate(account, state.markets, state.marks);
  if (account.kind !== 'TRADER') return { account, valuation, status: null, held: false };
  if (valuation === null || isHeld(valuation, state.venue)) {
    // Without a recorded status it was HEALTHY all along, unless a price of it was never received: then nobody knows.
    const unrecorded = valuation === null ? null : 'HEALTHY';
    const last = state.lastStatuses.get(account.id);
    return { account, valuation, status: last === undefined ? unrecorded : last.status, held: true };
  }
  return { account, valuation, status: statusOf(valuation, state.venue), held: false };
}

function makeRanking(
  state: RiskState,
  margins: Iterable<AccountMargin>,
  marketId: string,
  side: Side,
): PublishedRanking {
  const market = state.markets.get(marketId);
  if (market === undefined) throw new Error(`no market ${marketId}`);
  const candidates = [];
  for (const { account, valuation, held } of margins) {
    const holding = account.positions.get(marketId);
    if (holding === undefined || account.kind !== 'TRADER' || held || valuation === null) continue;
    if (sideOf(holding.size) !== side) continue;
    candidates.push({
      accountId: account.id,
      size: holding.size.abs(),
      score: score(market.policy.score, valuation, marketId),
    });
  }
  const ranking = rank(marketId, side, candidates);
  return {
    id: digestOf(state, market.policy.version, ranking),
    ranking,
    policyVersion: market.policy.version,
    entryOf: new Map(ranking.entries.map((entry) => [entry.accountId, entry])),
  };
}

/** Every price of the state counts, since a cross account's score depends on all of its markets. */
function digestOf(state: RiskState, policyVersion: string, ranking: Ranking): string {
  const hash = createHash('sha256');
  hash.update(`${ranking.marketId} ${ranking.side} policy ${policyVersion}\n`);
  for (const [marketId, mark] of state.marks) hash.update(`${marketId} ${mark.price.toFixed()}\n`);
  for (const entry of ranking.entries) {
    hash.update(`${entry.accountId} ${entry.size.toFixed()} ${entry.score.value?.toFixed() ?? '-'}\n`);
  }
  return hash.digest('hex');
}
