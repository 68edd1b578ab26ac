import type { Instant } from '../risk/instant.js';
import type { Reader } from './connect.js';
import { byId, byParent, startOf, type PageRequest } from './read-page.js';

/** A snapshot of the exchange's with what came of it. */
export interface ReconciliationRow {
  readonly id: string;
  readonly externalId: string;
  readonly asOf: Instant;
  readonly status: 'RECEIVING' | 'FINISHED' | 'EXPIRED';
  readonly chunkCount: number;
  readonly rowCount: number;
  readonly begunBy: string;
  readonly begunAt: Instant;
  readonly finishedBy: string | null;
  readonly finishedAt: Instant | null;
  readonly accountsCompared: number | null;
  readonly accountsDiffering: number | null;
  readonly differenceCount: number | null;
}

export interface DifferenceRow {
  readonly reconciliationId: string;
  readonly ordinal: number;
  readonly accountId: string;
  readonly marketId: string | null;
  readonly assetId: string | null;
  readonly theirs: string | null;
  readonly ours: string | null;
  readonly difference: string;
}

/** One of the last facts behind a figure of ours. */
export interface FactRow {
  /** Of the difference, as `factsKey` makes it. */
  readonly key: string;
  readonly cause: 'OPENING' | 'TRADE' | 'TRANSFER' | 'FUNDING' | 'LIQUIDATION' | 'DELEVERAGE' | 'COVER';
  readonly causeId: string;
  readonly externalId: string | null;
  readonly change: string;
  readonly at: Instant;
}

function columns(reader: Reader): ReturnType<Reader> {
  return reader`r.id, r.external_id as "externalId", r.as_of as "asOf", r.status, r.chunk_count as "chunkCount",
    r.row_count as "rowCount", r.begun_by as "begunBy", r.begun_at as "begunAt", r.finished_by as "finishedBy",
    r.finished_at as "finishedAt", r.accounts_compared as "accountsCompared", r.accounts_differing as "accountsDiffering",
    r.difference_count as "differenceCount"`;
}

/** Newest first. */
export async function readAllReconciliations(reader: Reader, page: PageRequest): Promise<ReconciliationRow[]> {
  return reader<ReconciliationRow[]>`
    select ${columns(reader)} from reconciliation_status r
    where r.id < ${startOf(page, 'DOWN')}::bigint order by r.id desc limit ${page.limit}`;
}

/** In the order of `ids`; null where there is none. */
export async function readReconciliations(
  reader: Reader,
  ids: readonly string[],
): Promise<(ReconciliationRow | null)[]> {
  const rows = await reader<ReconciliationRow[]>`
    select ${columns(reader)} from reconciliation_status r where r.id = any(${[...ids]}::bigint[])`;
  return byId(ids, rows, (row) => row.id);
}

export async function readReconciliation(reader: Reader, externalId: string): Promise<ReconciliationRow | null> {
  const [row] = await reader<ReconciliationRow[]>`
    select ${columns(reader)} from reconciliation_status r where r.external_id = ${externalId}`;
  return row ?? null;
}

/** By account, of each reconciliation its own page; here `after` is the ordinal of the last difference seen. */
export async function readDifferences(
  reader: Reader,
  reconciliationIds: readonly string[],
  page: PageRequest,
): Promise<DifferenceRow[][]> {
  const rows = await reader<DifferenceRow[]>`
    select d.reconciliation_id as "reconciliationId", d.ordinal, d.account_id as "accountId", d.market_id as "marketId",
      d.asset_id as "assetId", d.theirs, d.ours, d.difference
    from unnest(${[...reconciliationIds]}::bigint[]) as r (id) cross join lateral (
      select * from reconciliation_difference
      where reconciliation_id = r.id and ordinal > ${startOf(page, 'UP')}::bigint
      order by ordinal limit ${page.limit}) d
    order by d.reconciliation_id, d.ordinal`;
  return byParent(reconciliationIds, rows, (row) => row.reconciliationId);
}

export function factsKey({ reconciliationId, ordinal }: DifferenceRow): string {
  return `${reconciliationId} ${String(ordinal)}`;
}

/** Newest first, of each difference, by `factsKey`. */
export async function readFacts(reader: Reader, keys: readonly string[]): Promise<FactRow[][]> {
  const rows = await reader<FactRow[]>`
    select n.key, f.cause, f.cause_id as "causeId", f.external_id as "externalId", f.change, f.at
    from unnest(${[...keys]}::text[]) as n (key)
    join reconciliation_fact f on f.reconciliation_id = split_part(n.key, ' ', 1)::bigint
      and f.ordinal = split_part(n.key, ' ', 2)::integer
    order by n.key, f.place`;
  return byParent(keys, rows, (row) => row.key);
}
