import type { Decimal } from './decimal.js';
import { byScore } from './ranking.js';
import type { PublishedRanking, RankEntry, Score } from './ranking.js';

/** A queue without one account, in it or not: scores and sizes of the others, which nothing that the account does can move. */
export class Others {
  readonly length: number;
  /** Contracts of all of them. */
  readonly size: Decimal;
  readonly #ranking: PublishedRanking;
  readonly #own: RankEntry | undefined;
  readonly #known = new Map<number, RankEntry>();

  constructor(ranking: PublishedRanking, accountId: string) {
    this.#ranking = ranking;
    this.#own = ranking.entryOf(accountId);
    this.length = ranking.queueLength - (this.#own === undefined ? 0 : 1);
    this.size = this.#own === undefined ? ranking.queueSize : ranking.queueSize.minus(this.#own.size);
  }

  /** Where the account would stand with this score. */
  placeOf(accountId: string, score: Score): Pick<RankEntry, 'rank' | 'sizeAhead'> {
    const candidate = { accountId, score };
    let [from, end] = [0, this.length];
    while (from < end) {
      const middle = (from + end) >> 1;
      if (byScore(this.#at(middle), candidate) < 0) from = middle + 1;
      else end = middle;
    }
    return { rank: from + 1, sizeAhead: from === this.length ? this.size : this.#sizeBefore(this.#at(from)) };
  }

  #sizeBefore({ rank, sizeAhead }: RankEntry): Decimal {
    return this.#own !== undefined && rank > this.#own.rank ? sizeAhead.minus(this.#own.size) : sizeAhead;
  }

  /** In their order, counted from 0. */
  #at(index: number): RankEntry {
    const rank = this.#own === undefined || index + 1 < this.#own.rank ? index + 1 : index + 2;
    const known = this.#known.get(rank) ?? this.#ranking.entryAt(rank);
    this.#known.set(rank, known);
    return known;
  }
}
