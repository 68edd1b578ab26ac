import type { DeleverageLegResolvers } from '../generated/graphql.js';
import { explainLeg } from '../explanation/explain-leg.js';
import { nodeId } from './node-id.js';

export const deleverageLegResolvers: DeleverageLegResolvers = {
  id: ({ id }) => nodeId('DeleverageLeg', id),
  event: async ({ eventId }, _args, { loaders }) => {
    const event = await loaders.event.load(eventId);
    if (event === null) throw new Error(`no event ${eventId}`);
    return event;
  },
  account: ({ accountId }) => ({ id: accountId }),
  score: ({ rank, scoreName, scoreValue, profitRatio, leverage }) =>
    rank === null ? null : { name: scoreName, value: scoreValue, profitRatio, leverage },
  levelShownBefore: ({ levelShown }) => levelShown,
  effectiveLeverageBefore: ({ leverageBefore }) => leverageBefore,
  effectiveLeverageAfter: ({ leverageAfter }) => leverageAfter,
  explanation: async (leg, _args, { loaders }) => {
    const facts = await loaders.eventFacts.load(leg.eventId);
    if (facts === null) throw new Error(`no event ${leg.eventId}`);
    return explainLeg(facts, leg);
  },
};
