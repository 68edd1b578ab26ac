import type { FollowedBook } from '../book/follower.js';
import { readAllMarginCalls } from '../db/read-accounts.js';
import { readAuditLog } from '../db/read-audit.js';
import { verifyChain } from '../db/chains.js';
import { readAllChanges } from '../db/read-changes.js';
import { readAllEvents } from '../db/read-deleverage.js';
import { readAllJobs, readAllRuns } from '../db/read-jobs.js';
import { readAllForcedTrades, readAllLiquidations } from '../db/read-liquidations.js';
import { readAllMarkets } from '../db/read-markets.js';
import { readAllReconciliations, readReconciliation } from '../db/read-reconciliation.js';
import { readTrade } from '../db/read-trades.js';
import { BackstopError } from '../errors.js';
import type { PositionFilter, QueryResolvers } from '../generated/graphql.js';
import { sideOf } from '../risk/contract.js';
import { keysetOf, parsePage, takeFrom, toConnection, type Page } from './connection.js';
import { previewDeleverage } from './deleverage-preview.js';
import { simulate } from './margin-simulation.js';
import { nearPositions } from './near-positions.js';
import { findNode } from './node.js';
import { rowIdOf } from './node-id.js';
import type { PositionSource } from './position.js';
import { systemStatus } from './system-status.js';

export const queryResolvers: QueryResolvers = {
  node: (_root, { id }, context) => findNode(id, context),
  viewer: (_root, _args, { caller }) => (caller.subject === null ? null : caller),
  systemStatus: (_root, _args, context) => systemStatus(context),
  market: async (_root, { symbol }, { loaders }) =>
    (await loaders.market.load(symbol)) === null ? null : { id: symbol },
  markets: async (_root, _args, { sql, loaders }) => {
    const rows = await readAllMarkets(sql);
    for (const row of rows) loaders.market.prime(row.id, row);
    return rows.map(({ id }) => ({ id }));
  },
  assets: (_root, _args, { parts }) => parts.prisma.asset.findMany({ select: { id: true }, orderBy: { id: 'asc' } }),
  insuranceFunds: async (_root, _args, { parts }) => {
    const funds = await parts.prisma.insuranceFund.findMany({
      select: { accountId: true },
      orderBy: { accountId: 'asc' },
    });
    return funds.map(({ accountId }) => ({ id: accountId }));
  },
  account: async (_root, { externalId }, { loaders }) =>
    (await loaders.account.load(externalId)) === null ? null : { id: externalId },
  marginSimulation: (_root, { input }, context) => simulate(input, context),
  accounts: (_root, args, { book }) => {
    const page = parsePage('accounts', args);
    const statuses = args.statuses ?? null;
    const [after] = page.after ?? [];
    const ids = statuses === null ? book.accountIds(after) : book.withStatus(statuses, after);
    const { exempt } = args;
    const exemptIds = new Set(exempt == null ? [] : book.exemptIds());
    const rows = takeFrom(ids, page, (id) => exempt == null || exemptIds.has(id) === exempt).map((id) => ({ id }));
    return toConnection('accounts', page, rows, ({ id }) => [id]);
  },
  positions: (_root, args, { book }) => {
    if (args.order === 'LIQUIDATION_DISTANCE')
      return nearPositions(book, args, (one) => isWanted(book, one, args.filter ?? {}));
    const page = parsePage('positions', args);
    const rows = takeFrom(positionsOf(book, page), page, (position) => isWanted(book, position, args.filter ?? {}));
    return toConnection('positions', page, rows, ({ accountId, marketId }) => [accountId, marketId]);
  },
  deleverageEvent: async (_root, { id }, { loaders }) => {
    const key = rowIdOf('DeleverageEvent', id);
    return key === null ? null : loaders.event.load(key);
  },
  deleverageEvents: async (_root, args, { sql }) => {
    const page = parsePage('deleverageEvents', args);
    return toConnection('deleverageEvents', page, await readAllEvents(sql, keysetOf(page)), ({ id }) => [id]);
  },
  forcedTrades: async (_root, args, { sql, loaders }) => {
    const page = parsePage('forcedTrades', args);
    const { marketSymbol } = args;
    if (marketSymbol == null) {
      return toConnection('forcedTrades', page, await readAllForcedTrades(sql, keysetOf(page)), ({ id }) => [id]);
    }
    if ((await loaders.market.load(marketSymbol)) === null) {
      throw new BackstopError('UNKNOWN_MARKET', `no market ${marketSymbol}`, { field: 'marketSymbol' });
    }
    const rows = await loaders.forcedTradesOfMarket.load({ parent: marketSymbol, page: keysetOf(page), filter: null });
    return toConnection('forcedTrades', page, rows, ({ id }) => [id]);
  },
  liquidations: async (_root, args, { sql }) => {
    const page = parsePage('liquidations', args);
    return toConnection('liquidations', page, await readAllLiquidations(sql, keysetOf(page)), ({ id }) => [id]);
  },
  marginCalls: async (_root, args, { sql }) => {
    const page = parsePage('marginCalls', args);
    const rows = await readAllMarginCalls(sql, args.statuses ?? null, keysetOf(page));
    return toConnection('marginCalls', page, rows, ({ id }) => [id]);
  },
  jobs: (_root, _args, { sql }) => readAllJobs(sql),
  jobRuns: async (_root, args, { sql }) => {
    const page = parsePage('jobRuns', args);
    const rows = await readAllRuns(sql, runPlaceOf(page), page.first + 1);
    return toConnection('jobRuns', page, rows, ({ startedAt, jobId, round }) => [startedAt, jobId, round]);
  },
  auditLog: async (_root, args, { sql }) => {
    const page = parsePage('auditLog', args);
    return toConnection('auditLog', page, await readAuditLog(sql, args.filter ?? {}, keysetOf(page)), ({ id }) => [id]);
  },
  changes: async (_root, args, { sql }) => {
    const page = parsePage('changes', args);
    const rows = await readAllChanges(sql, args.statuses ?? null, keysetOf(page));
    return toConnection('changes', page, rows, ({ id }) => [id]);
  },
  trade: (_root, { externalId }, { sql }) => readTrade(sql, externalId),
  reconciliation: (_root, { externalId }, { sql }) => readReconciliation(sql, externalId),
  reconciliations: async (_root, args, { sql }) => {
    const page = parsePage('reconciliations', args);
    const rows = await readAllReconciliations(sql, keysetOf(page));
    return toConnection('reconciliations', page, rows, ({ id }) => [id]);
  },
  chainVerification: (_root, { chain }, { sql }) => verifyChain(sql, chain),
  deleveragePreview: (_root, { input }, { book }) => previewDeleverage(input, book),
};

/** By account and market, behind the page's cursor. */
function* positionsOf(book: FollowedBook, page: Page): Iterable<PositionSource> {
  const [afterAccount, afterMarket = ''] = page.after ?? [];
  const marketsOf = (accountId: string): string[] => [...(book.account(accountId)?.positions.keys() ?? [])].sort();
  if (afterAccount !== undefined) {
    for (const marketId of marketsOf(afterAccount)) {
      if (marketId > afterMarket) yield { accountId: afterAccount, marketId };
    }
  }
  for (const accountId of book.accountIds(afterAccount)) {
    for (const marketId of marketsOf(accountId)) yield { accountId, marketId };
  }
}

function isWanted(book: FollowedBook, { accountId, marketId }: PositionSource, filter: PositionFilter): boolean {
  if (filter.marketSymbols != null && !filter.marketSymbols.includes(marketId)) return false;
  const holding = book.account(accountId)?.positions.get(marketId);
  if (holding === undefined || (filter.side != null && sideOf(holding.size) !== filter.side)) return false;
  if (filter.minLevel == null) return true;
  const indicator = book.indicator(accountId, marketId);
  return indicator?.state === 'RANKED' && indicator.level >= filter.minLevel;
}

const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/;

function runPlaceOf({ after }: Page) {
  if (after === null) return null;
  const [startedAt = '', jobId = '', round = ''] = after;
  if (!RFC_3339.test(startedAt) || !/^\d{1,18}$/.test(round)) {
    throw new BackstopError('BAD_INPUT', 'after must be a cursor of this list', { field: 'after' });
  }
  return { startedAt, jobId, round };
}
