import type { AuditEntryResolvers } from '../generated/graphql.js';
import { nodeId } from './node-id.js';

export const auditEntryResolvers: AuditEntryResolvers = {
  id: ({ id }) => nodeId('AuditEntry', id),
  sequence: async ({ id }, _args, { loaders }) => (await loaders.auditLink.load(id))?.sequence ?? null,
  hash: async ({ id }, _args, { loaders }) => (await loaders.auditLink.load(id))?.hash ?? null,
};
