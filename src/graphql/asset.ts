import type { AssetResolvers } from '../generated/graphql.js';
import { nodeId } from './node-id.js';

export interface AssetSource {
  readonly id: string;
}

export const assetResolvers: AssetResolvers = {
  id: ({ id }) => nodeId('Asset', id),
  symbol: ({ id }) => id,
};
