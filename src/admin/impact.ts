import { setImmediate } from 'node:timers/promises';
import type { Book } from '../book/book.js';
import type { ProposedChange } from '../db/read-changes.js';
import type { Circumstances, MarketState } from '../db/risk-state.js';
import { maintenanceOf, makeSchedule } from '../risk/brackets.js';
import { sideOf, value, type Side } from '../risk/contract.js';
import { dec, ZERO, type Decimal } from '../risk/decimal.js';
import { isOlderThan, type Instant } from '../risk/instant.js';
import type { MarginStatus } from '../risk/margin.js';
import type { PublishedRanking } from '../risk/ranking.js';
import { parsePolicy, parseBrackets } from '../ingest/markets.js';
import type { Terms } from './kinds.js';

/** How many traders' accounts have a status now, and would have it then; held ones have none. */
export interface StatusImpact {
  readonly status: MarginStatus;
  readonly accountsBefore: number;
  readonly accountsAfter: number;
  /** Of the latter, those that are better now, or held. */
  readonly newAccounts: number;
  /** What those hold in the market, as notional in its settlement asset. */
  readonly newNotional: Decimal;
}

/** Of a queue in which the account of an exemption has a position. */
export interface QueueImpact {
  readonly marketId: string;
  readonly side: Side;
  /** Of the account, contracts without sign. */
  readonly size: Decimal;
  /** Null: a price was never received. */
  readonly notional: Decimal | null;
  readonly lengthBefore: number;
  readonly lengthAfter: number;
  readonly sizeBefore: Decimal;
  readonly sizeAfter: Decimal;
  /** Of others. */
  readonly levelsChanged: number;
}

/** What a change would do, were it applied now. Null where its kind does nothing of the sort. */
export interface Impact {
  /** Instant of the state that it was worked out on. */
  readonly computedAt: Instant;
  /** Worst last. */
  readonly statuses: readonly StatusImpact[];
  /** Held accounts that would be judged again. */
  readonly judgedAgain: number | null;
  /** Of all traders' positions in the market. */
  readonly maintenanceBefore: Decimal | null;
  readonly maintenanceAfter: Decimal | null;
  /** Positions of the market that would have another level. */
  readonly levelsChanged: number | null;
  /** By market. */
  readonly queues: readonly QueueImpact[] | null;
  /** Of the fund. */
  readonly balanceBefore: Decimal | null;
  readonly balanceAfter: Decimal | null;
}

/** The newest book, and the same one under other circumstances. */
export type Suppose = (
  change: (now: Circumstances) => Circumstances,
) => Promise<{ readonly now: Book; readonly then: Book }>;

const STATUSES: readonly MarginStatus[] = ['HEALTHY', 'WARNING', 'MARGIN_CALL', 'LIQUIDATABLE', 'BANKRUPT'];
/** Accounts or positions that are reckoned up before others get their turn. */
const SLICE = 500;
const NOBODY = { changedBy: 'preview', reason: 'preview' };

/** Made by the book's own code from another schedule, policy or status: nothing is estimated, and nothing is written. */
export async function findImpact({ kind, targetId, payload }: ProposedChange, suppose: Suppose): Promise<Impact> {
  const { version = null, ...terms } = JSON.parse(payload) as Terms;
  const { now, then } = await suppose((circumstances) => {
    if (kind === 'BRACKETS_CHANGE') {
      const schedule = makeSchedule(parseBrackets({ ...terms, ...NOBODY, marketId: targetId }).brackets);
      return withMarket(circumstances, targetId, (market) => ({ ...market, schedule }));
    }
    if (kind === 'POLICY_CHANGE') {
      const policy = { ...parsePolicy({ ...terms, ...NOBODY, marketId: targetId }).policy, version: String(version) };
      return withMarket(circumstances, targetId, (market) => ({ ...market, policy }));
    }
    return kind === 'MARKET_RESUME' ? resumed(circumstances, targetId) : circumstances;
  });
  const none = {
    judgedAgain: null,
    maintenanceBefore: null,
    maintenanceAfter: null,
    levelsChanged: null,
    queues: null,
  };
  const impact: Impact = {
    computedAt: now.at,
    statuses: await compareStatuses(now, then, targetId),
    ...none,
    balanceBefore: null,
    balanceAfter: null,
  };
  switch (kind) {
    case 'BRACKETS_CHANGE': {
      const [maintenanceBefore, maintenanceAfter] = [
        await maintenanceIn(now, targetId),
        await maintenanceIn(then, targetId),
      ];
      return { ...impact, maintenanceBefore, maintenanceAfter };
    }
    case 'POLICY_CHANGE':
      return { ...impact, levelsChanged: await countLevels(now, then, targetId) };
    case 'FUND_WITHDRAWAL': {
      const balanceBefore = now.account(targetId)?.balance ?? ZERO;
      return { ...impact, balanceBefore, balanceAfter: balanceBefore.minus(dec(String(terms['amount']))) };
    }
    case 'MARKET_RESUME':
      return { ...impact, judgedAgain: now.heldIds().length - then.heldIds().length };
    case 'EXEMPTION_GRANT':
    case 'EXEMPTION_END':
      return { ...impact, queues: await compareQueues(now, targetId, kind === 'EXEMPTION_GRANT') };
    case 'ENGINE_START':
      return impact;
  }
}

function withMarket(
  circumstances: Circumstances,
  marketId: string,
  change: (market: MarketState) => MarketState,
): Circumstances {
  const market = circumstances.markets.get(marketId);
  // A book that is behind the proposal by a moment.
  if (market === undefined) return circumstances;
  return { ...circumstances, markets: new Map(circumstances.markets).set(marketId, change(market)) };
}

/** Its price counts again, unless it has grown old. */
function resumed(circumstances: Circumstances, marketId: string): Circumstances {
  const next = withMarket(circumstances, marketId, (market) => ({ ...market, status: 'ACTIVE' }));
  const [market, mark] = [next.markets.get(marketId), circumstances.marks.get(marketId)];
  if (market === undefined || mark === undefined) return next;
  const live = !isOlderThan(mark.at, market.params.staleAfterMs, circumstances.at);
  return { ...next, marks: new Map(circumstances.marks).set(marketId, { ...mark, live }) };
}

async function compareStatuses(now: Book, then: Book, marketId: string): Promise<StatusImpact[]> {
  const [before, after] = [now.counts().byStatus, then.counts().byStatus];
  const [severities, held] = [severitiesIn(now), new Set(then.heldIds())];
  const impacts: StatusImpact[] = [];
  for (const [severity, status] of STATUSES.entries()) {
    const isNew = (id: string): boolean => !held.has(id) && (severities.get(id) ?? -1) < severity;
    const newcomers = now === then ? [] : [...then.withStatus([status])].filter(isNew);
    let newNotional: Decimal = ZERO;
    for await (const id of inSlices(newcomers)) {
      const position = then.margin(id)?.valuation?.positions.find((one) => one.marketId === marketId);
      if (position !== undefined) newNotional = newNotional.plus(position.notional);
    }
    const [accountsBefore, accountsAfter] = [before[status], after[status]];
    impacts.push({ status, accountsBefore, accountsAfter, newAccounts: newcomers.length, newNotional });
  }
  return impacts;
}

/** By account that is not held: the place of its status. */
function severitiesIn(book: Book): Map<string, number> {
  const severities = new Map<string, number>();
  for (const [severity, status] of STATUSES.entries())
    for (const id of book.withStatus([status])) severities.set(id, severity);
  for (const id of book.heldIds()) severities.delete(id);
  return severities;
}

/** Null: a price was never received. */
async function maintenanceIn(book: Book, marketId: string): Promise<Decimal | null> {
  const [market, mark] = [book.markets.get(marketId), book.marks.get(marketId)];
  if (market === undefined || mark === undefined) return null;
  let total: Decimal = ZERO;
  for await (const size of inSlices(book.sizesOfTraders(marketId)))
    total = total.plus(maintenanceOf(market.schedule, value(market, size, mark.price).abs()));
  return total;
}

async function countLevels(now: Book, then: Book, marketId: string): Promise<number> {
  let changed = 0;
  for (const side of ['LONG', 'SHORT'] as const)
    changed += await countLevelsIn(now.ranking(marketId, side), then.ranking(marketId, side));
  return changed;
}

async function countLevelsIn(before: PublishedRanking, after: PublishedRanking, except?: string): Promise<number> {
  let changed = 0;
  for await (const rank of inSlices(Array.from({ length: after.queueLength }, (_, k) => k + 1))) {
    const accountId = after.accountAt(rank);
    const last = before.rankOf(accountId);
    if (accountId !== except && (last === null || before.levelAt(last) !== after.levelAt(rank))) changed++;
  }
  return changed;
}

/** The queues of the account as they are, and with the account exempt or not. */
async function compareQueues(now: Book, accountId: string, exempt: boolean): Promise<QueueImpact[]> {
  const account = now.account(accountId);
  // A book that is behind the proposal by a moment.
  if (account === undefined) return [];
  const then = now.with([{ ...account, exempt }]);
  const impacts: QueueImpact[] = [];
  for (const [marketId, { size }] of account.positions) {
    const [market, mark, side] = [now.markets.get(marketId), now.marks.get(marketId), sideOf(size)];
    const [before, after] = [now.ranking(marketId, side), then.ranking(marketId, side)];
    impacts.push({
      ...{ marketId, side, size: size.abs() },
      notional: market === undefined || mark === undefined ? null : value(market, size, mark.price).abs(),
      ...{ lengthBefore: before.queueLength, lengthAfter: after.queueLength },
      ...{ sizeBefore: before.queueSize, sizeAfter: after.queueSize },
      levelsChanged: await countLevelsIn(before, after, accountId),
    });
  }
  return impacts.sort((a, b) => (a.marketId < b.marketId ? -1 : 1));
}

/** Other requests are answered in between. */
async function* inSlices<T>(all: Iterable<T>): AsyncIterable<T> {
  let count = 0;
  for (const one of all) {
    if (++count % SLICE === 0) await setImmediate();
    yield one;
  }
}
