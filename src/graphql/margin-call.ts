import type { MarginCallResolvers } from '../generated/graphql.js';
import { nodeId } from './node-id.js';

export const marginCallResolvers: MarginCallResolvers = {
  id: ({ id }) => nodeId('MarginCall', id),
  account: ({ accountId }) => ({ id: accountId }),
};
