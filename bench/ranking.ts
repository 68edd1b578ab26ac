import { makeBook } from '../src/book/book.js';
import { closeSql, openSql, type Sql } from '../src/db/connect.js';
import { readClock } from '../src/db/record-notice.js';
import { loadRiskState } from '../src/db/risk-state.js';
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
    const state = await loadRiskState(sql, await readClock(sql));
    const rankAll = (from: typeof state): string[] => {
      const book = makeBook(from);
      return [...from.markets.keys()].flatMap((marketId) =>
        (['LONG', 'SHORT'] as const).flatMap((side) =>
          book
            .ranking(marketId, side)
            .ranking.entries.map(
              (e) => `${marketId} ${side} ${String(e.rank)} ${e.accountId} ${e.score.value?.toFixed() ?? '-'}`,
            ),
        ),
      );
    };
    const inMemory = await time(RUNS, () => Promise.resolve(rankAll(state)));
    const fromNothing = await time(RUNS, async () => rankAll(await loadRiskState(sql, await readClock(sql))));
    const view = await time(RUNS, () => rankInSql(sql));
    const ours = rankAll(state);
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
