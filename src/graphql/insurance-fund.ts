import type { Book } from '../book/book.js';
import type { InsuranceFundResolvers } from '../generated/graphql.js';
import { max, min, ZERO, type Decimal } from '../risk/decimal.js';
import { ledgerOf } from './account.js';
import type { Context } from './context.js';
import type { FundRow } from './loaders.js';
import { nodeId } from './node-id.js';

export interface InsuranceFundSource {
  /** Of its account. */
  readonly id: string;
}

async function rowOf({ id }: InsuranceFundSource, { loaders }: Context): Promise<FundRow> {
  const row = await loaders.fund.load(id);
  if (row === null) throw new Error(`no insurance fund ${id}`);
  return row;
}

/** What the fund may pay for one event that begins now. */
export function availableOf(book: Book, fundId: string): Decimal {
  const balance = book.account(fundId)?.balance ?? ZERO;
  const fund = book.funds.get(fundId);
  const left = fund?.windowAllowance == null ? balance : max(ZERO, fund.windowAllowance.minus(fund.windowPaid));
  return [fund?.perEventCap ?? balance, left].reduce(min, balance);
}

export const insuranceFundResolvers: InsuranceFundResolvers = {
  id: ({ id }) => nodeId('InsuranceFund', id),
  externalId: ({ id }) => id,
  name: async (fund, _args, context) => (await rowOf(fund, context)).name,
  account: ({ id }) => ({ id }),
  asset: async (fund, _args, context) => ({ id: (await rowOf(fund, context)).assetId }),
  markets: ({ id }, _args, { book }) =>
    [...book.markets.values()].filter((market) => market.fundId === id).map((market) => ({ id: market.id })),
  balance: ({ id }, _args, { book }) => book.margin(id)?.account.balance ?? ZERO,
  available: ({ id }, _args, { book }) => availableOf(book, id),
  allowance: async (source, _args, context) => {
    const { allowanceWindowMs } = await rowOf(source, context);
    const fund = context.book.funds.get(source.id);
    const window = fund?.windowAllowance ?? null;
    return {
      perEventCap: fund?.perEventCap ?? null,
      window,
      windowMs: allowanceWindowMs,
      paid: window === null ? null : (fund?.windowPaid ?? null),
    };
  },
  ledger: ({ id }, args, context) => ledgerOf(id, args, context),
};
