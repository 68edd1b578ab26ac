import { recordDepth } from '../ingest/depth.js';
import { recordFunding } from '../ingest/funding.js';
import { recordPrices } from '../ingest/prices.js';
import { recordTrades } from '../ingest/trades.js';
import { recordTransfers, type Recorded } from '../ingest/transfers.js';
import type { FeedPayload, MutationResolvers } from '../generated/graphql.js';
import { toUserErrors, type InputShape } from './errors.js';

export type FeedMutation = 'pricesRecord' | 'tradesRecord' | 'transfersRecord' | 'depthRecord' | 'fundingRecord';

export const feedMutations: Pick<Required<MutationResolvers>, FeedMutation> = {
  pricesRecord: (_root, { input }, { sql }) =>
    record('prices', () =>
      recordPrices(
        sql,
        input.prices.map(({ marketSymbol, ...price }) => ({ ...price, marketId: marketSymbol })),
      ),
    ),
  tradesRecord: (_root, { input }, { sql }) =>
    record('trades', () =>
      recordTrades(
        sql,
        input.trades.map(({ marketSymbol, ...trade }) => ({ ...trade, marketId: marketSymbol })),
      ),
    ),
  transfersRecord: (_root, { input }, { sql }) =>
    record('transfers', () =>
      recordTransfers(
        sql,
        input.transfers.map(({ assetSymbol, ...transfer }) => ({ ...transfer, assetId: assetSymbol })),
        { fundsMayPay: false },
      ),
    ),
  depthRecord: (_root, { input }, { sql }) =>
    record('depths', () =>
      recordDepth(
        sql,
        input.depths.map(({ marketSymbol, bids, asks, ...depth }) => ({
          ...depth,
          marketId: marketSymbol,
          bids: bids.map(({ price, size }) => [price, size] as const),
          asks: asks.map(({ price, size }) => [price, size] as const),
        })),
      ),
    ),
  fundingRecord: (_root, { input }, { sql }) =>
    record('fundings', () =>
      recordFunding(
        sql,
        input.fundings.map(({ marketSymbol, ...funding }) => ({ ...funding, marketId: marketSymbol })),
        { fundsMayPay: false },
      ),
    ),
};

/** `rows`: the input's list, in which a refusal's row is counted. */
async function record(rows: NonNullable<InputShape['rows']>, work: () => Promise<Recorded>): Promise<FeedPayload> {
  try {
    const { recorded, duplicates } = await work();
    return { recorded, duplicates, userErrors: [] };
  } catch (error) {
    return { recorded: 0, duplicates: 0, userErrors: toUserErrors(error, { rows }) };
  }
}
