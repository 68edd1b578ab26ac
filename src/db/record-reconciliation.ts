import type { Decimal } from '../risk/decimal.js';
import type { Instant } from '../risk/instant.js';
import type { Tx } from './connect.js';
import { insertMany } from './insert-many.js';
import { storable } from './record-audit.js';

/** What a snapshot says of one position or balance; one of market and asset is null. */
export interface ToldRow {
  readonly accountId: string;
  readonly marketId: string | null;
  readonly assetId: string | null;
  /** Contracts, signed, or the balance. */
  readonly amount: Decimal;
}

export interface LockedReconciliation {
  readonly id: string;
  readonly asOf: Instant;
  readonly status: 'RECEIVING' | 'FINISHED' | 'EXPIRED';
  readonly chunkCount: number;
  readonly rowCount: number;
}

/** Nothing happens if there is one of this id, whatever is in it. False: the instant is not reached yet. */
export async function beginReconciliation(
  tx: Tx,
  externalId: string,
  asOf: Instant,
  begunBy: string,
): Promise<boolean> {
  const [clock] = await tx<{ isReached: boolean }[]>`select ${asOf}::timestamptz <= clock_timestamp() as "isReached"`;
  if (clock?.isReached !== true) return false;
  await tx`
    insert into reconciliation (external_id, as_of, begun_by) values (${externalId}, ${asOf}::timestamptz, ${storable(begunBy)})
    on conflict (external_id) do nothing`;
  return true;
}

/** Nobody else adds to it or finishes it until the transaction ends. */
export async function lockReconciliation(tx: Tx, externalId: string): Promise<LockedReconciliation | null> {
  await tx`select from reconciliation where external_id = ${externalId} for no key update`;
  const [row] = await tx<LockedReconciliation[]>`
    select id, as_of as "asOf", status, chunk_count as "chunkCount", row_count as "rowCount"
    from reconciliation_status where external_id = ${externalId}`;
  return row ?? null;
}

/** What stands under the number. Null: nothing yet. */
export async function loadChunkDigest(tx: Tx, id: string, number: number): Promise<string | null> {
  const [row] = await tx<{ digest: string }[]>`
    select digest from reconciliation_chunk where reconciliation_id = ${id}::bigint and number = ${number}`;
  return row?.digest ?? null;
}

/** The place of the first of the rows that another chunk of the snapshot has told already. */
export async function findToldBefore(tx: Tx, id: string, rows: readonly ToldRow[]): Promise<number | null> {
  const [row] = await tx<{ place: number }[]>`
    select (n.place - 1)::integer as place
    from unnest(${rows.map((r) => r.accountId)}::text[], ${rows.map((r) => r.marketId)}::text[],
      ${rows.map((r) => r.assetId)}::text[]) with ordinality as n (account_id, market_id, asset_id, place)
    join reconciliation_row r on r.reconciliation_id = ${id}::bigint and r.account_id = n.account_id
      and r.market_id is not distinct from n.market_id and r.asset_id is not distinct from n.asset_id
    order by n.place limit 1`;
  return row?.place ?? null;
}

export interface Chunk {
  readonly number: number;
  readonly digest: string;
  readonly rows: readonly ToldRow[];
}

export async function insertChunk(tx: Tx, id: string, { number, digest, rows }: Chunk): Promise<void> {
  await tx`
    insert into reconciliation_chunk (reconciliation_id, number, row_count, digest)
    values (${id}::bigint, ${number}, ${rows.length}, ${digest})`;
  await insertMany<ToldRow>(
    tx,
    'reconciliation_row',
    [
      ['reconciliation_id', 'bigint', () => id],
      ['chunk', 'integer', () => number],
      ['account_id', 'text', (row) => row.accountId],
      ['market_id', 'text', (row) => row.marketId],
      ['asset_id', 'text', (row) => row.assetId],
      ['amount', 'numeric', (row) => row.amount],
    ],
    rows,
  );
}

/** The least number from 1 to `count` under which nothing came. */
export async function findMissingChunk(tx: Tx, id: string, count: number): Promise<number | null> {
  const [row] = await tx<{ number: number }[]>`
    select n as number from generate_series(1, ${count}::integer) n
    where not exists (select from reconciliation_chunk c where c.reconciliation_id = ${id}::bigint and c.number = n)
    order by n limit 1`;
  return row?.number ?? null;
}

/**
 * Holds what was told against the state at that instant, on both sides whole, and stores what differs: one statement, so
 * one snapshot of the database. The state of then is that of now less what has happened since, by the time that each fact
 * says of itself; so what was late but happened before counts, and what came on since does not.
 */
export async function storeComparison(
  tx: Tx,
  { id, asOf, chunkCount, rowCount }: LockedReconciliation,
  finishedBy: string,
): Promise<void> {
  await tx`
    with told as (
      select account_id, market_id, asset_id, amount from reconciliation_row where reconciliation_id = ${id}::bigint
    ), positions as (
      select account_id, market_id, sum(size) as amount
      from (
        select account_id, market_id, size from position
        union all
        select account_id, market_id, -size_change from position_change where at > ${asOf}::timestamptz) p
      group by account_id, market_id
    ), balances as (
      select account_id, asset_id, sum(amount) as amount
      from (
        select account_id, asset_id, amount from balance
        union all
        select account_id, asset_id, -amount from ledger_entry where at > ${asOf}::timestamptz) b
      group by account_id, asset_id
    ), both_sides as (
      select account_id, market_id, null as asset_id, t.amount as theirs, p.amount as held
      from (select * from told where market_id is not null) t full join positions p using (account_id, market_id)
      union all
      select account_id, null, asset_id, t.amount, b.amount
      from (select * from told where asset_id is not null) t full join balances b using (account_id, asset_id)
    ), compared as (
      select c.*, case when a.id is not null and coalesce(m.id, s.id) is not null then coalesce(c.held, 0) end as ours
      from both_sides c
      left join account a on a.id = c.account_id left join market m on m.id = c.market_id left join asset s on s.id = c.asset_id
      -- what only Backstop has heard of, and has nothing in, is nothing to compare
      where c.theirs is not null or c.held <> 0
    ), different as (
      select c.*, row_number() over (order by account_id, market_id is null, market_id, asset_id) as ordinal
      from compared c where theirs is distinct from ours
    ), stored as (
      insert into reconciliation_difference
        (reconciliation_id, ordinal, account_id, market_id, asset_id, theirs, ours, last_change_id)
      select ${id}::bigint, d.ordinal, d.account_id, d.market_id, d.asset_id, d.theirs, d.ours, case
          when d.market_id is not null then (
            select c.id from position_change c
            where c.account_id = d.account_id and c.market_id = d.market_id and c.at <= ${asOf}::timestamptz
            order by c.id desc limit 1)
          else (
            select e.id from ledger_entry e
            where e.account_id = d.account_id and e.asset_id = d.asset_id and e.at <= ${asOf}::timestamptz
            order by e.sequence desc limit 1)
        end
      from different d order by d.ordinal
      returning account_id
    )
    insert into reconciliation_result (reconciliation_id, chunk_count, row_count, accounts_compared, accounts_differing,
      difference_count, finished_by)
    select ${id}::bigint, ${chunkCount}::integer, ${rowCount}::integer, (select count(distinct account_id) from compared),
      (select count(distinct account_id) from stored), (select count(*) from stored), ${storable(finishedBy)}`;
}
