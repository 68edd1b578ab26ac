import type { PublishedRanking } from '../risk/ranking.js';
import { sideOf } from '../risk/contract.js';
import type { EventLegs } from './legs.js';
import type { Lap } from './lap.js';

/**
 * Step 6: what no counterparty may take at the price goes at mark against the other side. A leg at mark changes
 * nobody's equity, so it is always lawful; and since Σ size = 0 the other side always holds enough. In rank order,
 * BANKRUPT accounts last, then liquidity providers, then HELD accounts, by id.
 */
export function closeAtMark(lap: Lap, legs: EventLegs, ranking: PublishedRanking): void {
  if (legs.remaining.isZero()) return;
  for (const accountId of inOrder(lap, legs, ranking)) {
    if (legs.remaining.isZero()) return;
    if (legs.isOnOtherSide(accountId)) legs.takeAtMark(accountId, ranking.entryOf.get(accountId) ?? null);
  }
  if (!legs.remaining.isZero()) throw new Error(`the sizes of ${legs.market.id} do not sum to zero`);
}

function* inOrder(lap: Lap, legs: EventLegs, ranking: PublishedRanking): Iterable<string> {
  const isBankrupt = (accountId: string): boolean => lap.valuation(accountId).equity.lt(0);
  const ranked = ranking.ranking.entries.map((entry) => entry.accountId);
  const bankrupt = ranked.filter(isBankrupt);
  yield* ranked.filter((accountId) => !isBankrupt(accountId));
  yield* bankrupt;
  const others = [...lap.book.margins()]
    .map(({ account }) => account)
    .filter((account) => {
      const holding = lap.account(account.id).positions.get(legs.market.id);
      return holding !== undefined && sideOf(holding.size) === ranking.ranking.side && !ranking.entryOf.has(account.id);
    });
  for (const kind of ['LIQUIDITY_PROVIDER', 'TRADER'] as const) {
    const ids = others.filter((account) => account.kind === kind).map(({ id }) => id);
    // Code unit order, which for these ids is the order of their bytes.
    yield* ids.sort();
  }
}
