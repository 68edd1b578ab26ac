import { allows } from '../access/caller.js';
import type { DeleverageLegResolvers } from '../generated/graphql.js';
import { explainLeg } from '../explanation/explain-leg.js';
import { dec } from '../risk/decimal.js';
import { nodeId } from './node-id.js';
import { toldTo } from './position.js';

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
  sizeAhead: ({ sizeAhead }, _args, context) => (sizeAhead === null ? null : toldTo(context, dec(sizeAhead))),
  levelShownBefore: ({ levelShown }) => levelShown,
  effectiveLeverageBefore: ({ leverageBefore }) => leverageBefore,
  effectiveLeverageAfter: ({ leverageAfter }) => leverageAfter,
  explanation: async (leg, _args, { caller, loaders }) => {
    const facts = await loaders.eventFacts.load(leg.eventId);
    if (facts === null) throw new Error(`no event ${leg.eventId}`);
    return explainLeg(facts, leg, allows(caller, 'read:risk') ? 'ALL' : 'COUNTERPARTY');
  },
};
