import type { Side } from './contract.js';
import { clampedRatio, truncatedFraction, ZERO, type Decimal } from './decimal.js';
import { byBytes, effectiveLeverage, weights, type AccountValuation, type Policy, type PositionValuation } from './margin.js';

/** The truncated score is the score. Factors are truncated for display. Value and leverage null: equity ≤ 0. */
export interface Score {
  readonly value: Decimal | null;
  readonly profitRatio: Decimal;
  readonly leverage: Decimal | null;
}

export interface RankEntry {
  readonly accountId: string;
  /** Contracts, unsigned. */
  readonly size: Decimal;
  readonly score: Score;
  /** 1 = next. */
  readonly rank: number;
  readonly sizeAhead: Decimal;
  /** 5 = first to go … 1 = last. */
  readonly level: number;
}

export interface Ranking {
  readonly marketId: string;
  readonly side: Side;
  readonly entries: readonly RankEntry[];
  readonly queueLength: number;
  readonly queueSize: Decimal;
}

export function score(name: Policy['score'], v: AccountValuation, marketId: string): Score {
  const k = v.positions.findIndex((p) => p.marketId === marketId);
  const position = v.positions[k];
  if (position === undefined) throw new RangeError(`${v.accountId} has no position in ${marketId}`);
  return name === 'LEVERAGED_RETURN' ? leveragedReturn(v, position, k) : accountReturn(v, position);
}

/** BitMEX: r = uPnL ÷ |cost|, L = notional ÷ (equity · w); r > 0: r · L, r < 0: r ÷ L. */
function leveragedReturn(v: AccountValuation, position: PositionValuation, k: number): Score {
  const { unrealizedPnl: pnl, notional } = position;
  const cost = position.cost.abs();
  const profitRatio = clampedRatio(pnl, cost);
  if (!v.equity.gt(0)) return { value: null, profitRatio, leverage: null };
  const leverage = effectiveLeverage(v, k);
  if (cost.isZero() || notional.isZero() || pnl.isZero()) return { value: ZERO, profitRatio, leverage };
  const { n, d } = weights(v)(k);
  const backing = v.equity.times(n);
  const exposure = notional.times(d);
  const value = pnl.gt(0) ? clampedRatio(pnl.times(exposure), cost.times(backing)) : clampedRatio(pnl.times(backing), cost.times(exposure));
  return { value, profitRatio, leverage };
}

/** Binance since 2025: p = uPnL ÷ notional, L = notional ÷ the account's equity; same sign rule. */
function accountReturn(v: AccountValuation, position: PositionValuation): Score {
  const { unrealizedPnl: pnl, notional } = position;
  const profitRatio = clampedRatio(pnl, notional);
  if (!v.equity.gt(0)) return { value: null, profitRatio, leverage: null };
  const leverage = clampedRatio(notional, v.equity);
  if (position.cost.isZero() || notional.isZero() || pnl.isZero()) return { value: ZERO, profitRatio, leverage };
  const value = pnl.gt(0) ? clampedRatio(pnl, v.equity) : clampedRatio(pnl.times(v.equity), notional.times(notional));
  return { value, profitRatio, leverage };
}

export interface RankCandidate {
  readonly accountId: string;
  readonly size: Decimal;
  readonly score: Score;
}

const LEVELS = 5;

/** The one ranking: score descending, account id ascending; without a score after all others, by id. */
export function rank(marketId: string, side: Side, candidates: readonly RankCandidate[]): Ranking {
  const ordered = [...candidates].sort(byRank);
  const queueSize = ordered.reduce((total, c) => total.plus(c.size), ZERO);
  const entries: RankEntry[] = [];
  let sizeAhead = ZERO;
  // level = 5 − floor(5 · sizeAhead ÷ queueSize); sizeAhead only grows, so the fifth is walked up, not divided for
  let fifth = 0;
  for (const { accountId, size, score } of ordered) {
    while (sizeAhead.times(LEVELS).gte(queueSize.times(fifth + 1)) && fifth < LEVELS - 1) fifth++;
    entries.push({ accountId, size, score, rank: entries.length + 1, sizeAhead, level: LEVELS - fifth });
    sizeAhead = sizeAhead.plus(size);
  }
  return { marketId, side, entries, queueLength: entries.length, queueSize };
}

function byRank(a: RankCandidate, b: RankCandidate): number {
  const x = a.score.value;
  const y = b.score.value;
  if (x !== null && y !== null) return y.comparedTo(x) || byBytes(a.accountId, b.accountId);
  if (x === null && y === null) return byBytes(a.accountId, b.accountId);
  return x === null ? 1 : -1;
}

/** Cumulative size including its own ÷ queue size (rounded up to a fifth it is BitMEX's published example). */
export function percentileOf(entry: Pick<RankEntry, 'sizeAhead' | 'size'>, queueSize: Decimal): Decimal {
  return truncatedFraction(entry.sizeAhead.plus(entry.size), queueSize);
}
