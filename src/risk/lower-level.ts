import { AMOUNT_LIMIT, GRID, ONE, ZERO, max, signOf } from './decimal.js';
import type { Decimal } from './decimal.js';
import { signedLike, value } from './contract.js';
import { firstWhere, lotsIn } from './lots.js';
import { isHeld, positionIn, valuate } from './margin.js';
import type { Account, AccountValuation, Market, Marks, VenueParams } from './margin.js';
import { fill } from './position.js';
import { Others } from './others.js';
import { levelAt, LEVELS, score } from './ranking.js';
import type { PublishedRanking, RankEntry } from './ranking.js';
import { reductionTurns, type Turn } from './reduction-turns.js';

/** Something that a trader can do now so that, all else equal, the position has that lower level. */
export type LevelSuggestion =
  | { readonly action: 'REDUCE_BY'; readonly size: Decimal; readonly level: number }
  | { readonly action: 'ADD_MARGIN'; readonly amount: Decimal; readonly level: number };

export interface LowerLevelInput {
  readonly account: Account;
  readonly marketId: string;
  /** The queue that the position stands in. */
  readonly ranking: PublishedRanking;
  readonly markets: ReadonlyMap<string, Market>;
  readonly marks: Marks;
  readonly venue: VenueParams;
}

/** Places jumped to where reducing raises the leverage, before the search is given up. */
const MOST_JUMPS = 500;

/** What the least reduction and the least additional margin are that bring a ranked position to a lower level; none at level 1. */
export function lowerLevels(input: LowerLevelInput): LevelSuggestion[] {
  const { ranking, account, marketId } = input;
  const entry = ranking.entryOf(account.id);
  const market = input.markets.get(marketId);
  const v = valuate(account, input.markets, input.marks);
  if (entry === undefined || market === undefined || v === null)
    throw new Error(`${account.id} is not ranked in ${marketId}`);
  if (entry.level === 1) return [];
  const search: Search = { ...input, market, v, entry, others: new Others(ranking, account.id) };
  return [leastReduction(search), leastMargin(search)].filter((suggestion) => suggestion !== null);
}

interface Search extends LowerLevelInput {
  readonly market: Market;
  readonly v: AccountValuation;
  readonly entry: RankEntry;
  readonly others: Others;
}

/** Whether so much of the queue before it, and so much in all, is a lower level than its own: 5 · ahead ≥ (6 − level) · size. */
function isLower({ entry }: Search, ahead: Decimal, size: Decimal): boolean {
  return ahead.times(LEVELS).gte(size.times(LEVELS + 1 - entry.level));
}

/**
 * Margin leaves the queue's size as it is and raises the equity, so that the score only falls: searched by halves, on the
 * money grid. Without a score, at an equity that is not positive, it stands last already, and margin can only bring it forward.
 */
function leastMargin(search: Search): LevelSuggestion | null {
  const { v, market, others, ranking } = search;
  if (signOf(v.equity) <= 0) return null;
  const aheadWith = (amount: Decimal): Decimal => {
    const after = { ...v, equity: v.equity.plus(amount) };
    return others.placeOf(v.accountId, score(market.policy.score, after, market.id)).sizeAhead;
  };
  // From there on balance or equity has outgrown the database, and the account is held.
  const most = lotsIn(AMOUNT_LIMIT.minus(max(v.balance, v.equity)), GRID).minus(ONE);
  const holds = (steps: Decimal): boolean => isLower(search, aheadWith(steps.times(GRID)), ranking.queueSize);
  if (most.lte(ZERO) || !holds(most)) return null;
  const amount = firstWhere(ZERO, most, holds).times(GRID);
  return { action: 'ADD_MARGIN', amount, level: levelAt(aheadWith(amount), ranking.queueSize) };
}

/**
 * A reduction at mark leaves the equity as it is and makes the queue smaller; the part that is left is at least one step. As
 * long as it lowers the leverage its score falls, and the search is by halves. Where it raises it (`reductionTurns`) places
 * before it are lost one after another: whoever stands behind `ahead` now would need the queue to be as small as 5 · ahead ÷
 * (6 − level), and no smaller reduction will do, since it never again stands behind more.
 */
function leastReduction(search: Search): LevelSuggestion | null {
  const { entry, market, others } = search;
  const reduced = (steps: Decimal): Reduced => reducedBy(search, steps);
  const sizeWith = (steps: Decimal): Decimal => others.size.plus(entry.size.minus(steps.times(market.sizeStep)));
  const aheadWith = (steps: Decimal): Decimal =>
    others.placeOf(entry.accountId, score(market.policy.score, reduced(steps).v, market.id)).sizeAhead;
  const holds = (steps: Decimal): boolean => isLower(search, aheadWith(steps), sizeWith(steps));
  const suggested = (steps: Decimal): LevelSuggestion => ({
    action: 'REDUCE_BY',
    size: steps.times(market.sizeStep),
    level: levelAt(aheadWith(steps), sizeWith(steps)),
  });
  let from = ZERO;
  for (const { to, rises } of turnsWithin(search, reduced)) {
    if (rises) {
      const found = firstByJumps(from.plus(ONE), to, holds, (steps) => stepsUntil(search, aheadWith(steps)));
      if (found === undefined) return null;
      if (found !== null) return suggested(found);
    } else if (holds(to)) return suggested(firstWhere(from, to, holds));
    from = to;
  }
  return null;
}

interface Reduced {
  readonly v: AccountValuation;
  readonly held: boolean;
}

/** The account after a trade at mark, booked as any trade is. */
function reducedBy({ account, market, markets, marks, venue, v }: Search, steps: Decimal): Reduced {
  const { size, cost, mark } = positionIn(v, market.id);
  const traded = signedLike(size, steps.times(market.sizeStep)).neg();
  const { holding, realizedPnl } = fill({ size, cost }, traded, value(market, traded, mark));
  const positions = new Map(account.positions).set(market.id, holding);
  const after = valuate({ ...account, balance: account.balance.plus(realizedPnl), positions }, markets, marks);
  if (after === null) throw new Error(`${account.id} is no longer valued`);
  return { v: after, held: isHeld(after, venue) };
}

/** Up to the last reduction that leaves a step, and by which the account is not held: less of a live price only adds to the share of stale ones. */
function turnsWithin({ v, market }: Search, reduced: (steps: Decimal) => Reduced): Turn[] {
  const { size } = positionIn(v, market.id);
  const whole = lotsIn(size.abs(), market.sizeStep);
  const last = size.mod(market.sizeStep).isZero() ? whole.minus(ONE) : whole;
  if (last.lte(ZERO)) return [];
  const isHeldAt = (steps: Decimal): boolean => reduced(steps).held;
  const most = isHeldAt(last) ? firstWhere(ZERO, last, isHeldAt).minus(ONE) : last;
  return reductionTurns(v, market, most);
}

/** Steps by which the queue is so small that whoever stands behind `ahead` has a lower level. */
function stepsUntil({ ranking, entry, market }: Search, ahead: Decimal): Decimal {
  const share = ONE.times(LEVELS + 1 - entry.level);
  const excess = ranking.queueSize.times(share).minus(ahead.times(LEVELS));
  const step = market.sizeStep.times(share);
  return excess.mod(step).isZero() ? lotsIn(excess, step) : lotsIn(excess, step).plus(ONE);
}

/** Null: it holds nowhere up to `to`; undefined: not known after so many jumps. */
function firstByJumps(
  from: Decimal,
  to: Decimal,
  holds: (steps: Decimal) => boolean,
  notBefore: (steps: Decimal) => Decimal,
): Decimal | null | undefined {
  let steps = from;
  for (let jumps = 0; steps.lte(to); jumps += 1) {
    if (holds(steps)) return steps;
    if (jumps === MOST_JUMPS) return undefined;
    steps = max(steps.plus(ONE), notBefore(steps));
  }
  return null;
}
