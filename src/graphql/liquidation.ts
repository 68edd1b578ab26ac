import type { LiquidationResolvers } from '../generated/graphql.js';
import { nodeId } from './node-id.js';

export const liquidationResolvers: LiquidationResolvers = {
  id: ({ id }) => nodeId('Liquidation', id),
  account: ({ accountId }) => ({ id: accountId }),
  market: ({ marketId }) => ({ id: marketId }),
  fills: ({ id }, _args, { loaders }) => loaders.fills.load(id),
};
