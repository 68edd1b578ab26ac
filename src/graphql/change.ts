import { findImpact, type Impact } from '../admin/impact.js';
import type { FollowedBook } from '../book/follower.js';
import type { ProposedChange } from '../db/read-changes.js';
import type { ChangeQueueImpactResolvers, ChangeResolvers } from '../generated/graphql.js';
import type { Context } from './context.js';
import { nodeId } from './node-id.js';

export const changeQueueImpactResolvers: ChangeQueueImpactResolvers = {
  market: ({ marketId }) => ({ id: marketId }),
};

export const changeResolvers: ChangeResolvers = {
  id: ({ id }) => nodeId('Change', id),
  impact: (change, _args, context) => (change.status === 'PROPOSED' ? impactOf(change, context) : null),
};

/** Worked out once for each state of the book, however many look at it. */
const KNOWN = new WeakMap<FollowedBook, Map<string, Promise<Impact>>>();

function impactOf(change: ProposedChange, { parts: { book } }: Context): Promise<Impact> {
  const newest = book.current();
  const known = KNOWN.get(newest) ?? new Map<string, Promise<Impact>>();
  KNOWN.set(newest, known);
  const impact = known.get(change.id) ?? findImpact(change, (circumstances) => book.suppose(circumstances));
  known.set(change.id, impact);
  return impact;
}
