import { readMarginCalls } from '../db/read-accounts.js';
import type { Sql } from '../db/connect.js';
import type { AdminAction, AuditTarget } from '../db/record-audit.js';
import { WATERFALL_JOB, type LapCompany, type LapResult } from '../engine/run-lap.js';
import { BackstopError } from '../errors.js';
import type { JobRunInput, JobRunPayload, MutationResolvers } from '../generated/graphql.js';
import { contributeToFund, createAccount, createAsset, createFund, createTrader } from '../ingest/accounts.js';
import { audited } from '../ingest/audited.js';
import { extendMarginCall } from '../ingest/margin-calls.js';
import { haltMarket } from '../ingest/market-status.js';
import { createMarket } from '../ingest/markets.js';
import { confirmPrice } from '../ingest/prices.js';
import { auditedLap } from '../jobs/audited-lap.js';
import { takeNewBook, type Context } from './context.js';
import { toUserErrors, type InputShape } from './errors.js';
import { toCounts } from './job.js';
import type { ChangeMutation } from './mutation-change.js';
import type { FeedMutation } from './mutation-feed.js';
import type { ReconciliationMutation } from './mutation-reconciliation.js';
import { rowIdOf } from './node-id.js';

type VenueMutations = Omit<Required<MutationResolvers>, FeedMutation | ReconciliationMutation | ChangeMutation>;

export const venueMutations: VenueMutations = {
  assetCreate: (_root, { input }, context, { fieldName }) =>
    change(
      context,
      { fieldName, input, target: ['Asset', input.symbol], names: { id: 'symbol' } },
      'asset',
      async (sql) => {
        await createAsset(sql, { id: input.symbol });
        return { id: input.symbol };
      },
    ),
  traderUpsert: (_root, { input }, context, { fieldName }) =>
    change(context, { fieldName, input, target: ['Trader', input.externalId], ...OWN_ID }, 'trader', async (sql) => {
      await createTrader(sql, { id: input.externalId, verificationLevel: input.verificationLevel });
      return { id: input.externalId, verificationLevel: input.verificationLevel ?? 0 };
    }),
  accountCreate: (_root, { input }, context, { fieldName }) =>
    change(context, { fieldName, input, target: ['Account', input.externalId], ...OWN_ID }, 'account', async (sql) => {
      const { externalId: id, marginAssetSymbol: marginAssetId, kind, ...rest } = input;
      if (kind === 'INSURANCE_FUND') {
        throw new BackstopError('BAD_INPUT', 'kind: an insurance fund is made by insuranceFundCreate', {
          field: 'kind',
        });
      }
      await createAccount(sql, { ...rest, id, marginAssetId, kind });
      return { id };
    }),
  insuranceFundCreate: (_root, { input }, context, { fieldName }) => {
    const { externalId: id, assetSymbol: assetId, ...rest } = input;
    return change(
      context,
      { fieldName, input, target: ['InsuranceFund', id], ...OWN_ID },
      'insuranceFund',
      async (sql) => {
        await createFund(sql, { ...rest, id, assetId });
        return { id };
      },
    );
  },
  insuranceFundContribute: (_root, { input }, context, { fieldName }) => {
    const { insuranceFundId: fundId, ...rest } = input;
    const names = { fundId: 'insuranceFundId', accountId: 'insuranceFundId' };
    return change(
      context,
      { fieldName, input, target: ['InsuranceFund', fundId], names },
      'insuranceFund',
      async (sql) => {
        await contributeToFund(sql, { ...rest, fundId });
        return { id: fundId };
      },
    );
  },
  marketCreate: (_root, { input }, context, { fieldName }) => {
    const { symbol: id, settlementAssetSymbol: settlementAssetId, ...rest } = input;
    return change(
      context,
      { fieldName, input, target: ['Market', id], names: { id: 'symbol' } },
      'market',
      async (sql) => {
        await createMarket(sql, { ...rest, id, settlementAssetId, changedBy: context.actor.subject });
        return { id };
      },
    );
  },
  priceConfirm: (_root, { input }, context, { fieldName }) => {
    const { marketSymbol: marketId, priceId } = input;
    return change(context, { fieldName, input, target: ['Price', `${marketId}/${priceId}`] }, 'market', async (sql) => {
      await confirmPrice(sql, { marketId, priceId, by: context.actor.subject });
      return { id: marketId };
    });
  },
  marketHalt: (_root, { input }, context, { fieldName }) => {
    const { marketSymbol: id, reason } = input;
    return change(context, { fieldName, input, target: ['Market', id] }, 'market', async (sql) => {
      await haltMarket(sql, { marketId: id, reason, changedBy: context.actor.subject });
      return { id };
    });
  },
  marginCallExtend: (_root, { input }, context, { fieldName }) => {
    const marginCallId = rowIdOf('MarginCall', input.marginCallId);
    const target = ['MarginCall', marginCallId ?? input.marginCallId] as const;
    return change(context, { fieldName, input, target }, 'marginCall', async (sql) => {
      if (marginCallId === null)
        throw new BackstopError('NOT_FOUND', `no margin call ${input.marginCallId}`, { field: 'marginCallId' });
      await extendMarginCall(sql, { ...input, marginCallId, changedBy: context.actor.subject });
      const [call] = await readMarginCalls(sql, [marginCallId]);
      if (call === undefined || call === null) throw new Error(`the margin call ${marginCallId} is gone`);
      return call;
    });
  },
  jobRun: (_root, { input }, context, { fieldName }) => runJob(context, fieldName, input),
};

const OWN_ID: InputShape = { names: { id: 'externalId' } };

type Payload<K extends string, T> = Record<K, T | null> & {
  userErrors: ReturnType<typeof toUserErrors>;
  replayed: boolean;
};

const ACCEPTED = { userErrors: [], replayed: false };

/** What a mutation asks for. */
interface Asked extends InputShape {
  readonly fieldName: string;
  readonly input: object;
  readonly target: readonly [type: AuditTarget['type'], id: string];
}

/**
 * `work` changes something in one transaction and returns it, under the name `thing`; the answer is read from a book made
 * after it. Taken or refused, it stands in the audit log.
 */
async function change<K extends string, T>(
  context: Context,
  asked: Asked,
  thing: K,
  work: (sql: Sql) => Promise<T>,
): Promise<Payload<K, T>> {
  try {
    const changed = await audited(context.sql, actionOf(context, asked), work);
    await takeNewBook(context);
    return { [thing]: changed, ...ACCEPTED } as Payload<K, T>;
  } catch (error) {
    return { [thing]: null, userErrors: toUserErrors(error, asked), replayed: false } as Payload<K, T>;
  }
}

function actionOf({ actor }: Context, { fieldName, input, target: [type, id] }: Asked): AdminAction {
  const reason = 'reason' in input && typeof input.reason === 'string' ? input.reason : null;
  return { actor, name: fieldName, target: { type, id }, input, reason };
}

const NOTHING_RAN = { round: null, at: null, outcomeDigest: null, more: null, counts: null };

async function runJob(context: Context, fieldName: string, input: JobRunInput): Promise<JobRunPayload> {
  try {
    const result = await askForLap(context, fieldName, input);
    if (input.dryRun !== true) await takeNewBook(context);
    if (result.kind === 'NOT_DUE' || result.kind === 'RAN_BEFORE')
      throw new Error('a round asked for by hand is always due');
    if (result.kind !== 'RAN') return { outcome: result.kind, ...NOTHING_RAN, ...ACCEPTED };
    const { round, at, digest: outcomeDigest, more, counts } = result;
    return { outcome: 'RAN', round, at, outcomeDigest, more, counts: toCounts({ ...counts }), ...ACCEPTED };
  } catch (error) {
    return { outcome: null, ...NOTHING_RAN, userErrors: toUserErrors(error), replayed: false };
  }
}

/** A dry run is a question: it can change nothing, and the audit log has nothing to say of it. */
async function askForLap(context: Context, fieldName: string, input: JobRunInput): Promise<LapResult> {
  const { sql, parts } = context;
  const run = (company?: LapCompany): Promise<LapResult> => {
    if (input.name === WATERFALL_JOB) return parts.runJob(input.dryRun === true, company);
    throw new BackstopError('NOT_FOUND', `name: no job ${input.name}`, { field: 'name' });
  };
  if (input.dryRun === true) return run();
  return auditedLap(sql, actionOf(context, { fieldName, input, target: ['Job', input.name] }), run);
}
