import type { PositionName } from '../db/lap-inputs.js';
import type { Side } from '../risk/contract.js';
import { at, isExemptRow, NO_ROW } from './column-reader.js';
import type { QueueRanking } from './queue-ranking.js';
import type { BookState } from './state.js';

export interface NewLevel extends PositionName {
  readonly level: number;
  readonly rank: number;
  readonly rankingId: string;
}

/** What differs between the levels of an earlier book and of this one. */
export interface LevelChanges {
  readonly changed: readonly NewLevel[];
  /** Of positions that the earlier book did not rank on that side: what was their level before, it cannot say. */
  readonly unknown: readonly NewLevel[];
  /** Positions that were closed, or whose accounts are exempt now. */
  readonly gone: readonly PositionName[];
}

/** Where levels are looked at. */
interface Ranked {
  readonly markets: ReadonlyMap<string, unknown>;
  ranking(marketId: string, side: Side): QueueRanking;
}

/** Of two books that share their slots. */
export function compareLevels(earlier: Ranked, now: Ranked): Omit<LevelChanges, 'gone'> {
  const changed: NewLevel[] = [];
  const unknown: NewLevel[] = [];
  for (const marketId of now.markets.keys()) {
    for (const side of ['LONG', 'SHORT'] as const) {
      const ranking = now.ranking(marketId, side);
      const last = earlier.markets.has(marketId) ? earlier.ranking(marketId, side) : undefined;
      if (last?.id === ranking.id) continue;
      ranking.forEachLevel(last, (rank, level, lastLevel) => {
        if (lastLevel === level) return;
        const [accountId, rankingId] = [ranking.accountAt(rank), ranking.id];
        (lastLevel === 0 ? unknown : changed).push({ accountId, marketId, level, rank, rankingId });
      });
    }
  }
  return { changed, unknown };
}

/** Positions of the earlier state in a market where the account has none now, whatever their sides, or is exempt now. */
export function goneSince(earlier: BookState, now: BookState): PositionName[] {
  const gone: PositionName[] = [];
  const { arrays, names } = earlier.columns;
  const isSameColumns = earlier.columns === now.columns;
  for (let slot = 0; slot < earlier.heads.count; slot++) {
    const was = at(earlier.heads.rows, slot);
    const row = slot < now.heads.count ? at(now.heads.rows, slot) : NO_ROW;
    if (isSameColumns && was === row) continue;
    const isExempted = isExemptRow(now.columns.arrays, row) && !isExemptRow(arrays, was);
    const first = at(arrays.firsts, was);
    for (let p = first; p < first + at(arrays.counts, was); p++) {
      const market = at(arrays.markets, p);
      if (!isExempted && now.columns.positionOf(row, market) !== undefined) continue;
      gone.push({ accountId: names.ids[slot] ?? '', marketId: names.markets[market] ?? '' });
    }
  }
  return gone;
}
