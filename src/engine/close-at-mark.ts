import type { PublishedRanking } from '../risk/ranking.js';
import type { EventLegs } from './legs.js';
import type { Lap } from './lap.js';

/**
 * Step 6: what no counterparty may take at the price goes at mark against the other side. A leg at mark changes
 * nobody's equity, so it is always lawful; and since Σ size = 0 the other side always holds enough. In rank order,
 * BANKRUPT accounts last, then exempt accounts, liquidity providers and HELD accounts, by id.
 */
export function closeAtMark(lap: Lap, legs: EventLegs, ranking: PublishedRanking): void {
  if (legs.remaining.isZero()) return;
  for (const accountId of inOrder(lap, legs, ranking)) {
    if (legs.remaining.isZero()) return;
    if (legs.isOnOtherSide(accountId)) legs.takeAtMark(accountId, ranking.entryOf(accountId) ?? null);
  }
  if (!legs.remaining.isZero()) throw new Error(`the sizes of ${legs.market.id} do not sum to zero`);
}

function* inOrder(lap: Lap, legs: EventLegs, ranking: PublishedRanking): Iterable<string> {
  const isBankrupt = (accountId: string): boolean => lap.valuation(accountId).equity.lt(0);
  const bankrupt: string[] = [];
  for (let rank = lap.firstOpenRank(ranking); rank <= ranking.queueLength; rank++) {
    const accountId = ranking.accountAt(rank);
    // Whoever was closed meanwhile is passed over without a look at its margin.
    if (!legs.isOnOtherSide(accountId)) continue;
    if (isBankrupt(accountId)) bankrupt.push(accountId);
    else yield accountId;
  }
  yield* bankrupt;
  // A liquidity provider takes what is liquidated, so the lap may have moved one to this side.
  const changed = [...lap.changed()].filter(({ id }) => ranking.rankOf(id) === null).map(({ id }) => id);
  const others = [...new Set([...lap.book.unranked(ranking.marketId, ranking.side), ...changed])].sort();
  for (const place of ['EXEMPT', 'LIQUIDITY_PROVIDER', 'HELD'] as const) {
    yield* others.filter((accountId) => placeOf(lap, accountId) === place);
  }
}

/** Of somebody without a rank. Who is exempt and held stands with the held: no price of it can be trusted. */
function placeOf(lap: Lap, accountId: string): 'EXEMPT' | 'LIQUIDITY_PROVIDER' | 'HELD' | null {
  const { kind, exempt } = lap.account(accountId);
  if (kind === 'LIQUIDITY_PROVIDER') return 'LIQUIDITY_PROVIDER';
  if (lap.isHeld(accountId)) return 'HELD';
  return exempt ? 'EXEMPT' : null;
}
