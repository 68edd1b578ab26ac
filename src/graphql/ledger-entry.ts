import type { LedgerEntryResolvers } from '../generated/graphql.js';
import { nodeId } from './node-id.js';

export const ledgerEntryResolvers: LedgerEntryResolvers = {
  id: ({ id }) => nodeId('LedgerEntry', id),
  account: ({ accountId }) => ({ id: accountId }),
  asset: ({ assetId }) => ({ id: assetId }),
  market: ({ marketId }) => (marketId === null ? null : { id: marketId }),
};
