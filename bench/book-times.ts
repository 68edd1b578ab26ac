import type { ColumnBook } from '../src/book/column-book.js';
import { takeBook } from '../src/book/take-book.js';
import { closeSql, openSql, type Sql } from '../src/db/connect.js';
import { readClock } from '../src/db/record-notice.js';
import { inTransaction } from '../src/db/transaction.js';
import { entriesOf, type PublishedRanking } from '../src/risk/ranking.js';
import { time, type Times } from './timing.js';

export interface BookTimes {
  /** The whole book from the database into an empty process. */
  readonly load: Times;
  /** Every price moved: the margin status of all accounts. */
  readonly margins: Times;
  /** The same by the view margin_status. */
  readonly marginView: Times;
  /** All ranks, sizes ahead and levels, after the same move: margins at hand. */
  readonly ranks: Times;
  /** The same by the view adl_queue, which values the accounts as well. */
  readonly rankView: Times;
}

const RUNS = 5;
const VIEW_RUNS = 2;
/** Up to so many positions all entries are compared with the view, beyond it every so-many-th. */
const COMPARED = 20_000;

/** The book beside the views on the same data; both must agree, entry by entry. */
export async function measureBook(url: string): Promise<BookTimes> {
  const sql = openSql(url, { max: 1 });
  try {
    const take = async (): Promise<ColumnBook> =>
      inTransaction(sql, { isolation: 'repeatable read', readOnly: true }, async (tx) => {
        const { book } = await takeBook(tx, await readClock(tx));
        return book;
      });
    const load = await time(2, take);
    const book = await take();
    // The lists of positions by market and side are the book's: no price changes them.
    book.rankAll();
    let moved = book;
    const margins = await time(RUNS, () => Promise.resolve((moved = book.remade())));
    const ranks = await time(
      RUNS,
      () => {
        moved.rankAll();
        return Promise.resolve();
      },
      () => Promise.resolve((moved = book.remade())),
    );
    await sql`set jit = off`;
    const marginView = await time(
      VIEW_RUNS,
      () => sql`select count(*), sum(equity), sum(maintenance), count(status) from margin_status`,
    );
    const rankView = await time(
      VIEW_RUNS,
      () => sql`select count(*), sum(rank), sum(size_ahead), sum(level) from adl_queue`,
    );
    await compare(sql, book);
    return { load, margins, marginView, ranks, rankView };
  } finally {
    await closeSql(sql);
  }
}

function rankAll(book: ColumnBook): PublishedRanking[] {
  const sides = ['LONG', 'SHORT'] as const;
  return [...book.markets.keys()].flatMap((marketId) => sides.map((side) => book.ranking(marketId, side)));
}

/** A fast wrong answer is no answer. */
async function compare(sql: Sql, book: ColumnBook): Promise<void> {
  const rankings = rankAll(book);
  const total = rankings.reduce((sum, { queueLength }) => sum + queueLength, 0);
  const every = Math.ceil(total / COMPARED);
  const rows = await sql<{ line: string }[]>`
    select concat_ws(' ', market_id, side, rank, account_id, level, trim_scale(size_ahead), coalesce(trim_scale(score)::text, '-')) as line
    from adl_queue where rank % ${every}::integer = 0 order by market_id, side, rank`;
  const ours = rankings.flatMap((ranking) =>
    [...entriesOf(ranking)]
      .filter(({ rank }) => rank % every === 0)
      .map(
        (e) =>
          `${ranking.marketId} ${ranking.side} ${String(e.rank)} ${e.accountId} ${String(e.level)} ${e.sizeAhead.toFixed()} ${e.score.value?.toFixed() ?? '-'}`,
      ),
  );
  const difference = rows.findIndex(({ line }, i) => line !== ours[i]);
  if (difference >= 0 || rows.length !== ours.length) {
    throw new Error(
      `the rankings differ: ${ours[difference] ?? 'nothing'} against ${rows[difference]?.line ?? 'nothing'}`,
    );
  }
}
