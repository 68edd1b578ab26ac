import { allows } from '../access/caller.js';
import type { DeleverageLegResolvers } from '../generated/graphql.js';
import { explainLeg } from '../explanation/explain-leg.js';
import { signedLike, value } from '../risk/contract.js';
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
  markLater: async ({ id, sizeBefore, sizeClosed, value: received }, _args, { loaders }) => {
    const closed = signedLike(dec(sizeBefore), dec(sizeClosed));
    return (await loaders.laterMarks.load(id)).map(({ afterSeconds, dueAt, mark, contract }) => ({
      ...{ afterSeconds, at: dueAt, mark },
      concession: mark === null ? null : value(contract, closed, mark).minus(dec(received)),
    }));
  },
  explanation: async (leg, _args, { caller, loaders }) => {
    const facts = await loaders.eventFacts.load(leg.eventId);
    if (facts === null) throw new Error(`no event ${leg.eventId}`);
    return explainLeg(facts, leg, allows(caller, 'read:risk') ? 'ALL' : 'COUNTERPARTY');
  },
};
