import type { ForcedTradeResolvers } from '../generated/graphql.js';
import { nodeId } from './node-id.js';

export const forcedTradeResolvers: ForcedTradeResolvers = {
  id: ({ id }) => nodeId('ForcedTrade', id),
  market: ({ marketId }) => ({ id: marketId }),
  account: ({ accountId }) => ({ id: accountId }),
  counterparty: ({ counterpartyId }) => ({ id: counterpartyId }),
  liquidation: ({ liquidationId }, _args, { loaders }) =>
    liquidationId === null ? null : loaders.liquidation.load(liquidationId),
  leg: ({ legId }, _args, { loaders }) => (legId === null ? null : loaders.leg.load(legId)),
};
