import type { DeleverageEventResolvers, DeleverageSkipResolvers } from '../generated/graphql.js';
import { isTriggered } from '../explanation/event-sentences.js';
import { explainEvent } from '../explanation/explain-event.js';
import { dec, ZERO } from '../risk/decimal.js';
import { keysetOf, parsePage, toConnection } from './connection.js';
import { verifyEventHere } from './deleverage-verification.js';
import { nodeId } from './node-id.js';

export const deleverageEventResolvers: DeleverageEventResolvers = {
  id: ({ id }) => nodeId('DeleverageEvent', id),
  market: ({ marketId }) => ({ id: marketId }),
  account: ({ accountId }) => ({ id: accountId }),
  trigger: (event) => {
    const [value, trigger] = [dec(event.fundMayPay), dec(event.deficit)];
    return { metric: event.triggerMetric, value, trigger, breached: isTriggered(event) };
  },
  policy: async ({ marketId, policyVersion }, _args, { loaders }) => {
    const policy = await loaders.policy.load({ marketId, version: policyVersion });
    if (policy === null) throw new Error(`no policy ${marketId} ${String(policyVersion)}`);
    return policy;
  },
  fundAvailableBefore: ({ fundMayPay }) => fundMayPay,
  liquidation: ({ liquidationId }, _args, { loaders }) =>
    liquidationId === null ? null : loaders.liquidation.load(liquidationId),
  size: ({ sizeBefore }) => dec(sizeBefore).abs(),
  legCount: async ({ id }, _args, { loaders }) => (await loaders.legTotals.load(id))?.legCount ?? 0,
  concession: async ({ id }, _args, { loaders }) => (await loaders.legTotals.load(id))?.concession ?? ZERO,
  legs: async ({ id }, args, { loaders }) => {
    const page = parsePage('legs', args);
    const rows = await loaders.legsOfEvent.load({ parent: id, page: keysetOf(page), filter: null });
    return toConnection('legs', page, rows, (row) => [String(row.ordinal)]);
  },
  sequence: async ({ id }, _args, { loaders }) => (await loaders.eventLink.load(id))?.sequence ?? null,
  hash: async ({ id }, _args, { loaders }) => (await loaders.eventLink.load(id))?.hash ?? null,
  skips: ({ id }, _args, { loaders }) => loaders.skips.load(id),
  explanation: async ({ id }, _args, { loaders }) => {
    const facts = await loaders.eventFacts.load(id);
    if (facts === null) throw new Error(`no event ${id}`);
    return explainEvent(facts);
  },
  verification: ({ id }, _args, context) => verifyEventHere(id, context),
};

export const deleverageSkipResolvers: DeleverageSkipResolvers = {
  account: ({ accountId }) => ({ id: accountId }),
};
