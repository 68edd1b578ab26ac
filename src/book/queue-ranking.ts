import type { Side } from '../risk/contract.js';
import { dec, ofGridSteps, ZERO, type Decimal } from '../risk/decimal.js';
import type { PublishedRanking, RankEntry, Score } from '../risk/ranking.js';
import { at, type Heads } from './column-reader.js';
import type { Columns } from './columns.js';
import type { Members } from './members.js';
import { levelOf, type Queue } from './queue.js';

export type ScoreOf = (slot: number) => Score;

export interface QueueRankingParts {
  readonly id: string;
  readonly marketId: string;
  readonly side: Side;
  readonly policyVersion: string;
  readonly sizeStep: Decimal;
  readonly columns: Columns;
  readonly heads: Heads;
  readonly members: Members;
  readonly queue: Queue;
  readonly scoreOf: ScoreOf;
}

/** A ranking over a queue in columns: entries are made when they are looked at, exact. */
export class QueueRanking implements PublishedRanking {
  readonly id: string;
  readonly marketId: string;
  readonly side: Side;
  readonly policyVersion: string;
  readonly queueLength: number;
  readonly queueSize: Decimal;
  readonly #of: QueueRankingParts;
  #markets: ReadonlySet<string> | undefined;

  constructor(parts: QueueRankingParts) {
    this.#of = parts;
    this.id = parts.id;
    this.marketId = parts.marketId;
    this.side = parts.side;
    this.policyVersion = parts.policyVersion;
    this.queueLength = parts.queue.length;
    this.queueSize = this.#sizeAhead(parts.queue.length + 1);
  }

  accountAt(rank: number): string {
    const { columns, members } = this.#of;
    return columns.names.ids[at(members.slots, this.#member(rank))] ?? '';
  }

  levelAt(rank: number): number {
    return levelOf(this.#of.queue, rank);
  }

  entryAt(rank: number): RankEntry {
    const { columns, members, queue, scoreOf } = this.#of;
    const member = this.#member(rank);
    let score: Score | undefined;
    return {
      accountId: this.accountAt(rank),
      size: columns.size(at(members.positions, member)).abs(),
      // Made when it is looked at: most of those who are passed by on the way are not.
      get score() {
        return (score ??= scoreOf(at(members.slots, member)));
      },
      rank,
      sizeAhead: this.#sizeAhead(rank),
      level: levelOf(queue, rank),
    };
  }

  rankOf(accountId: string): number | null {
    const slot = this.#of.columns.names.slotOf(accountId);
    return slot === undefined ? null : this.rankOfSlot(slot);
  }

  rankOfSlot(slot: number): number | null {
    const { members, queue } = this.#of;
    const member = indexOf(members.slots, slot);
    const rank = member < 0 ? 0 : at(queue.ranks, member);
    return rank === 0 ? null : rank;
  }

  entryOf(accountId: string): RankEntry | undefined {
    const rank = this.rankOf(accountId);
    return rank === null ? undefined : this.entryAt(rank);
  }

  /** Each rank and its level, and the level that an earlier ranking of the same slots gave to the account; 0: none. */
  forEachLevel(earlier: QueueRanking | undefined, visit: (rank: number, level: number, last: number) => void): void {
    const { members, queue } = this.#of;
    const was = earlier === undefined ? undefined : earlier.#of;
    // Both lists ascend by slot: one walk along the two.
    let k = 0;
    for (let member = 0; member < members.slots.length; member++) {
      const rank = at(queue.ranks, member);
      if (rank === 0) continue;
      let last = 0;
      if (was !== undefined) {
        const { slots } = was.members;
        const slot = at(members.slots, member);
        while (k < slots.length && at(slots, k) < slot) k++;
        const lastRank = k < slots.length && at(slots, k) === slot ? at(was.queue.ranks, k) : 0;
        if (lastRank > 0) last = levelOf(was.queue, lastRank);
      }
      visit(rank, levelOf(queue, rank), last);
    }
  }

  levelSizes(): Decimal[] {
    const { length, levelStarts } = this.#of.queue;
    const bounds = [1, ...levelStarts, length + 1].map((rank) => this.#sizeAhead(Math.min(rank, length + 1)));
    return bounds.slice(1).map((end, i) => end.minus(bounds[i] ?? ZERO));
  }

  restsOn(): ReadonlySet<string> {
    this.#markets ??= this.#marketsOfAll();
    return this.#markets;
  }

  #marketsOfAll(): Set<string> {
    const { columns, heads, members, queue } = this.#of;
    const numbers = new Set<number>();
    const { firsts, counts, markets } = columns.arrays;
    for (const member of queue.order) {
      const row = at(heads.rows, at(members.slots, member));
      const first = at(firsts, row);
      for (let p = first; p < first + at(counts, row); p++) numbers.add(at(markets, p));
    }
    return new Set([...numbers].map((number) => columns.names.markets[number] ?? ''));
  }

  #member(rank: number): number {
    const member = this.#of.queue.order[rank - 1];
    if (member === undefined) throw new Error(`no rank ${String(rank)} in the queue of ${this.marketId}`);
    return member;
  }

  #sizeAhead(rank: number): Decimal {
    const { queue, sizeStep } = this.#of;
    const { ahead } = queue;
    if (ahead.unit === 'GRID_STEP') return ofGridSteps(ahead.sums[rank - 1] ?? 0n);
    return dec(String(at(ahead.sums, rank - 1))).times(sizeStep);
  }
}

/** Place in an ascending column; −1: not in it. */
function indexOf(sorted: Uint32Array, wanted: number): number {
  let [from, end] = [0, sorted.length];
  while (from < end) {
    const middle = (from + end) >> 1;
    if (at(sorted, middle) < wanted) from = middle + 1;
    else end = middle;
  }
  return from < sorted.length && at(sorted, from) === wanted ? from : -1;
}
