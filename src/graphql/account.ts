import type { AccountRow } from '../db/read-accounts.js';
import type { AccountResolvers, AdlExemptionResolvers, BalanceResolvers } from '../generated/graphql.js';
import { explainAccount } from '../explanation/explain-account.js';
import type { Decimal } from '../risk/decimal.js';
import { keysetOf, parsePage, toConnection } from './connection.js';
import type { Context } from './context.js';
import { nodeId } from './node-id.js';

export interface AccountSource {
  readonly id: string;
}

export interface BalanceSource {
  readonly assetId: string;
  readonly amount: Decimal;
}

async function rowOf({ id }: AccountSource, { loaders }: Context): Promise<AccountRow> {
  const row = await loaders.account.load(id);
  if (row === null) throw new Error(`no account ${id}`);
  return row;
}

export const accountResolvers: AccountResolvers = {
  id: ({ id }) => nodeId('Account', id),
  externalId: ({ id }) => id,
  kind: async (account, _args, context) => (await rowOf(account, context)).kind,
  mode: async (account, _args, context) => (await rowOf(account, context)).mode,
  trader: async (account, _args, context) => {
    const { traderId } = await rowOf(account, context);
    const trader = await context.loaders.trader.load(traderId);
    if (trader === null) throw new Error(`no trader ${traderId}`);
    return trader;
  },
  marginAsset: async (account, _args, context) => ({ id: (await rowOf(account, context)).marginAssetId }),
  margin: ({ id }) => ({ accountId: id }),
  adlExemption: ({ id }, _args, { loaders }) => loaders.exemption.load(id),
  balances: ({ id }, _args, { book }) => {
    const account = book.margin(id)?.account;
    return account === undefined ? [] : [{ assetId: account.marginAssetId, amount: account.balance }];
  },
  positions: ({ id }, { marketSymbols }, { book }) => {
    const held = [...(book.margin(id)?.account.positions.keys() ?? [])].sort();
    const asked = marketSymbols == null ? held : held.filter((marketId) => marketSymbols.includes(marketId));
    return asked.map((marketId) => ({ accountId: id, marketId }));
  },
  marginCalls: async ({ id }, args, { loaders }) => {
    const page = parsePage('marginCalls', args);
    const filter = args.statuses ?? null;
    const rows = await loaders.marginCallsOfAccount.load({ parent: id, page: keysetOf(page), filter });
    return toConnection('marginCalls', page, rows, (row) => [row.id]);
  },
  liquidations: async ({ id }, args, { loaders }) => {
    const page = parsePage('liquidations', args);
    const rows = await loaders.liquidationsOfAccount.load({ parent: id, page: keysetOf(page), filter: null });
    return toConnection('liquidations', page, rows, (row) => [row.id]);
  },
  deleverageLegs: async ({ id }, args, { loaders }) => {
    const page = parsePage('accountLegs', args);
    const rows = await loaders.legsOfAccount.load({ parent: id, page: keysetOf(page), filter: null });
    return toConnection('accountLegs', page, rows, (row) => [row.id]);
  },
  ledger: ({ id }, args, context) => ledgerOf(id, args, context),
  explanation: async ({ id }, _args, { loaders }) => {
    const facts = await loaders.accountFacts.load(id);
    if (facts === null) throw new Error(`no account ${id}`);
    return explainAccount(facts);
  },
};

/** The ledger of an account; a fund's is that of its account. */
export async function ledgerOf(accountId: string, args: Parameters<typeof parsePage>[1], { loaders }: Context) {
  const page = parsePage('ledger', args);
  const rows = await loaders.ledger.load({ parent: accountId, page: keysetOf(page), filter: null });
  return toConnection('ledger', page, rows, (row) => [row.sequence]);
}

export const adlExemptionResolvers: AdlExemptionResolvers = {
  change: ({ changeId }, _args, { loaders }) => loaders.change.load(changeId),
};

export const balanceResolvers: BalanceResolvers = {
  asset: ({ assetId }) => ({ id: assetId }),
};
