import { readMarginCalls } from '../db/read-accounts.js';
import { WATERFALL_JOB } from '../engine/run-lap.js';
import { BackstopError } from '../errors.js';
import type { JobRunPayload, MutationResolvers } from '../generated/graphql.js';
import { contributeToFund, createAccount, createAsset, createFund, createTrader } from '../ingest/accounts.js';
import { extendMarginCall } from '../ingest/margin-calls.js';
import { haltMarket, resumeMarket } from '../ingest/market-status.js';
import { createMarket, setBrackets, setPolicy } from '../ingest/markets.js';
import { confirmPrice } from '../ingest/prices.js';
import { takeNewBook, type Context } from './context.js';
import { toUserErrors, type InputShape } from './errors.js';
import { toCounts } from './job.js';
import { rowIdOf } from './node-id.js';

type VenueMutations = Omit<
  Required<MutationResolvers>,
  'pricesRecord' | 'tradesRecord' | 'transfersRecord' | 'depthRecord' | 'fundingRecord'
>;

export const venueMutations: VenueMutations = {
  assetCreate: (_root, { input }, context) =>
    change(context, { names: { id: 'symbol' } }, 'asset', async () => {
      await createAsset(context.sql, { id: input.symbol });
      return { id: input.symbol };
    }),
  traderUpsert: (_root, { input }, context) =>
    change(context, OWN_ID, 'trader', async () => {
      await createTrader(context.sql, { id: input.externalId, verificationLevel: input.verificationLevel });
      return { id: input.externalId, verificationLevel: input.verificationLevel ?? 0 };
    }),
  accountCreate: (_root, { input }, context) =>
    change(context, OWN_ID, 'account', async () => {
      const { externalId: id, marginAssetSymbol: marginAssetId, kind, ...rest } = input;
      if (kind === 'INSURANCE_FUND') {
        throw new BackstopError('BAD_INPUT', 'kind: an insurance fund is made by insuranceFundCreate', {
          field: 'kind',
        });
      }
      await createAccount(context.sql, { ...rest, id, marginAssetId, kind });
      return { id };
    }),
  insuranceFundCreate: (_root, { input }, context) =>
    change(context, OWN_ID, 'insuranceFund', async () => {
      const { externalId: id, assetSymbol: assetId, ...rest } = input;
      await createFund(context.sql, { ...rest, id, assetId });
      return { id };
    }),
  insuranceFundContribute: (_root, { input }, context) =>
    change(
      context,
      { names: { fundId: 'insuranceFundId', accountId: 'insuranceFundId' } },
      'insuranceFund',
      async () => {
        const { insuranceFundId: fundId, ...rest } = input;
        await contributeToFund(context.sql, { ...rest, fundId });
        return { id: fundId };
      },
    ),
  marketCreate: (_root, { input }, context) =>
    change(context, { names: { id: 'symbol' } }, 'market', async () => {
      const { symbol: id, settlementAssetSymbol: settlementAssetId, ...rest } = input;
      await createMarket(context.sql, { ...rest, id, settlementAssetId });
      return { id };
    }),
  bracketsChange: (_root, { input }, context) =>
    changeMarket(context, input, ({ marketSymbol: marketId, ...rest }) =>
      setBrackets(context.sql, { ...rest, marketId }),
    ),
  policyChange: (_root, { input }, context) =>
    changeMarket(context, input, ({ marketSymbol: marketId, policy, ...rest }) =>
      setPolicy(context.sql, { ...rest, ...policy, marketId }),
    ),
  priceConfirm: (_root, { input }, context) =>
    changeMarket(context, input, ({ marketSymbol: marketId, priceId, confirmedBy: by }) =>
      confirmPrice(context.sql, { marketId, priceId, by }),
    ),
  marketHalt: (_root, { input }, context) =>
    changeMarket(context, input, ({ marketSymbol: marketId, ...rest }) =>
      haltMarket(context.sql, { ...rest, marketId }),
    ),
  marketResume: (_root, { input }, context) =>
    changeMarket(context, input, ({ marketSymbol: marketId, ...rest }) =>
      resumeMarket(context.sql, { ...rest, marketId }),
    ),
  marginCallExtend: (_root, { input }, context) =>
    change(context, {}, 'marginCall', async () => {
      const marginCallId = rowIdOf('MarginCall', input.marginCallId);
      if (marginCallId === null)
        throw new BackstopError('NOT_FOUND', `no margin call ${input.marginCallId}`, { field: 'marginCallId' });
      await extendMarginCall(context.sql, { ...input, marginCallId });
      const [call] = await readMarginCalls(context.sql, [marginCallId]);
      if (call === undefined || call === null) throw new Error(`the margin call ${marginCallId} is gone`);
      return call;
    }),
  jobRun: (_root, { input }, context) => runJob(input.name, input.dryRun ?? false, context),
};

const OWN_ID: InputShape = { names: { id: 'externalId' } };

type Payload<K extends string, T> = Record<K, T | null> & { userErrors: ReturnType<typeof toUserErrors> };

/** `work` changes something and returns it, under the name `thing`; the answer is read from a book made after it. */
async function change<K extends string, T>(
  context: Context,
  shape: InputShape,
  thing: K,
  work: () => Promise<T>,
): Promise<Payload<K, T>> {
  try {
    const changed = await work();
    await takeNewBook(context);
    return { [thing]: changed, userErrors: [] as ReturnType<typeof toUserErrors> } as Payload<K, T>;
  } catch (error) {
    return { [thing]: null, userErrors: toUserErrors(error, shape) } as Payload<K, T>;
  }
}

async function changeMarket<I extends { readonly marketSymbol: string }>(
  context: Context,
  input: I,
  work: (input: I) => Promise<unknown>,
) {
  return change(context, {}, 'market', async () => {
    await work(input);
    return { id: input.marketSymbol };
  });
}

const NOTHING_RAN = { round: null, at: null, outcomeDigest: null, more: null, counts: null };

async function runJob(name: string, dryRun: boolean, context: Context): Promise<JobRunPayload> {
  try {
    if (name !== WATERFALL_JOB) throw new BackstopError('NOT_FOUND', `name: no job ${name}`, { field: 'name' });
    const result = await context.parts.runJob(dryRun);
    if (!dryRun) await takeNewBook(context);
    if (result.kind === 'NOT_DUE') throw new Error('a round asked for by hand is always due');
    if (result.kind !== 'RAN') return { outcome: result.kind, ...NOTHING_RAN, userErrors: [] };
    const { round, at, digest: outcomeDigest, more, counts } = result;
    return { outcome: 'RAN', round, at, outcomeDigest, more, counts: toCounts({ ...counts }), userErrors: [] };
  } catch (error) {
    return { outcome: null, ...NOTHING_RAN, userErrors: toUserErrors(error) };
  }
}
