import { Decimal, ONE, ZERO, clampedRatio, dec, signOf, truncatedFraction } from './decimal.js';
import type { Side } from './contract.js';
import { indexOfPosition, positionAt, weights } from './margin.js';
import type { AccountValuation, Fraction, ScoreName } from './margin.js';

export interface Score {
  /** Null when the account's equity is not above 0: last in the queue. */
  readonly value: Decimal | null;
  /** The two factors, each truncated by itself, for display; the value is made from exact ones. */
  readonly profitRatio: Decimal;
  readonly leverage: Decimal | null;
}

export interface RankCandidate {
  readonly accountId: string;
  /** Contracts, without sign. */
  readonly size: Decimal;
  readonly score: Score;
}

export interface RankEntry extends RankCandidate {
  /** 1 is the next to be deleveraged. */
  readonly rank: number;
  /** Contracts of all who rank before. */
  readonly sizeAhead: Decimal;
  /** 5 goes first, 1 last. */
  readonly level: number;
}

export interface Ranking {
  readonly marketId: string;
  readonly side: Side;
  readonly entries: readonly RankEntry[];
  readonly queueLength: number;
  readonly queueSize: Decimal;
}

/** A ranking with the digest of the prices, positions and policy that it was made from. Ranks count from 1. */
export interface PublishedRanking {
  readonly id: string;
  readonly marketId: string;
  readonly side: Side;
  readonly policyVersion: string;
  readonly queueLength: number;
  readonly queueSize: Decimal;
  accountAt(rank: number): string;
  levelAt(rank: number): number;
  entryAt(rank: number): RankEntry;
  /** Null: not in the queue. */
  rankOf(accountId: string): number | null;
  entryOf(accountId: string): RankEntry | undefined;
  /** Contracts in each level, 5 first. */
  levelSizes(): readonly Decimal[];
  /** Markets whose prices it rests on: all of those in which an account of the queue has a position. */
  restsOn(): ReadonlySet<string>;
}

/** Digits of the sizes of others that a trader is shown. */
const TOLD_DIGITS = 2;

/** What a trader is told of a figure that sizes of others are in: truncated, so that nobody believes more before them than there is. */
export function toldToTrader(figure: Decimal): Decimal {
  return figure.toSignificantDigits(TOLD_DIGITS, Decimal.ROUND_DOWN);
}

export const LEVELS = 5;
/** Queue share per level: 1 ÷ LEVELS, exact. */
const LEVEL_SHARE = dec('0.2');
const WHOLE: Fraction = { n: ONE, d: ONE };

/**
 * LEVERAGED_RETURN: r = uPnL ÷ |cost|, L = notional ÷ (equity · weight). ACCOUNT_RETURN: p = uPnL ÷ notional, L = notional ÷ equity.
 * The score is their product in profit, their quotient in loss, truncated once; 0 when cost or notional is.
 */
export function score(name: ScoreName, v: AccountValuation, marketId: string): Score {
  const index = indexOfPosition(v, marketId);
  const { unrealizedPnl, notional, cost } = positionAt(v, index);
  const leveraged = name === 'LEVERAGED_RETURN';
  const base = leveraged ? cost.abs() : notional;
  if (signOf(v.equity) <= 0) return factored(null, unrealizedPnl, base, null);
  const { n, d } = leveraged ? weights(v)(index) : WHOLE;
  const levered = d === ONE ? notional : notional.times(d);
  const equity = n === ONE ? v.equity : v.equity.times(n);
  const leverage = { n: levered, d: equity };
  if (cost.isZero() || notional.isZero() || unrealizedPnl.isZero())
    return factored(ZERO, unrealizedPnl, base, leverage);
  const value = unrealizedPnl.isNegative()
    ? clampedRatio(unrealizedPnl.times(equity), base.times(levered))
    : clampedRatio(unrealizedPnl.times(levered), base.times(equity));
  return factored(value, unrealizedPnl, base, leverage);
}

/** The factors are divided out when they are looked at: a queue of thousands shows but a few. */
function factored(value: Decimal | null, pnl: Decimal, base: Decimal, leverage: Fraction | null): Score {
  return {
    value,
    get profitRatio() {
      return clampedRatio(pnl, base);
    },
    get leverage() {
      return leverage === null ? null : clampedRatio(leverage.n, leverage.d);
    },
  };
}

type Placed = Pick<RankCandidate, 'accountId' | 'score'>;

/** Score descending, then account id ascending by bytes; without a score last, by id. */
export function byScore(a: Placed, b: Placed): number {
  const [x, y] = [a.score.value, b.score.value];
  if (x !== null && y !== null) {
    const order = y.cmp(x);
    if (order !== 0) return order;
  } else if (x !== y) return x === null ? 1 : -1;
  return a.accountId < b.accountId ? -1 : a.accountId > b.accountId ? 1 : 0;
}

/** The one ranking: indicator, queue, preview and job read the same. */
export function rank(marketId: string, side: Side, candidates: readonly RankCandidate[]): Ranking {
  const ordered = [...candidates].sort(byScore);
  let queueSize: Decimal = ZERO;
  for (const { size } of ordered) queueSize = queueSize.plus(size);
  // level = 5 − floor(5 · sizeAhead ÷ queueSize), and sizeAhead only grows: it falls at every fifth of the queue.
  const fifth = queueSize.times(LEVEL_SHARE);
  let level = LEVELS;
  let nextFall = fifth;
  let sizeAhead: Decimal = ZERO;
  const entries: RankEntry[] = [];
  for (const { accountId, size, score: scored } of ordered) {
    while (level > 1 && sizeAhead.gte(nextFall)) {
      level -= 1;
      nextFall = nextFall.plus(fifth);
    }
    entries.push({ accountId, size, score: scored, rank: entries.length + 1, sizeAhead, level });
    sizeAhead = sizeAhead.plus(size);
  }
  return { marketId, side, entries, queueLength: entries.length, queueSize };
}

/** 5 − ⌊5 · sizeAhead ÷ queueSize⌋: what `rank` gives, of one place alone. */
export function levelAt(sizeAhead: Decimal, queueSize: Decimal): number {
  return LEVELS - sizeAhead.times(LEVELS).dividedToIntegerBy(queueSize).toNumber();
}

/** Share of the queue up to and with this entry, 0 to 1. Not part of the entry: only what is shown needs the division. */
export function percentileOf(entry: Pick<RankEntry, 'sizeAhead' | 'size'>, queueSize: Decimal): Decimal {
  return queueSize.isZero() ? ONE : truncatedFraction(entry.sizeAhead.plus(entry.size), queueSize);
}

/** All entries, next first. */
export function* entriesOf(ranking: PublishedRanking): Iterable<RankEntry> {
  for (let rank = 1; rank <= ranking.queueLength; rank++) yield ranking.entryAt(rank);
}
