import { dec, type Decimal } from '../risk/decimal.js';
import { makeSchedule, type Bracket } from '../risk/brackets.js';
import { isOlderThan, type Instant } from '../risk/instant.js';
import type { Market, MarginStatus, Policy, VenueParams } from '../risk/margin.js';
import type { Reader } from './connect.js';
import { loadFunds, type FundState } from './fund-state.js';

/** The newest accepted price of a market. Live: fresh at the state's instant, and the market is ACTIVE. */
export interface MarkFact {
  readonly priceMarkId: string;
  readonly price: Decimal;
  readonly at: Instant;
  readonly live: boolean;
}

export interface MarketState extends Market {
  readonly liquidityProviderId: string;
}

export interface LastStatus {
  readonly transitionId: string;
  readonly status: MarginStatus | null;
  readonly held: boolean;
}

/** Prices, terms and thresholds at one instant: what all accounts are judged by. */
export interface Circumstances {
  readonly at: Instant;
  readonly venue: VenueParams;
  readonly markets: ReadonlyMap<string, MarketState>;
  readonly marks: ReadonlyMap<string, MarkFact>;
  readonly funds: ReadonlyMap<string, FundState>;
}

/**
 * Reads them; call it inside a repeatable-read transaction, else its parts may differ in time. What is as it was in
 * `previous` is the same object, so that a caller sees by identity what moved.
 */
export async function loadCircumstances(reader: Reader, at: Instant, previous?: Circumstances): Promise<Circumstances> {
  const venue = sameOr(previous?.venue, await loadVenue(reader));
  const markets = await loadMarkets(reader, previous?.markets);
  const marks = await loadMarks(reader, markets, at, previous?.marks);
  return { at, venue, markets, marks, funds: await loadFunds(reader, at) };
}

/** The old value where the new one says the same. */
function sameOr<T>(old: T | undefined, fresh: T): T {
  return old !== undefined && JSON.stringify(old) === JSON.stringify(fresh) ? old : fresh;
}

/**
 * Terms and thresholds as they were in force at an instant: the newest versions made by then, or the first ones where a
 * replay tells of a time before them.
 */
export async function loadTermsAt(reader: Reader, at: Instant): Promise<Pick<Circumstances, 'venue' | 'markets'>> {
  return { venue: await loadVenue(reader, at), markets: await loadMarkets(reader, undefined, at) };
}

/** The newest version of the market's, or the venue's, that is meant. */
function versionOf(reader: Reader, versions: ReturnType<Reader>, at: Instant | undefined): ReturnType<Reader> {
  if (at === undefined) return reader`(select max(version) from ${versions})`;
  return reader`(select coalesce(max(version) filter (where created_at <= ${at}::timestamptz), min(version)) from ${versions})`;
}

async function loadVenue(reader: Reader, at?: Instant): Promise<VenueParams> {
  const [row] = await reader<Record<string, string>[]>`
    select warning_ratio, call_ratio, liquidation_target, call_deadline_ms::text, call_extension_cap_ms::text,
           on_call_lapse, stale_share, accounts_per_lap::text
    from venue_parameters where version = ${versionOf(reader, reader`venue_parameters`, at)}`;
  if (row === undefined) throw new Error('venue_parameters is empty');
  return {
    warningRatio: dec(text(row, 'warning_ratio')),
    callRatio: dec(text(row, 'call_ratio')),
    liquidationTarget: dec(text(row, 'liquidation_target')),
    callDeadlineMs: Number.parseInt(text(row, 'call_deadline_ms'), 10),
    callExtensionCapMs: Number.parseInt(text(row, 'call_extension_cap_ms'), 10),
    onCallLapse: text(row, 'on_call_lapse') as VenueParams['onCallLapse'],
    staleShare: dec(text(row, 'stale_share')),
    accountsPerLap: Number.parseInt(text(row, 'accounts_per_lap'), 10),
  };
}

interface MarketRow {
  id: string;
  payoff: Market['payoff'];
  status: Market['status'];
  settlement_asset_id: string;
  contract_size: string;
  price_tick: string;
  size_step: string;
  insurance_fund_id: string;
  liquidity_provider_id: string;
  max_fee_rate: string;
  max_deviation: string;
  price_band: string;
  stale_after_ms: number;
  bad_debt_limit: string;
  brackets: [floor: string, maintenance: string, initial: string][] | null;
  policy: { version: number; score: string; allocation: string; price_basis: string; trigger: string } | null;
}

async function loadMarkets(
  reader: Reader,
  previous?: Circumstances['markets'],
  at?: Instant,
): Promise<Map<string, MarketState>> {
  const rows = await reader<MarketRow[]>`
    select m.id, m.payoff, m.status, m.settlement_asset_id, m.contract_size, m.price_tick, m.size_step,
           m.insurance_fund_id, m.liquidity_provider_id, m.max_fee_rate, m.max_deviation, m.price_band,
           m.stale_after_ms, m.bad_debt_limit,
           (select json_agg(json_build_array(b.floor::text, b.maintenance_rate::text, b.initial_rate::text) order by b.floor)
            from bracket b where b.market_id = m.id
              and b.version = ${versionOf(reader, reader`bracket_version v where v.market_id = m.id`, at)}) as brackets,
           (select to_json(p) from policy_version p where p.market_id = m.id
              and p.version = ${versionOf(reader, reader`policy_version v where v.market_id = m.id`, at)}) as policy
    from market m order by m.id`;
  return new Map(rows.map((row) => [row.id, sameOr(previous?.get(row.id), toMarket(row))]));
}

function toMarket(row: MarketRow): MarketState {
  if (row.brackets === null || row.policy === null) throw new Error(`market ${row.id} has no brackets or no policy`);
  const brackets: Bracket[] = row.brackets.map(([floor, maintenance, initial]) => ({
    floor: dec(floor),
    maintenanceRate: dec(maintenance),
    initialRate: dec(initial),
  }));
  return {
    id: row.id,
    payoff: row.payoff,
    status: row.status,
    settlementAssetId: row.settlement_asset_id,
    contractSize: dec(row.contract_size),
    priceTick: dec(row.price_tick),
    sizeStep: dec(row.size_step),
    schedule: makeSchedule(brackets),
    params: {
      maxFeeRate: dec(row.max_fee_rate),
      maxDeviation: dec(row.max_deviation),
      priceBand: dec(row.price_band),
      staleAfterMs: row.stale_after_ms,
    },
    policy: {
      version: String(row.policy.version),
      score: row.policy.score as Policy['score'],
      allocation: row.policy.allocation as Policy['allocation'],
      priceBasis: row.policy.price_basis as Policy['priceBasis'],
      trigger: row.policy.trigger as Policy['trigger'],
    },
    fundId: row.insurance_fund_id,
    liquidityProviderId: row.liquidity_provider_id,
    badDebtLimit: dec(row.bad_debt_limit),
  };
}

async function loadMarks(
  reader: Reader,
  markets: ReadonlyMap<string, MarketState>,
  at: Instant,
  previous?: Circumstances['marks'],
): Promise<Map<string, MarkFact>> {
  const rows = await reader<{ market_id: string; id: string; price: string; at: Instant }[]>`
    select m.id as market_id, p.id, p.price, p.at
    from market m cross join lateral (
      select id, price, at from price_mark
      where market_id = m.id and state in ('ACCEPTED', 'CONFIRMED')
      order by at desc, id desc limit 1) p
    order by m.id`;
  const marks = new Map<string, MarkFact>();
  for (const row of rows) {
    const market = markets.get(row.market_id);
    if (market === undefined) continue;
    const fresh = !isOlderThan(row.at, market.params.staleAfterMs, at);
    const mark = { priceMarkId: row.id, price: dec(row.price), at: row.at, live: fresh && market.status === 'ACTIVE' };
    marks.set(row.market_id, sameOr(previous?.get(row.market_id), mark));
  }
  return marks;
}

interface StatusRow {
  account_id: string;
  id: string;
  to_status: MarginStatus | null;
  held: boolean;
}

/**
 * The last recorded statuses: of all accounts, or of those that have a transition numbered above `since`. Laps alone
 * write transitions, one lap at a time, so whatever came after has a higher number.
 */
export async function loadLastStatuses(reader: Reader, since: string | null): Promise<Map<string, LastStatus>> {
  const rows =
    since === null
      ? await reader<StatusRow[]>`
          select a.id as account_id, t.id, t.to_status, t.held
          from account a cross join lateral (
            select id, to_status, held from margin_status_transition where account_id = a.id order by id desc limit 1) t
          where a.kind = 'TRADER'`
      : await reader<StatusRow[]>`
          select account_id, id, to_status, held from margin_status_transition where id > ${since}::bigint order by id`;
  return new Map(rows.map((r) => [r.account_id, { transitionId: r.id, status: r.to_status, held: r.held }]));
}

function text(row: Record<string, string>, column: string): string {
  const value = row[column];
  if (value === undefined) throw new Error(`no column ${column}`);
  return value;
}
