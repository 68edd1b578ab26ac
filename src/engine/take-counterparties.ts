import type { PublishedRanking } from '../risk/ranking.js';
import { allocate, type Candidate } from '../risk/allocation.js';
import { legCap } from '../risk/counterparty.js';
import { max, ZERO, type Decimal } from '../risk/decimal.js';
import type { RankEntry } from '../risk/ranking.js';
import type { EventLegs } from './legs.js';
import type { Lap } from './lap.js';
import { positionOf } from './liquidate.js';

/**
 * Step 5, the legs at the price: lawful counterparties, chosen by the market's allocation in the lap's rank order
 * with the caps of the moment. A leg that turns out unlawful when booked is refused and its size goes on.
 */
export function takeCounterparties(lap: Lap, legs: EventLegs, ranking: PublishedRanking, priceValue: Decimal): void {
  const seen = new Set<string>();
  while (legs.remaining.gt(0)) {
    const candidates = willingCandidates(lap, legs, ranking, priceValue, seen);
    if (candidates.length === 0) return;
    const chosen = allocate(legs.market.policy.allocation, legs.remaining, candidates, legs.market.sizeStep);
    for (const { accountId, size } of chosen) {
      seen.add(accountId);
      if (size.isZero()) continue;
      legs.tryAtPrice(entryOf(ranking, accountId), size, priceValue);
    }
    // PRO_RATA has looked at everyone in its first pass; QUEUE goes on behind those it has seen.
    for (const { accountId } of candidates) seen.add(accountId);
  }
}

/** In rank order, with their caps. QUEUE needs no more of them than fill what is left. */
function willingCandidates(
  lap: Lap,
  legs: EventLegs,
  ranking: PublishedRanking,
  priceValue: Decimal,
  seen: Set<string>,
): Candidate[] {
  const isQueue = legs.market.policy.allocation === 'QUEUE';
  const willing: Candidate[] = [];
  let capacity = ZERO;
  for (let rank = lap.firstOpenRank(ranking); rank <= ranking.queueLength; rank++) {
    if (isQueue && capacity.gte(legs.remaining)) break;
    const accountId = ranking.accountAt(rank);
    if (seen.has(accountId) || !legs.isOnOtherSide(accountId)) continue;
    const candidate = candidateOf(lap, legs, ranking.entryAt(rank), priceValue);
    if (candidate === null) {
      seen.add(accountId);
      continue;
    }
    willing.push(candidate);
    capacity = capacity.plus(candidate.cap);
  }
  return willing;
}

function candidateOf(lap: Lap, legs: EventLegs, entry: RankEntry, priceValue: Decimal): Candidate | null {
  const valuation = lap.valuation(entry.accountId);
  const position = positionOf(valuation, legs.market.id);
  const { cap, refusal } = legCap({
    market: legs.market,
    valuation,
    legUnit: { n: priceValue, d: legs.size.abs() },
    remaining: legs.remaining,
  });
  if (refusal !== null) legs.refuse(entry, refusal);
  if (cap.isZero()) return null;
  const weight = valuation.equity.gt(0) ? max(ZERO, position.unrealizedPnl) : ZERO;
  return { accountId: entry.accountId, cap, weight, size: position.size.abs() };
}

function entryOf(ranking: PublishedRanking, accountId: string): RankEntry {
  const entry = ranking.entryOf(accountId);
  if (entry === undefined) throw new Error(`${accountId} is not in the ranking`);
  return entry;
}
