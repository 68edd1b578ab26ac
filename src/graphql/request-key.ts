import { createHash } from 'node:crypto';
import type { GraphQLResolveInfo } from 'graphql';
import { readMarginCalls } from '../db/read-accounts.js';
import { readChanges } from '../db/read-changes.js';
import { readJobs } from '../db/read-jobs.js';
import type { DoneRequest, RequestKey } from '../db/request-keys.js';
import { DoneBefore } from '../ingest/audited.js';
import { takeNewBook, type Context } from './context.js';
import { toCounts } from './job.js';

interface MutationInput {
  readonly idempotencyKey?: string | null;
}

type Mutate = (
  root: unknown,
  args: { readonly input: MutationInput },
  context: Context,
  info: GraphQLResolveInfo,
) => Promise<object>;

/**
 * The same mutations; whatever has a key in its input does nothing twice. The key goes with whoever acts and is kept with the
 * entry of the audit log (`insertAuditEntry`); a request that was done before ends in `DoneBefore`.
 */
export function withKeys<M extends object>(mutations: M): M {
  const keyed = Object.entries(mutations as Readonly<Record<string, Mutate>>).map(
    ([name, mutate]): [string, Mutate] => [
      name,
      (root, args, context, info) => once(mutate, root, args, context, info),
    ],
  );
  return Object.fromEntries(keyed) as M;
}

async function once(mutate: Mutate, ...[root, { input: given }, context, info]: Parameters<Mutate>): Promise<object> {
  const { idempotencyKey, ...input } = given;
  const { actor } = context;
  const key = typeof idempotencyKey === 'string' ? keyOf(idempotencyKey, info.fieldName, input) : undefined;
  // Mutations of a document follow each other, so nobody else reads it meanwhile.
  context.actor = { ...actor, key };
  try {
    return await mutate(root, { input }, context, info);
  } catch (error) {
    if (!(error instanceof DoneBefore)) throw error;
    await takeNewBook(context);
    return { ...(await answerAgain(error.done, context)), userErrors: [], replayed: true };
  } finally {
    context.actor = actor;
  }
}

function keyOf(key: string, mutation: string, input: object): RequestKey {
  const content = JSON.stringify([mutation, input], inOrder);
  return { key, contentDigest: createHash('sha256').update(content).digest('hex') };
}

/** Fields in the order of their names, and none that says nothing: how a client writes an input is not what it says. */
function inOrder(_name: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const fields = Object.entries(value as Record<string, unknown>).filter(([, field]) => field !== null);
  return Object.fromEntries(fields.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** What a request did, from what was stored with it; the objects that it names are shown as they are now. */
async function answerAgain(
  { action, targetType, targetId, after }: DoneRequest,
  { sql }: Context,
): Promise<Readonly<Record<string, unknown>>> {
  const id = targetId ?? '';
  if (action === 'jobRun') {
    const { digest, counts, ...ran } = JSON.parse(after) as { digest: string; counts: Record<string, number> };
    return { outcome: 'RAN', ...ran, outcomeDigest: digest, counts: toCounts(counts) };
  }
  if (targetType === 'Change') return { change: (await readChanges(sql, [id]))[0] };
  if (targetType === 'Job') return { engine: (await readJobs(sql, [id]))[0] };
  if (targetType === 'Market') return { market: { id } };
  if (targetType === 'MarginCall') return { marginCall: (await readMarginCalls(sql, [id]))[0] };
  throw new Error(`${action} of ${String(targetType)} cannot be answered again`);
}
