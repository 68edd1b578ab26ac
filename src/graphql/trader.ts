import type { TraderResolvers } from '../generated/graphql.js';
import { nodeId } from './node-id.js';

export interface TraderSource {
  readonly id: string;
  readonly verificationLevel: number;
}

export const traderResolvers: TraderResolvers = {
  id: ({ id }) => nodeId('Trader', id),
  externalId: ({ id }) => id,
};
