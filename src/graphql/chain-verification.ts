import type { ChainVerificationResolvers } from '../generated/graphql.js';

export const chainVerificationResolvers: ChainVerificationResolvers = {
  isWhole: ({ reason }) => reason === null,
};
