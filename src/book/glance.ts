import type { Side } from '../risk/contract.js';
import type { MarginStatus } from '../risk/margin.js';
import { at, isExemptRow } from './column-reader.js';
import type { QueueRanking } from './queue-ranking.js';
import type { BookState } from './state.js';
import { MARGIN_STATUSES } from './status-codes.js';

/** Where an account stands, without its figures. */
export interface Glance {
  /** Null: it has none, or none is known. */
  readonly status: MarginStatus | null;
  readonly held: boolean;
  /** By market. */
  readonly positions: readonly PositionGlance[];
}

export interface PositionGlance {
  readonly marketId: string;
  readonly state: 'RANKED' | 'EXEMPT' | 'UNKNOWN';
  /** Null unless RANKED. */
  readonly level: number | null;
}

export function glanceAt(
  { columns, heads, margins }: BookState,
  slot: number,
  rankingOf: (marketId: string, side: Side) => QueueRanking,
): Glance {
  const row = at(heads.rows, slot);
  const { firsts, counts, markets, steps } = columns.arrays;
  const held = at(margins.held, slot) === 1;
  const state = isExemptRow(columns.arrays, row) ? 'EXEMPT' : held ? 'UNKNOWN' : 'RANKED';
  const first = at(firsts, row);
  const positions = Array.from({ length: at(counts, row) }, (_, k): PositionGlance => {
    const marketId = columns.names.markets[at(markets, first + k)] ?? '';
    if (state !== 'RANKED') return { marketId, state, level: null };
    const ranking = rankingOf(marketId, at(steps, first + k) < 0 ? 'SHORT' : 'LONG');
    const rank = ranking.rankOfSlot(slot);
    if (rank === null) throw new Error(`${columns.names.ids[slot] ?? ''} is missing in the queue of ${marketId}`);
    return { marketId, state, level: ranking.levelAt(rank) };
  });
  positions.sort((a, b) => (a.marketId < b.marketId ? -1 : 1));
  return { status: MARGIN_STATUSES[at(margins.status, slot)] ?? null, held, positions };
}
