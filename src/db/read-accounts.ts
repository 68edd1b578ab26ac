import type { Instant } from '../risk/instant.js';
import type { Account } from '../risk/margin.js';
import type { Reader } from './connect.js';
import { byId, byParent, startOf, type PageRequest } from './read-page.js';
import type { LedgerKind } from './record-ledger.js';

export interface AccountRow {
  readonly id: string;
  readonly traderId: string;
  readonly kind: Account['kind'];
  readonly mode: Account['mode'];
  readonly marginAssetId: string;
}

/** In the order of `ids`; null where there is none. */
export async function readAccounts(reader: Reader, ids: readonly string[]): Promise<(AccountRow | null)[]> {
  const rows = await reader<AccountRow[]>`
    select id, trader_id as "traderId", kind, mode, margin_asset_id as "marginAssetId"
    from account where id = any(${[...ids]}::text[])`;
  return byId(ids, rows, (row) => row.id);
}

/** By id. */
export async function readAccountsOf(reader: Reader, traderId: string, limit: number): Promise<AccountRow[]> {
  return reader<AccountRow[]>`
    select id, trader_id as "traderId", kind, mode, margin_asset_id as "marginAssetId"
    from account where trader_id = ${traderId} order by id limit ${limit}`;
}

export interface LedgerRow {
  readonly id: string;
  readonly accountId: string;
  readonly assetId: string;
  readonly sequence: string;
  readonly amount: string;
  readonly balanceAfter: string;
  readonly kind: LedgerKind;
  readonly marketId: string | null;
  readonly at: Instant;
  /** The exchange's id of the fact behind it. */
  readonly externalId: string | null;
  /** Of a trade that takes another one back: the exchange's id of that. */
  readonly corrects: string | null;
}

/** Of `ledger_entry e`, with what `withFacts` joins. */
export function ledgerColumns(reader: Reader): ReturnType<Reader> {
  return reader`e.id, e.account_id as "accountId", e.asset_id as "assetId", e.sequence, e.amount,
    e.balance_after as "balanceAfter", e.kind, e.market_id as "marketId", e.at,
    coalesce(t.external_id, m.external_id, u.external_id) as "externalId", t.corrects`;
}

/** To `ledger_entry e`: the exchange's own fact behind it. */
export function withFacts(reader: Reader): ReturnType<Reader> {
  return reader`left join trade t on e.cause = 'TRADE' and t.id = e.cause_id
    left join transfer m on e.cause = 'TRANSFER' and m.id = e.cause_id
    left join funding u on e.cause = 'FUNDING' and u.id = e.cause_id`;
}

/** Newest first, of each account its own page; here `after` is the sequence of the last entry seen. */
export async function readLedger(
  reader: Reader,
  accountIds: readonly string[],
  page: PageRequest,
): Promise<LedgerRow[][]> {
  const rows = await reader<LedgerRow[]>`
    select ${ledgerColumns(reader)}
    from account a cross join lateral (
      select * from ledger_entry
      where account_id = a.id and asset_id = a.margin_asset_id
        and sequence < ${startOf(page, 'DOWN')}::bigint
      order by sequence desc limit ${page.limit}) e
    ${withFacts(reader)}
    where a.id = any(${[...accountIds]}::text[])
    order by e.account_id, e.sequence desc`;
  return byParent(accountIds, rows, (row) => row.accountId);
}

export async function readLedgerEntries(reader: Reader, ids: readonly string[]): Promise<(LedgerRow | null)[]> {
  const rows = await reader<LedgerRow[]>`
    select ${ledgerColumns(reader)}
    from ledger_entry e ${withFacts(reader)} where e.id = any(${[...ids]}::bigint[])`;
  return byId(ids, rows, (row) => row.id);
}

export interface MarginCallRow {
  readonly id: string;
  readonly accountId: string;
  readonly status: 'OPEN' | 'MET' | 'LAPSED';
  readonly amountRequired: string;
  readonly equity: string;
  readonly maintenance: string;
  readonly calledAt: Instant;
  readonly deadline: Instant;
  readonly latestDeadline: Instant;
  readonly onLapse: 'REDUCE_ONLY' | 'LIQUIDATE';
  readonly lapseReason: 'LIQUIDATABLE' | 'DEADLINE' | null;
  readonly endedAt: Instant | null;
  readonly releasedAt: Instant | null;
}

function callColumns(reader: Reader): ReturnType<Reader> {
  return reader`c.id, c.account_id as "accountId", c.status, c.amount_required as "amountRequired", c.equity, c.maintenance,
    c.called_at as "calledAt", c.deadline, c.latest_deadline as "latestDeadline", c.on_lapse as "onLapse",
    c.lapse_reason as "lapseReason", c.ended_at as "endedAt", c.released_at as "releasedAt"`;
}

export async function readMarginCalls(reader: Reader, ids: readonly string[]): Promise<(MarginCallRow | null)[]> {
  const rows = await reader<MarginCallRow[]>`
    select ${callColumns(reader)} from margin_call c where c.id = any(${[...ids]}::bigint[])`;
  return byId(ids, rows, (row) => row.id);
}

/** Calls that stand (open, or lapsed and not yet released), and whatever came behind an id, by id. Laps alone make calls. */
export async function readCallsSince(reader: Reader, after: string): Promise<MarginCallRow[]> {
  return reader<MarginCallRow[]>`
    select ${callColumns(reader)} from margin_call c
    where c.status = 'OPEN' or (c.status = 'LAPSED' and c.released_at is null) or c.id > ${after}::bigint
    order by c.id`;
}

export type CallStatuses = readonly MarginCallRow['status'][] | null;

/** Newest first, of each account its own page; null statuses: all. */
export async function readMarginCallsOf(
  reader: Reader,
  accountIds: readonly string[],
  statuses: CallStatuses,
  page: PageRequest,
): Promise<MarginCallRow[][]> {
  const rows = await reader<MarginCallRow[]>`
    select ${callColumns(reader)}
    from unnest(${[...accountIds]}::text[]) as a (id) cross join lateral (
      select * from margin_call
      where account_id = a.id and id < ${startOf(page, 'DOWN')}::bigint and ${ofStatus(reader, statuses)}
      order by id desc limit ${page.limit}) c
    order by c.account_id, c.id desc`;
  return byParent(accountIds, rows, (row) => row.accountId);
}

/** Newest first, of all accounts. */
export async function readAllMarginCalls(
  reader: Reader,
  statuses: CallStatuses,
  page: PageRequest,
): Promise<MarginCallRow[]> {
  return reader<MarginCallRow[]>`
    select ${callColumns(reader)} from margin_call c
    where c.id < ${startOf(page, 'DOWN')}::bigint and ${ofStatus(reader, statuses)}
    order by c.id desc limit ${page.limit}`;
}

function ofStatus(reader: Reader, statuses: CallStatuses): ReturnType<Reader> {
  return statuses === null ? reader`true` : reader`status = any(${[...statuses]}::text[])`;
}
