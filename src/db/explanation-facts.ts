import type { Instant } from '../risk/instant.js';
import type { MarginStatus } from '../risk/margin.js';
import type { Reader } from './connect.js';
import { readAccounts, readMarginCallsOf, type AccountRow, type MarginCallRow } from './read-accounts.js';
import {
  readEvents,
  readLegsOfAccounts,
  readLegsOfEvents,
  readLegTotals,
  readSkips,
  type DeleverageEventRow,
  type DeleverageLegRow,
  type DeleverageSkipRow,
  type LegTotals,
} from './read-deleverage.js';
import { readExemptionsOf, type ExemptionFact } from './read-exemptions.js';
import {
  readFills,
  readLiquidations,
  readLiquidationsOfAccounts,
  type LiquidationFillRow,
  type LiquidationRow,
} from './read-liquidations.js';
import { readMarkets, readPolicies, type MarketRow, type PolicyRow } from './read-markets.js';
import { byId, byParent } from './read-page.js';

/** The stored rows that an ADL event is explained from. */
export interface EventFacts {
  readonly event: DeleverageEventRow;
  readonly market: MarketRow;
  readonly policy: PolicyRow;
  readonly liquidation: LiquidationRow | null;
  readonly fills: readonly LiquidationFillRow[];
  readonly totals: LegTotals;
  /** The first of them; `totals` counts all. */
  readonly legs: readonly DeleverageLegRow[];
  readonly skips: readonly DeleverageSkipRow[];
}

/** Legs that are told one by one. */
const TOLD_LEGS = 100;

/** In the order of `ids`; null where there is no such event. */
export async function readEventFacts(reader: Reader, ids: readonly string[]): Promise<(EventFacts | null)[]> {
  const events = await readEvents(reader, ids);
  const found = events.filter((event) => event !== null);
  const liquidationIds = found.flatMap(({ liquidationId }) => (liquidationId === null ? [] : [liquidationId]));
  const [markets, policies, liquidations, fills, totals, legs, skips] = await Promise.all([
    readMarkets(
      reader,
      found.map((event) => event.marketId),
    ),
    readPolicies(
      reader,
      found.map(({ marketId, policyVersion }) => ({ marketId, version: policyVersion })),
    ),
    readLiquidations(reader, liquidationIds),
    readFills(reader, liquidationIds),
    readLegTotals(
      reader,
      found.map((event) => event.id),
    ),
    readLegsOfEvents(
      reader,
      found.map((event) => event.id),
      { after: null, limit: TOLD_LEGS },
    ),
    readSkips(
      reader,
      found.map((event) => event.id),
    ),
  ]);
  const facts = found.map((event, k): EventFacts => {
    const [market, policy] = [markets[k], policies[k]];
    if (!market || !policy) throw new Error(`event ${event.id} without its market or policy`);
    const place = event.liquidationId === null ? -1 : liquidationIds.indexOf(event.liquidationId);
    return {
      event,
      market,
      policy,
      liquidation: liquidations[place] ?? null,
      fills: fills[place] ?? [],
      totals: totals[k] ?? { eventId: event.id, legCount: 0, concession: '0' },
      legs: legs[k] ?? [],
      skips: skips[k] ?? [],
    };
  });
  return byId(ids, facts, ({ event }) => event.id);
}

export interface PositionFact {
  readonly accountId: string;
  readonly marketId: string;
  readonly size: string;
  readonly cost: string;
  /** The level last published, 5 = first to go; null when there is none. */
  readonly level: number | null;
  readonly rank: number | null;
  readonly shownAt: Instant | null;
}

/** Where an account stands now, by the view margin_status. Null equity: a price was never received. */
export interface StandingFact {
  readonly accountId: string;
  readonly status: MarginStatus | null;
  readonly held: boolean;
  readonly equity: string | null;
  readonly maintenance: string | null;
  readonly marginRatio: string | null;
}

export interface TransitionFact {
  readonly accountId: string;
  readonly from: MarginStatus | null;
  readonly to: MarginStatus | null;
  readonly held: boolean;
  readonly equity: string | null;
  readonly maintenance: string | null;
  readonly at: Instant;
}

export interface CoverFact {
  readonly accountId: string;
  readonly marketId: string | null;
  readonly fundId: string | null;
  readonly shortfall: string;
  readonly fundPaid: string;
  readonly badDebt: string;
  readonly at: Instant;
}

/** The stored rows that an account is explained from; of each kind of history the newest few. */
export interface AccountFacts {
  readonly account: AccountRow;
  readonly balance: string;
  readonly standing: StandingFact | null;
  readonly exemptions: readonly ExemptionFact[];
  readonly positions: readonly PositionFact[];
  readonly transitions: readonly TransitionFact[];
  readonly calls: readonly MarginCallRow[];
  readonly liquidations: readonly LiquidationRow[];
  /** ADL events in which it was the bankrupt. */
  readonly eventIds: readonly { readonly id: string; readonly marketId: string; readonly at: Instant }[];
  /** ADL legs in which it was the counterparty, each with its event. */
  readonly legs: readonly { readonly leg: DeleverageLegRow; readonly event: EventFacts }[];
  readonly covers: readonly CoverFact[];
}

const TOLD_ROWS = 3;

/** In the order of `ids`; null where there is no such account. */
export async function readAccountFacts(reader: Reader, ids: readonly string[]): Promise<(AccountFacts | null)[]> {
  const page = { after: null, limit: TOLD_ROWS };
  const [
    accounts,
    balances,
    standings,
    exemptions,
    positions,
    transitions,
    calls,
    liquidations,
    eventIds,
    legs,
    covers,
  ] = await Promise.all([
    readAccounts(reader, ids),
    readBalances(reader, ids),
    readStandings(reader, ids),
    readExemptionsOf(reader, ids, TOLD_ROWS),
    readPositions(reader, ids),
    readTransitions(reader, ids),
    readMarginCallsOf(reader, ids, null, page),
    readLiquidationsOfAccounts(reader, ids, page),
    readEventIds(reader, ids),
    readLegsOfAccounts(reader, ids, page),
    readCovers(reader, ids),
  ]);
  const events = await readEventFacts(reader, [...new Set(legs.flat().map((leg) => leg.eventId))]);
  const eventOf = new Map(events.flatMap((facts) => (facts === null ? [] : [[facts.event.id, facts] as const])));
  return accounts.map((account, k) =>
    account === null
      ? null
      : {
          account,
          balance: balances[k]?.amount ?? '0',
          standing: standings[k] ?? null,
          exemptions: exemptions[k] ?? [],
          positions: positions[k] ?? [],
          transitions: transitions[k] ?? [],
          calls: calls[k] ?? [],
          liquidations: liquidations[k] ?? [],
          eventIds: eventIds[k] ?? [],
          legs: (legs[k] ?? []).flatMap((leg) => {
            const event = eventOf.get(leg.eventId);
            return event === undefined ? [] : [{ leg, event }];
          }),
          covers: covers[k] ?? [],
        },
  );
}

async function readBalances(reader: Reader, ids: readonly string[]) {
  const rows = await reader<{ accountId: string; amount: string }[]>`
    select account_id as "accountId", amount from balance where account_id = any(${[...ids]}::text[])`;
  return byId(ids, rows, (row) => row.accountId);
}

async function readStandings(reader: Reader, ids: readonly string[]) {
  const rows = await reader<StandingFact[]>`
    select account_id as "accountId", status, held, equity, maintenance, margin_ratio as "marginRatio"
    from margin_status where account_id = any(${[...ids]}::text[]) and kind = 'TRADER'`;
  return byId(ids, rows, (row) => row.accountId);
}

async function readPositions(reader: Reader, ids: readonly string[]) {
  const rows = await reader<PositionFact[]>`
    select p.account_id as "accountId", p.market_id as "marketId", p.size, p.cost, l.level, l.rank, l.shown_at as "shownAt"
    from position p left join adl_level l on l.account_id = p.account_id and l.market_id = p.market_id
    where p.account_id = any(${[...ids]}::text[]) order by p.account_id, p.market_id`;
  return byParent(ids, rows, (row) => row.accountId);
}

async function readTransitions(reader: Reader, ids: readonly string[]) {
  const rows = await reader<TransitionFact[]>`
    select t.account_id as "accountId", t.from_status as "from", t.to_status as "to", t.held, t.equity, t.maintenance, t.at
    from unnest(${[...ids]}::text[]) as p (id) cross join lateral (
      select * from margin_status_transition where account_id = p.id order by id desc limit ${TOLD_ROWS}) t
    order by t.account_id, t.id desc`;
  return byParent(ids, rows, (row) => row.accountId);
}

async function readEventIds(reader: Reader, ids: readonly string[]) {
  const rows = await reader<{ accountId: string; id: string; marketId: string; at: Instant }[]>`
    select e.account_id as "accountId", e.id, e.market_id as "marketId", e.at
    from unnest(${[...ids]}::text[]) as p (id) cross join lateral (
      select * from deleverage_event where account_id = p.id order by id desc limit ${TOLD_ROWS}) e
    order by e.account_id, e.id desc`;
  return byParent(ids, rows, (row) => row.accountId);
}

async function readCovers(reader: Reader, ids: readonly string[]) {
  const rows = await reader<CoverFact[]>`
    select account_id as "accountId", market_id as "marketId", fund_id as "fundId", shortfall, fund_paid as "fundPaid",
      bad_debt as "badDebt", at
    from deficit_cover where account_id = any(${[...ids]}::text[]) order by account_id, id desc`;
  return byParent(ids, rows, (row) => row.accountId).map((covers) => covers.slice(0, TOLD_ROWS));
}
