import { decideChange } from '../admin/decide.js';
import { proposeChange, type Proposal } from '../admin/propose.js';
import { stopEngine } from '../admin/stop-engine.js';
import type { Sql } from '../db/connect.js';
import { readChanges } from '../db/read-changes.js';
import { readJobs } from '../db/read-jobs.js';
import { WATERFALL_JOB } from '../engine/run-lap.js';
import type { MutationResolvers, ResolversTypes } from '../generated/graphql.js';
import { takeNewBook, type Context } from './context.js';
import { toUserErrors, type InputShape } from './errors.js';
import { rowIdOf } from './node-id.js';

export type ChangeMutation =
  | 'bracketsChange'
  | 'policyChange'
  | 'insuranceFundWithdraw'
  | 'marketResume'
  | 'engineStart'
  | 'exemptionGrant'
  | 'exemptionEnd'
  | 'engineStop'
  | 'changeDecide';

/** What takes two persons, and what stops at once. */
export const changeMutations: Pick<Required<MutationResolvers>, ChangeMutation> = {
  bracketsChange: (_root, { input }, context) => {
    const { marketSymbol: targetId, reason, brackets } = input;
    return propose(context, { kind: 'BRACKETS_CHANGE', targetId, terms: { brackets }, reason, input });
  },
  policyChange: (_root, { input }, context) => {
    const { marketSymbol: targetId, reason, policy } = input;
    return propose(context, { kind: 'POLICY_CHANGE', targetId, terms: { ...policy }, reason, input });
  },
  insuranceFundWithdraw: (_root, { input }, context) => {
    const { insuranceFundId: targetId, reason, ...terms } = input;
    const names = { fundId: 'insuranceFundId', accountId: 'insuranceFundId' };
    return propose(context, { kind: 'FUND_WITHDRAWAL', targetId, terms, reason, input }, { names });
  },
  marketResume: (_root, { input }, context) => {
    const { marketSymbol: targetId, reason } = input;
    return propose(context, { kind: 'MARKET_RESUME', targetId, terms: {}, reason, input });
  },
  exemptionGrant: (_root, { input }, context) => {
    const { accountId: targetId, reason, ...terms } = input;
    return propose(context, { kind: 'EXEMPTION_GRANT', targetId, terms, reason, input });
  },
  exemptionEnd: (_root, { input }, context) => {
    const { accountId: targetId, reason } = input;
    return propose(context, { kind: 'EXEMPTION_END', targetId, terms: {}, reason, input });
  },
  engineStart: (_root, { input }, context) => {
    const { reason } = input;
    return propose(context, { kind: 'ENGINE_START', targetId: WATERFALL_JOB, terms: {}, reason, input });
  },
  engineStop: async (_root, { input }, context) => {
    try {
      await stopEngine(context.sql, context.actor, WATERFALL_JOB, input);
      const [engine] = await readJobs(context.sql, [WATERFALL_JOB]);
      return { engine: engine ?? null, userErrors: [], replayed: false };
    } catch (error) {
      return { engine: null, userErrors: toUserErrors(error), replayed: false };
    }
  },
  changeDecide: (_root, { input }, context) =>
    answer(context, {}, async (sql) => {
      const changeId = rowIdOf('Change', input.changeId);
      await decideChange(sql, context.actor, changeId, input);
      return changeId;
    }),
};

type Payload = ResolversTypes['ChangePayload'];

function propose(context: Context, proposal: Proposal, shape: InputShape = {}): Promise<Payload> {
  return answer(context, shape, (sql) => proposeChange(sql, context.actor, proposal));
}

/** The change as it stands after the work, and a book to see its impact or its effect in. */
async function answer(
  context: Context,
  shape: InputShape,
  work: (sql: Sql) => Promise<string | null>,
): Promise<Payload> {
  try {
    const id = await work(context.sql);
    await takeNewBook(context);
    const [change] = id === null ? [] : await readChanges(context.sql, [id]);
    return { change: change ?? null, userErrors: [], replayed: false };
  } catch (error) {
    return { change: null, userErrors: toUserErrors(error, shape), replayed: false };
  }
}
