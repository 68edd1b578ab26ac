import { dec, type Decimal } from '../risk/decimal.js';
import type { Instant } from '../risk/instant.js';
import type { Bracket } from '../risk/brackets.js';
import type { Policy } from '../risk/margin.js';
import type { Party } from './record-parties.js';
import type { Reader, Tx } from './connect.js';

export interface TraderFact {
  readonly id: string;
  readonly verificationLevel: number;
}

export interface AccountFact extends Party {
  readonly traderId: string;
}

export interface FundFact {
  readonly accountId: string;
  readonly assetId: string;
  readonly name: string;
  readonly perEventCap: Decimal | null;
  readonly windowAllowance: Decimal | null;
  readonly allowanceWindowMs: number;
}

/** Who changed a parameter, and why. */
export interface Change {
  readonly changedBy: string;
  readonly reason: string;
}

/** False when it was there already. */
export async function insertAsset(tx: Tx, id: string): Promise<boolean> {
  const rows = await tx`insert into asset (id) values (${id}) on conflict (id) do nothing returning id`;
  return rows.length > 0;
}

export async function hasAsset(reader: Reader, id: string): Promise<boolean> {
  return (await reader`select from asset where id = ${id}`).length > 0;
}

export async function upsertTrader(tx: Tx, trader: TraderFact): Promise<void> {
  await tx`
    insert into trader (id, verification_level) values (${trader.id}, ${trader.verificationLevel})
    on conflict (id) do update set verification_level = excluded.verification_level
    where trader.verification_level <> excluded.verification_level`;
}

/** A trader known by its id alone; one that exists keeps its level. */
export async function ensureTrader(tx: Tx, id: string): Promise<void> {
  await tx`insert into trader (id) values (${id}) on conflict (id) do nothing`;
}

export async function hasTrader(reader: Reader, id: string): Promise<boolean> {
  return (await reader`select from trader where id = ${id}`).length > 0;
}

export async function insertAccount(tx: Tx, account: AccountFact): Promise<boolean> {
  const rows = await tx`
    insert into account (id, trader_id, kind, mode, margin_asset_id)
    values (${account.id}, ${account.traderId}, ${account.kind}, ${account.mode}, ${account.marginAssetId})
    on conflict (id) do nothing returning id`;
  return rows.length > 0;
}

export async function findAccount(reader: Reader, id: string): Promise<AccountFact | undefined> {
  const [row] = await reader<AccountFact[]>`
    select id, kind, mode, margin_asset_id as "marginAssetId", trader_id as "traderId" from account where id = ${id}`;
  return row;
}

export async function insertFund(tx: Tx, fund: FundFact): Promise<boolean> {
  const rows = await tx`
    insert into insurance_fund (account_id, asset_id, name, per_event_cap, window_allowance, allowance_window_ms)
    values (${fund.accountId}, ${fund.assetId}, ${fund.name}, ${fund.perEventCap?.toFixed() ?? null},
      ${fund.windowAllowance?.toFixed() ?? null}, ${fund.allowanceWindowMs})
    on conflict (account_id) do nothing returning account_id`;
  return rows.length > 0;
}

interface FundRow {
  account_id: string;
  asset_id: string;
  name: string;
  per_event_cap: string | null;
  window_allowance: string | null;
  allowance_window_ms: number;
}

export async function findFund(reader: Reader, accountId: string): Promise<FundFact | undefined> {
  const [row] = await reader<FundRow[]>`
    select account_id, asset_id, name, per_event_cap, window_allowance, allowance_window_ms
    from insurance_fund where account_id = ${accountId}`;
  if (row === undefined) return undefined;
  return {
    accountId: row.account_id,
    assetId: row.asset_id,
    name: row.name,
    perEventCap: row.per_event_cap === null ? null : dec(row.per_event_cap),
    windowAllowance: row.window_allowance === null ? null : dec(row.window_allowance),
    allowanceWindowMs: row.allowance_window_ms,
  };
}

/** A new version of a market's brackets, as a whole. */
export async function insertBrackets(
  tx: Tx,
  marketId: string,
  brackets: readonly Bracket[],
  change: Change,
): Promise<number> {
  const [row] = await tx<{ version: number }[]>`
    insert into bracket_version (market_id, version, changed_by, reason)
    select ${marketId}, coalesce(max(version), 0) + 1, ${change.changedBy}, ${change.reason}
    from bracket_version where market_id = ${marketId}
    returning version`;
  if (row === undefined) throw new Error('no version was made');
  await tx`
    insert into bracket (market_id, version, floor, maintenance_rate, initial_rate)
    select ${marketId}, ${row.version}, floor, maintenance_rate, initial_rate
    from unnest(${brackets.map((b) => b.floor.toFixed())}::numeric[], ${brackets.map((b) => b.maintenanceRate.toFixed())}::numeric[],
      ${brackets.map((b) => b.initialRate.toFixed())}::numeric[]) as n (floor, maintenance_rate, initial_rate)`;
  return row.version;
}

export async function insertPolicy(
  tx: Tx,
  marketId: string,
  policy: Omit<Policy, 'version'>,
  change: Change,
): Promise<number> {
  const [row] = await tx<{ version: number }[]>`
    insert into policy_version (market_id, version, score, allocation, price_basis, trigger, changed_by, reason)
    select ${marketId}, coalesce(max(version), 0) + 1, ${policy.score}, ${policy.allocation}, ${policy.priceBasis},
      ${policy.trigger}, ${change.changedBy}, ${change.reason}
    from policy_version where market_id = ${marketId}
    returning version`;
  if (row === undefined) throw new Error('no version was made');
  return row.version;
}

export interface StatusChange extends Change {
  readonly marketId: string;
  readonly from: string;
  readonly to: 'ACTIVE' | 'HALTED';
  readonly at: Instant;
}

/** The market must be locked (CHANGE). */
export async function changeMarketStatus(tx: Tx, change: StatusChange): Promise<void> {
  await tx`update market set status = ${change.to} where id = ${change.marketId}`;
  await tx`
    insert into market_status_change (market_id, from_status, to_status, changed_by, reason, at)
    values (${change.marketId}, ${change.from}, ${change.to}, ${change.changedBy}, ${change.reason}, ${change.at}::timestamptz)`;
}

export interface LockedCall {
  readonly status: 'OPEN' | 'MET' | 'LAPSED';
  readonly deadline: Instant;
  readonly latestDeadline: Instant;
}

export async function lockMarginCall(tx: Tx, id: string): Promise<LockedCall | undefined> {
  const [row] = await tx<LockedCall[]>`
    select status, deadline, latest_deadline as "latestDeadline" from margin_call where id = ${id}::bigint for no key update`;
  return row;
}

export interface CallExtension extends Change {
  readonly marginCallId: string;
  readonly before: Instant;
  readonly after: Instant;
}

export async function extendCall(tx: Tx, extension: CallExtension): Promise<void> {
  await tx`update margin_call set deadline = ${extension.after}::timestamptz where id = ${extension.marginCallId}::bigint`;
  await tx`
    insert into margin_call_extension (margin_call_id, deadline_before, deadline_after, changed_by, reason)
    values (${extension.marginCallId}::bigint, ${extension.before}::timestamptz, ${extension.after}::timestamptz,
      ${extension.changedBy}, ${extension.reason})`;
}
