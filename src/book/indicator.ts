import { sideOf, type Side } from '../risk/contract.js';
import { isExempt } from '../risk/margin.js';
import { percentileOf, type PublishedRanking } from '../risk/ranking.js';
import type { AccountMargin } from './account-margin.js';
import type { Indicator } from './book.js';

/** Of the account's position in the market; undefined: it has none. Exempt comes first: it stays when prices come back. */
export function indicatorOf(
  { account, held }: AccountMargin,
  marketId: string,
  rankingOf: (side: Side) => PublishedRanking,
): Indicator | undefined {
  const holding = account.positions.get(marketId);
  if (holding === undefined) return undefined;
  if (isExempt(account)) return { state: 'EXEMPT' };
  if (held) return { state: 'UNKNOWN' };
  const ranking = rankingOf(sideOf(holding.size));
  const entry = ranking.entryOf(account.id);
  if (entry === undefined) throw new Error(`${account.id} is missing in the queue of ${marketId}`);
  const { id: rankingId, queueLength, queueSize } = ranking;
  return { state: 'RANKED', ...entry, queueLength, percentile: percentileOf(entry, queueSize), rankingId };
}
