import { ownTrader, type Caller } from '../access/caller.js';
import { readAccountsOf } from '../db/read-accounts.js';
import { readLegsOfTrader } from '../db/read-deleverage.js';
import type { ViewerResolvers } from '../generated/graphql.js';
import { keysetOf, LARGEST_PAGE, parsePage, toConnection } from './connection.js';

export type ViewerSource = Caller;

export const viewerResolvers: ViewerResolvers = {
  scopes: ({ scopes }) => [...scopes].sort(),
  trader: ({ traderId }, _args, { loaders }) => (traderId === null ? null : loaders.trader.load(traderId)),
  accounts: async (caller, _args, { sql, loaders }) => {
    const traderId = ownTrader(caller);
    if (traderId === null) return [];
    const rows = await readAccountsOf(sql, traderId, LARGEST_PAGE);
    for (const row of rows) loaders.account.prime(row.id, row);
    return rows.map(({ id }) => ({ id }));
  },
  deleverageLegs: async (caller, args, { sql }) => {
    const page = parsePage('viewerLegs', args);
    const keyset = keysetOf(page);
    const traderId = ownTrader(caller);
    const rows = traderId === null ? [] : await readLegsOfTrader(sql, traderId, keyset);
    return toConnection('viewerLegs', page, rows, ({ id }) => [id]);
  },
};
