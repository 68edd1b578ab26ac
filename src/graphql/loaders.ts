import DataLoader from 'dataloader';
import type { Sql } from '../db/connect.js';
import { readAccountFacts, readEventFacts } from '../db/explanation-facts.js';
import { readAccounts, readLedger, readMarginCallsOf, type CallStatuses } from '../db/read-accounts.js';
import {
  readEvents,
  readEventsOf,
  readEventsWith,
  readLegs,
  readLegsOfAccounts,
  readLegsOfEvents,
  readLegTotals,
  readSkips,
} from '../db/read-deleverage.js';
import { readLinks } from '../db/chains.js';
import { readChanges } from '../db/read-changes.js';
import { readStandingExemptions } from '../db/read-exemptions.js';
import { readJobs, readRunsOf } from '../db/read-jobs.js';
import {
  readFills,
  readForcedTradesOf,
  readLiquidations,
  readLiquidationsOfAccounts,
  readLiquidationsOfMarkets,
} from '../db/read-liquidations.js';
import {
  readBrackets,
  readMarkets,
  readPolicies,
  readPricesInForce,
  readSuspectPrices,
  type PolicyKey,
} from '../db/read-markets.js';
import { readDifferences, readFacts } from '../db/read-reconciliation.js';
import { readLaterMarks } from '../db/read-later-marks.js';
import { byId, type PageRequest } from '../db/read-page.js';
import type { Prisma } from '../db/prisma.js';

/** One page of what belongs to one parent. */
export interface PageKey<F = null> {
  readonly parent: string;
  readonly page: PageRequest;
  readonly filter: F;
}

/** Whether an account of the trader took part in the event. */
export interface PartyKey {
  readonly eventId: string;
  readonly traderId: string;
}

/** Made anew for each request: whatever its page sizes, each kind of read is one statement per distinct page. */
export type Loaders = ReturnType<typeof makeLoaders>;

export function makeLoaders(sql: Sql, prisma: Prisma) {
  const one = <R>(read: (reader: Sql, ids: readonly string[]) => Promise<R[]>): DataLoader<string, R> =>
    new DataLoader((ids: readonly string[]) => read(sql, ids));
  const pages = <R>(
    read: (reader: Sql, parents: readonly string[], page: PageRequest) => Promise<R[][]>,
  ): DataLoader<PageKey, R[], string> => pageLoader((parents, page) => read(sql, parents, page));
  return {
    account: one(readAccounts),
    exemption: one(readStandingExemptions),
    change: one(readChanges),
    trader: new DataLoader((ids: readonly string[]) => readTraders(prisma, ids)),
    fund: new DataLoader((ids: readonly string[]) => readFunds(prisma, ids)),
    market: one(readMarkets),
    brackets: one(readBrackets),
    policy: new DataLoader((keys: readonly PolicyKey[]) => readPolicies(sql, keys), {
      cacheKeyFn: (key: PolicyKey) => `${key.marketId} ${String(key.version)}`,
    }),
    priceInForce: one(readPricesInForce),
    suspectPrice: one(readSuspectPrices),
    liquidation: one(readLiquidations),
    fills: one(readFills),
    event: one(readEvents),
    eventLink: one((reader, ids) => readLinks(reader, 'DELEVERAGE', ids)),
    auditLink: one((reader, ids) => readLinks(reader, 'AUDIT_LOG', ids)),
    isPartyOf: new DataLoader((keys: readonly PartyKey[]) => readParties(sql, keys), {
      cacheKeyFn: ({ eventId, traderId }: PartyKey) => `${eventId} ${traderId}`,
    }),
    legTotals: one(readLegTotals),
    leg: one(readLegs),
    laterMarks: one(readLaterMarks),
    skips: one(readSkips),
    job: one(readJobs),
    reconciliationFacts: one(readFacts),
    eventFacts: one(readEventFacts),
    accountFacts: one(readAccountFacts),
    ledger: pages(readLedger),
    liquidationsOfAccount: pages(readLiquidationsOfAccounts),
    liquidationsOfMarket: pages(readLiquidationsOfMarkets),
    legsOfAccount: pages(readLegsOfAccounts),
    legsOfEvent: pages(readLegsOfEvents),
    eventsOfMarket: pages(readEventsOf),
    forcedTradesOfMarket: pages(readForcedTradesOf),
    runsOfJob: pages(readRunsOf),
    differences: pages(readDifferences),
    marginCallsOfAccount: pageLoader((parents, page, statuses: CallStatuses) =>
      readMarginCallsOf(sql, parents, statuses, page),
    ),
  };
}

/** Groups the pages asked for in one tick by what they ask, and reads each group at once. */
function pageLoader<R, F = null>(
  read: (parents: readonly string[], page: PageRequest, filter: F) => Promise<R[][]>,
): DataLoader<PageKey<F>, R[], string> {
  const askedOf = ({ page, filter }: PageKey<F>): string => JSON.stringify([page.after, page.limit, filter]);
  return new DataLoader(
    async (keys: readonly PageKey<F>[]) => {
      const found = new Map<string, Map<string, R[]>>();
      for (const asked of new Set(keys.map(askedOf))) {
        const group = keys.filter((key) => askedOf(key) === asked);
        const [first] = group;
        if (first === undefined) continue;
        const parents = group.map((key) => key.parent);
        const rows = await read(parents, first.page, first.filter);
        found.set(asked, new Map(parents.map((parent, k) => [parent, rows[k] ?? []])));
      }
      return keys.map((key) => found.get(askedOf(key))?.get(key.parent) ?? []);
    },
    { cacheKeyFn: (key) => `${key.parent} ${askedOf(key)}` },
  );
}

/** A request has one caller, so one trader. */
async function readParties(sql: Sql, keys: readonly PartyKey[]): Promise<boolean[]> {
  const ids = keys.map(({ eventId }) => eventId);
  const found = new Map<string, Set<string>>();
  for (const { traderId } of keys) {
    if (!found.has(traderId)) found.set(traderId, await readEventsWith(sql, traderId, ids));
  }
  return keys.map(({ eventId, traderId }) => found.get(traderId)?.has(eventId) === true);
}

async function readTraders(
  prisma: Prisma,
  ids: readonly string[],
): Promise<({ id: string; verificationLevel: number } | null)[]> {
  const rows = await prisma.trader.findMany({ where: { id: { in: [...ids] } } });
  return byId(ids, rows, (row) => row.id);
}

export interface FundRow {
  readonly accountId: string;
  readonly assetId: string;
  readonly name: string;
  readonly allowanceWindowMs: number;
}

async function readFunds(prisma: Prisma, ids: readonly string[]): Promise<(FundRow | null)[]> {
  const rows = await prisma.insuranceFund.findMany({
    where: { accountId: { in: [...ids] } },
    select: { accountId: true, assetId: true, name: true, allowanceWindowMs: true },
  });
  return byId(ids, rows, (row) => row.accountId);
}
