import type { Book } from '../book/book.js';
import type { LevelChanges, NewLevel } from '../book/level-changes.js';
import type { Tx } from '../db/connect.js';
import { loadShownLevels, positionKey, readShownLevels, type PositionName } from '../db/lap-inputs.js';
import type { PublishedRanking } from '../risk/ranking.js';

/** More than so many are read quicker all than one by one. */
const MOST_LOOKED_UP = 10_000;

/**
 * Step 8: the levels of the new rankings that differ from those last published, and the positions that have none any more.
 * `published`: a book whose levels are the published ones, wherever it ranked a position; without it all are read.
 */
export async function findLevels(
  tx: Tx,
  after: Book,
  published: Book | undefined,
): Promise<Omit<LevelChanges, 'unknown'>> {
  const since = published === undefined ? undefined : after.levelsSince(published);
  if (since === undefined || since.unknown.length > MOST_LOOKED_UP) return compareWithAll(tx, after);
  const shown = await loadShownLevels(tx, since.unknown);
  const unlike = since.unknown.filter((each) => shown.get(positionKey(each))?.level !== each.level);
  return { changed: [...since.changed, ...unlike], gone: since.gone };
}

async function compareWithAll(tx: Tx, after: Book): Promise<Omit<LevelChanges, 'unknown'>> {
  const [changed, gone]: [NewLevel[], PositionName[]] = [[], []];
  const marketIds = [...after.markets.keys()];
  const queues = new Map(marketIds.map((marketId) => [marketId, queuesOf(after, marketId)]));
  await readShownLevels(tx, ({ marketId, level, accountIds }) => {
    for (const accountId of accountIds) {
      const isRanked = (queues.get(marketId) ?? []).some((queue) => noteShown(queue, accountId, level));
      // A held one keeps what it was last shown.
      if (!isRanked && !isHeldIn(after, accountId, marketId)) gone.push({ accountId, marketId });
    }
  });
  for (const { ranking, shown } of [...queues.values()].flat()) {
    for (let rank = 1; rank <= ranking.queueLength; rank++) {
      const level = ranking.levelAt(rank);
      if (shown[rank] === level) continue;
      const accountId = ranking.accountAt(rank);
      changed.push({ accountId, marketId: ranking.marketId, level, rank, rankingId: ranking.id });
    }
  }
  return { changed, gone };
}

function isHeldIn(book: Book, accountId: string, marketId: string): boolean {
  const positions = book.glance(accountId)?.positions ?? [];
  return positions.some((position) => position.marketId === marketId && position.state === 'UNKNOWN');
}

/** A ranking, and what was shown to each rank of it; 0: nothing. */
interface ShownQueue {
  readonly ranking: PublishedRanking;
  readonly shown: Uint8Array;
}

/** False: the account has no place in this queue. */
function noteShown({ ranking, shown }: ShownQueue, accountId: string, level: number): boolean {
  const rank = ranking.rankOf(accountId);
  if (rank !== null) shown[rank] = level;
  return rank !== null;
}

function queuesOf(book: Book, marketId: string): ShownQueue[] {
  return (['LONG', 'SHORT'] as const).map((side) => {
    const ranking = book.ranking(marketId, side);
    return { ranking, shown: new Uint8Array(ranking.queueLength + 1) };
  });
}
