import type { TradeResolvers } from '../generated/graphql.js';

export const tradeResolvers: TradeResolvers = {
  market: ({ marketId }) => ({ id: marketId }),
};
