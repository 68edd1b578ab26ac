import type { ColumnBook } from '../src/book/column-book.js';
import { takeBook } from '../src/book/take-book.js';
import { closeSql, openSql, type Sql } from '../src/db/connect.js';
import { readClock } from '../src/db/record-notice.js';
import { inTransaction } from '../src/db/transaction.js';
import { entriesOf, type PublishedRanking } from '../src/risk/ranking.js';
import { time, type Times } from './timing.js';

export interface RankingTimes {
  /** Reading the whole state, valuing every account, and ranking every market and side, in this process. */
  readonly fromNothing: Times;
  /** The same without the reading. */
  readonly inMemory: Times;
  /** The view adl_queue, of all markets and sides. */
  readonly view: Times;
  readonly entries: number;
}

const RUNS = 5;

/** The ranking of all positions by `risk`, beside the same ranking as plain SQL on the same data; both must agree. */
export async function measureRanking(url: string): Promise<RankingTimes> {
  const sql = openSql(url, { max: 1 });
  try {
    const take = async (): Promise<ColumnBook> =>
      inTransaction(sql, { isolation: 'repeatable read', readOnly: true }, async (tx) => {
        const { book } = await takeBook(tx, await readClock(tx));
        return book;
      });
    const book = await take();
    const inMemory = await time(RUNS, () => Promise.resolve(rankAll(book.remade())));
    const fromNothing = await time(RUNS, async () => rankAll(await take()));
    const view = await time(RUNS, () => rankInSql(sql));
    const ours = rankAll(book).flatMap((ranking) =>
      [...entriesOf(ranking)].map(
        (e) =>
          `${ranking.marketId} ${ranking.side} ${String(e.rank)} ${e.accountId} ${e.score.value?.toFixed() ?? '-'}`,
      ),
    );
    const theirs = (await rankInSql(sql)).map(
      (row) => `${row.market_id} ${row.side} ${row.rank} ${row.account_id} ${plain(row.score)}`,
    );
    const difference = ours.findIndex((line, i) => line !== theirs[i]);
    if (difference >= 0 || ours.length !== theirs.length) {
      throw new Error(
        `the rankings differ: ${ours[difference] ?? 'nothing'} against ${theirs[difference] ?? 'nothing'}`,
      );
    }
    return { fromNothing, inMemory, view, entries: ours.length };
  } finally {
    await closeSql(sql);
  }
}

function rankAll(book: ColumnBook): PublishedRanking[] {
  const sides = ['LONG', 'SHORT'] as const;
  return [...book.markets.keys()].flatMap((marketId) => sides.map((side) => book.ranking(marketId, side)));
}

interface QueueRow {
  market_id: string;
  side: string;
  rank: string;
  account_id: string;
  score: string | null;
}

async function rankInSql(sql: Sql): Promise<QueueRow[]> {
  return sql<
    QueueRow[]
  >`select market_id, side, rank::text, account_id, trim_scale(score)::text as score from adl_queue order by market_id, side, adl_queue.rank`;
}

function plain(score: string | null): string {
  return score ?? '-';
}
