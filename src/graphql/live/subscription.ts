import type { GraphQLError } from 'graphql';
import { readAccountsOf, type AccountRow } from '../../db/read-accounts.js';
import {
  readEventsSince,
  readFundEntriesSince,
  readForcedTradesSince,
  readLegsSince,
  readNewestId,
  readNewestRound,
  readNewestSequence,
  readRunsSince,
} from '../../db/read-since.js';
import { allows, ownTrader } from '../../access/caller.js';
import { WATERFALL_JOB } from '../../engine/run-lap.js';
import { BackstopError } from '../../errors.js';
import type { SubscriptionResolvers } from '../../generated/graphql.js';
import { encodeCursor, keysetOf, LARGEST_PAGE, parsePage } from '../connection.js';
import type { Context } from '../context.js';
import { refusal } from '../refusal.js';
import { lookAtCalls } from './calls.js';
import { indicatorsShown, marginShown, marketShown } from './shown.js';
import { eventStream, stateStream } from './streams.js';

/** Most accounts or markets that one stream may name. */
const MOST_NAMED = LARGEST_PAGE;

export const subscriptionResolvers: SubscriptionResolvers = {
  adlIndicatorChanged: {
    subscribe: async (_root, { accountIds }, context) => {
      const accounts = await watchedAccounts(accountIds ?? null, context);
      return stateStream(context, () =>
        accounts
          .flatMap(({ id }) => indicatorsShown(id, context.book))
          .map(({ value, ...shown }) => ({ ...shown, value: { adlIndicatorChanged: value } })),
      );
    },
  },
  marginChanged: {
    subscribe: async (_root, { accountIds }, context) => {
      const accounts = await watchedAccounts(accountIds ?? null, context);
      return stateStream(context, () =>
        accounts
          .flatMap(({ id }) => marginShown(id, context.book))
          .map(({ value, ...shown }) => ({ ...shown, value: { marginChanged: value } })),
      );
    },
  },
  marginCallChanged: {
    subscribe: async (_root, { accountIds }, context) => {
      const accounts = await watchedAccounts(accountIds ?? null, context);
      const since = await readNewestId(context.sql, 'margin_call');
      const look = lookAtCalls(context.parts, accounts, since);
      return stateStream(context, async () =>
        (await look()).map(({ value, ...shown }) => ({ ...shown, value: { marginCallChanged: value } })),
      );
    },
  },
  marketAdlChanged: {
    subscribe: async (_root, { marketSymbols }, context) => {
      const named = await knownMarkets(marketSymbols ?? null, context);
      return stateStream(context, () => {
        const { book } = context;
        return (named ?? [...book.markets.keys()])
          .flatMap((id) => marketShown(id, book))
          .map(({ value, ...shown }) => ({ ...shown, value: { marketAdlChanged: value } }));
      });
    },
  },
  deleverageEvents: {
    subscribe: async (_root, { after, marketSymbols }, context) => {
      const markets = await knownMarkets(marketSymbols ?? null, context);
      return eventStream(context, {
        name: `deleverageEvents ${JSON.stringify(markets)}`,
        from: placeBehind('deleverageEvents', after) ?? (await readNewestId(context.sql, 'deleverage_event')),
        read: (since) => readEventsSince(context.parts.sql, since, markets),
        placeOf: ({ id }) => id,
        show: (node) => ({ deleverageEvents: { cursor: encodeCursor('deleverageEvents', node.id), node } }),
      });
    },
  },
  deleverageLegs: {
    subscribe: async (_root, { after }, context) => {
      const traderId = allows(context.caller, 'read:risk') ? null : ownTrader(context.caller);
      if (traderId === null && !allows(context.caller, 'read:risk')) throw noAccounts();
      return eventStream(context, {
        name: `deleverageLegs ${JSON.stringify(traderId)}`,
        from: placeBehind('viewerLegs', after) ?? (await readNewestId(context.sql, 'deleverage_leg')),
        read: (since) => readLegsSince(context.parts.sql, since, traderId),
        placeOf: ({ id }) => id,
        show: (node) => ({ deleverageLegs: { cursor: encodeCursor('viewerLegs', node.id), node } }),
      });
    },
  },
  forcedTrades: {
    subscribe: async (_root, { after, marketSymbols }, context) => {
      const markets = await knownMarkets(marketSymbols ?? null, context);
      return eventStream(context, {
        name: `forcedTrades ${JSON.stringify(markets)}`,
        from: placeBehind('forcedTrades', after) ?? (await readNewestId(context.sql, 'forced_trade')),
        read: (since) => readForcedTradesSince(context.parts.sql, since, markets),
        placeOf: ({ id }) => id,
        show: (node) => ({ forcedTrades: { cursor: encodeCursor('forcedTrades', node.id), node } }),
      });
    },
  },
  ledgerEntries: {
    subscribe: async (_root, { after, insuranceFundIds }, context) => {
      const funds = await knownFunds(insuranceFundIds ?? null, context);
      return eventStream(context, {
        name: `ledgerEntries ${JSON.stringify(funds)}`,
        from: placeBehind('ledgerEntries', after) ?? (await readNewestSequence(context.sql, 'FUND_LEDGER')),
        read: (since) => readFundEntriesSince(context.parts.sql, since, funds),
        placeOf: ({ place }) => place,
        show: (node) => ({ ledgerEntries: { cursor: encodeCursor('ledgerEntries', node.place), node } }),
      });
    },
  },
  jobRuns: {
    subscribe: async (_root, { after }, context) => {
      const from = roundBehind(after ?? null) ?? (await readNewestRound(context.sql, WATERFALL_JOB));
      return eventStream(context, {
        name: 'jobRuns',
        from,
        read: (since) => readRunsSince(context.parts.sql, since, WATERFALL_JOB),
        placeOf: ({ round }) => round,
        show: (node) => ({
          jobRuns: { cursor: encodeCursor('jobRuns', node.startedAt, node.jobId, node.round), node },
        }),
      });
    },
  },
};

/** The caller's own accounts, or those named of them; who may read all may name any. Others are passed over in silence. */
/** A value from the book then needs no statement. */
async function watchedAccounts(named: readonly string[] | null, context: Context): Promise<readonly AccountRow[]> {
  const accounts = await findAccounts(named, context);
  context.remember(accounts);
  return accounts;
}

async function findAccounts(named: readonly string[] | null, context: Context): Promise<readonly AccountRow[]> {
  const { caller, loaders, sql } = context;
  const traderId = ownTrader(caller);
  const seesAll = allows(caller, 'read:risk');
  if (traderId === null && !seesAll) throw noAccounts();
  if (named === null) return traderId === null ? [] : readAccountsOf(sql, traderId, LARGEST_PAGE);
  limitNames('accountIds', named);
  const rows = await Promise.all([...new Set(named)].map((id) => loaders.account.load(id)));
  return rows.filter((row) => row !== null).filter((row) => seesAll || row.traderId === traderId);
}

async function knownMarkets(named: readonly string[] | null, { loaders }: Context): Promise<readonly string[] | null> {
  if (named === null) return null;
  limitNames('marketSymbols', named);
  for (const symbol of named) {
    if ((await loaders.market.load(symbol)) !== null) continue;
    throw new BackstopError('UNKNOWN_MARKET', `no market ${symbol}`, { field: 'marketSymbols' });
  }
  return [...new Set(named)];
}

async function knownFunds(named: readonly string[] | null, { loaders }: Context): Promise<readonly string[] | null> {
  if (named === null) return null;
  limitNames('insuranceFundIds', named);
  for (const id of named) {
    if ((await loaders.fund.load(id)) !== null) continue;
    throw new BackstopError('NOT_FOUND', `no insurance fund ${id}`, { field: 'insuranceFundIds' });
  }
  return [...new Set(named)];
}

function limitNames(field: string, names: readonly string[]): void {
  if (names.length <= MOST_NAMED) return;
  throw new BackstopError('BAD_INPUT', `${field} may name at most ${String(MOST_NAMED)}`, { field });
}

/** Id behind which a stream goes on; null: none was given. */
function placeBehind(list: string, after: string | null | undefined): string | null {
  return keysetOf(parsePage(list, { after: after ?? null })).after;
}

function roundBehind(after: string | null): string | null {
  const keys = parsePage('jobRuns', { after }).after;
  if (keys === null) return null;
  const [, jobId, round = ''] = keys;
  if (jobId === WATERFALL_JOB && /^\d{1,18}$/.test(round)) return round;
  throw new BackstopError('BAD_INPUT', 'after must be a cursor of this list', { field: 'after' });
}

function noAccounts(): GraphQLError {
  return refusal('FORBIDDEN', 'the stream needs a token with read:account and a trader, or read:risk');
}
