import { readReconciliations } from '../db/read-reconciliation.js';
import type { MutationResolvers, ResolversTypes } from '../generated/graphql.js';
import { addSnapshotChunk, finishSnapshot } from '../ingest/reconciliation.js';
import type { Context } from './context.js';
import { toUserErrors } from './errors.js';

export type ReconciliationMutation = 'reconciliationRowsAdd' | 'reconciliationFinish';

export const reconciliationMutations: Pick<Required<MutationResolvers>, ReconciliationMutation> = {
  reconciliationRowsAdd: (_root, { input }, context) => {
    const { positions, balances, ...of } = input;
    const chunk = {
      ...of,
      positions: positions.map(({ marketSymbol, ...position }) => ({ ...position, marketId: marketSymbol })),
      balances: balances.map(({ assetSymbol, ...balance }) => ({ ...balance, assetId: assetSymbol })),
    };
    return answer(context, () => addSnapshotChunk(context.sql, context.actor.subject, chunk));
  },
  reconciliationFinish: (_root, { input }, context) =>
    answer(context, () => finishSnapshot(context.sql, context.actor.subject, input)),
};

/** The reconciliation as it stands after the work. */
async function answer({ sql }: Context, work: () => Promise<string>): Promise<ResolversTypes['ReconciliationPayload']> {
  try {
    const [reconciliation] = await readReconciliations(sql, [await work()]);
    return { reconciliation: reconciliation ?? null, userErrors: [] };
  } catch (error) {
    return { reconciliation: null, userErrors: toUserErrors(error) };
  }
}
