import type { AccountMargin } from '../book/account-margin.js';
import type { Freshness, MarginResolvers } from '../generated/graphql.js';
import { accountLeverage, marginRatio, withdrawable, type AccountValuation } from '../risk/margin.js';
import type { Context } from './context.js';
import { freshnessOfAccount } from './freshness.js';

/** The margin that an account has in the book, or would have. */
export type MarginSource =
  { readonly accountId: string } | { readonly supposed: AccountMargin; readonly freshness: Freshness };

function marginOf(source: MarginSource, { book }: Context): AccountMargin | undefined {
  return 'supposed' in source ? source.supposed : book.margin(source.accountId);
}

function valuationOf(source: MarginSource, context: Context): AccountValuation | null {
  return marginOf(source, context)?.valuation ?? null;
}

/** A figure of the valuation; null while there is none. */
function figure<T>(of: (valuation: AccountValuation) => T) {
  return (source: MarginSource, _args: unknown, context: Context): T | null => {
    const valuation = valuationOf(source, context);
    return valuation === null ? null : of(valuation);
  };
}

export const marginResolvers: MarginResolvers = {
  status: (source, _args, context) => marginOf(source, context)?.status ?? null,
  held: (source, _args, context) => marginOf(source, context)?.held ?? false,
  equity: figure((v) => v.equity),
  initial: figure((v) => v.initial),
  maintenance: figure((v) => v.maintenance),
  marginRatio: figure(marginRatio),
  accountLeverage: figure(accountLeverage),
  withdrawable: figure(withdrawable),
  freshness: (source, _args, { book }) =>
    'supposed' in source ? source.freshness : freshnessOfAccount(book, source.accountId),
};
