import type { Circumstances, LastStatus } from '../db/risk-state.js';
import type { Account, MarginStatus } from '../risk/margin.js';
import type { PublishedRanking, RankEntry } from '../risk/ranking.js';
import type { Decimal } from '../risk/decimal.js';
import type { Side } from '../risk/contract.js';
import type { AccountMargin } from './account-margin.js';
import type { Glance } from './glance.js';
import type { LevelChanges } from './level-changes.js';
import type { NearPosition } from './near-liquidation.js';

export type Indicator =
  | (Omit<RankEntry, 'accountId' | 'size'> & {
      readonly state: 'RANKED';
      readonly queueLength: number;
      readonly percentile: Decimal;
      readonly rankingId: string;
    })
  | { readonly state: 'EXEMPT' | 'UNKNOWN' };

/**
 * Margin and rankings of one state of the database, which never changes. Every figure is exact: floats only find whom
 * `risk` need not look at. Lists of ids are in the order of the ids.
 */
export interface Book extends Circumstances {
  readonly accountCount: number;
  account(accountId: string): Account | undefined;
  margin(accountId: string): AccountMargin | undefined;
  /** Its status and the levels of its positions, without any figure: for those who watch for changes. */
  glance(accountId: string): Glance | undefined;
  /** Whether the account has a position in the market. */
  holds(accountId: string, marketId: string): boolean;
  /** The newest recorded transition of the account's status. */
  lastStatus(accountId: string): LastStatus | undefined;
  /** All ids behind this one, or all. */
  accountIds(after?: string): Iterable<string>;
  /** Accounts with one of these statuses, behind an id; held ones have the last status that was known. */
  withStatus(statuses: readonly MarginStatus[], after?: string): Iterable<string>;
  heldIds(): readonly string[];
  /** Traders' accounts that are exempt, held ones included. */
  exemptIds(): readonly string[];
  /** Traders' accounts whose status, or being held, is not what was last recorded; HEALTHY when nothing was. */
  moved(): Iterable<string>;
  /** Holders of the market on that side that its ranking leaves out: liquidity providers, exempt and held accounts. */
  unranked(marketId: string, side: Side): readonly string[];
  openInterest(marketId: string): OpenInterest;
  /** Signed sizes of the positions of traders, held ones included. */
  sizesOfTraders(marketId: string): Iterable<Decimal>;
  ranking(marketId: string, side: Side): PublishedRanking;
  /** Levels that are not what they were in an earlier book; undefined: the two cannot be compared. */
  levelsSince(earlier: Book): LevelChanges | undefined;
  /** Of a position; undefined when there is none. A liquidity provider or an exempt account is EXEMPT, held or not; another HELD one UNKNOWN. */
  indicator(accountId: string, marketId: string): Indicator | undefined;
  /** Positions of these markets, those nearest to their liquidation price first: all, or those behind that one. */
  nearLiquidation(marketIds: Iterable<string>, after?: NearPosition): Iterable<NearPosition>;
  /** How many traders' accounts have each status, and how many are held. */
  counts(): StatusCounts;
  /** The book when these accounts are as given and these statuses are the last recorded ones, all else the same. */
  with(accounts: Iterable<Account>, statuses?: ReadonlyMap<string, LastStatus>): Book;
}

export interface OpenInterest {
  /** Contracts on the long side, which are as many as on the short side. */
  readonly size: Decimal;
  readonly longPositions: number;
  readonly shortPositions: number;
}

export interface StatusCounts {
  readonly byStatus: Readonly<Record<MarginStatus, number>>;
  readonly held: number;
}
