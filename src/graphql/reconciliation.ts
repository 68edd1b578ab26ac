import { factsKey } from '../db/read-reconciliation.js';
import type {
  ReconciliationDifferenceResolvers,
  ReconciliationFactResolvers,
  ReconciliationResolvers,
} from '../generated/graphql.js';
import { keysetOf, parsePage, toConnection } from './connection.js';
import { nodeId, type NodeType } from './node-id.js';

/** Causes that are nodes. */
const NODES: Readonly<Record<string, NodeType>> = { LIQUIDATION: 'Liquidation', DELEVERAGE: 'DeleverageEvent' };

export const reconciliationResolvers: ReconciliationResolvers = {
  id: ({ id }) => nodeId('Reconciliation', id),
  differences: async ({ id, status }, args, { loaders }) => {
    if (status !== 'FINISHED') return null;
    const page = parsePage('differences', args);
    const rows = await loaders.differences.load({ parent: id, page: keysetOf(page), filter: null });
    return toConnection('differences', page, rows, ({ ordinal }) => [String(ordinal)]);
  },
};

export const reconciliationDifferenceResolvers: ReconciliationDifferenceResolvers = {
  accountExternalId: ({ accountId }) => accountId,
  marketSymbol: ({ marketId }) => marketId,
  assetSymbol: ({ assetId }) => assetId,
  lastFacts: (difference, _args, { loaders }) => loaders.reconciliationFacts.load(factsKey(difference)),
};

export const reconciliationFactResolvers: ReconciliationFactResolvers = {
  kind: ({ cause }) => cause,
  nodeId: ({ cause, causeId }) => {
    const type = NODES[cause];
    return type === undefined ? null : nodeId(type, causeId);
  },
};
