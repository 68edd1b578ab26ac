import type { NodeResolvers } from '../generated/graphql.js';
import { readLedgerEntries, readMarginCalls } from '../db/read-accounts.js';
import { readAuditEntries } from '../db/read-audit.js';
import { readRun } from '../db/read-jobs.js';
import { readForcedTrades } from '../db/read-liquidations.js';
import { readReconciliations } from '../db/read-reconciliation.js';
import type { Context } from './context.js';
import { parseNodeId, type NodeType } from './node-id.js';

/** Any node, with the type that its resolvers are to be found under. */
export type NodeSource = { readonly __typename: NodeType } & Record<string, unknown>;

export const nodeResolvers: NodeResolvers = {
  __resolveType: ({ __typename }) => __typename,
};

const ROW_ID = /^[1-9]\d{0,17}$/;

/** Null: there is no such thing. */
export async function findNode(id: string, context: Context): Promise<NodeSource | null> {
  const parsed = parseNodeId(id);
  if (parsed === null) return null;
  const { type, parts } = parsed;
  const [key = '', second, ...rest] = parts;
  if (rest.length > 0) return null;
  const found =
    second === undefined ? await findByKey(type, key, context) : await findByPair(type, key, second, context);
  return found === null ? null : { ...found, __typename: type };
}

async function findByKey(type: NodeType, key: string, context: Context): Promise<object | null> {
  const { sql, loaders } = context;
  switch (type) {
    case 'Account':
      return (await loaders.account.load(key)) === null ? null : { id: key };
    case 'Asset':
      return context.parts.prisma.asset.findUnique({ where: { id: key }, select: { id: true } });
    case 'Trader':
      return loaders.trader.load(key);
    case 'Market':
      return (await loaders.market.load(key)) === null ? null : { id: key };
    case 'InsuranceFund':
      return (await loaders.fund.load(key)) === null ? null : { id: key };
    case 'Job':
      return loaders.job.load(key);
    case 'Position':
    case 'JobRun':
      return null;
    default:
  }
  if (!ROW_ID.test(key)) return null;
  switch (type) {
    case 'AuditEntry':
      return (await readAuditEntries(sql, [key]))[0] ?? null;
    case 'Change':
      return loaders.change.load(key);
    case 'Reconciliation':
      return (await readReconciliations(sql, [key]))[0] ?? null;
    case 'LedgerEntry':
      return (await readLedgerEntries(sql, [key]))[0] ?? null;
    case 'MarginCall':
      return (await readMarginCalls(sql, [key]))[0] ?? null;
    case 'ForcedTrade':
      return (await readForcedTrades(sql, [key]))[0] ?? null;
    case 'Liquidation':
      return loaders.liquidation.load(key);
    case 'DeleverageEvent':
      return loaders.event.load(key);
    case 'DeleverageLeg':
      return loaders.leg.load(key);
  }
}

async function findByPair(
  type: NodeType,
  first: string,
  second: string,
  { sql, book }: Context,
): Promise<object | null> {
  if (type === 'JobRun') return ROW_ID.test(second) ? readRun(sql, first, second) : null;
  if (type !== 'Position') return null;
  const isThere = book.holds(first, second);
  return isThere ? { accountId: first, marketId: second } : null;
}
