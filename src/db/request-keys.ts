import type { Sql, Tx } from './connect.js';
import { inTransaction } from './transaction.js';

/** A name that a sender gives a request, and what the request was: sent again, it is known by both. */
export interface RequestKey {
  readonly key: string;
  /** Of the mutation and its input. */
  readonly contentDigest: string;
}

/** What the audit log says of a request that was done. */
export interface DoneRequest {
  readonly contentDigest: string;
  readonly action: string;
  readonly targetType: string | null;
  readonly targetId: string | null;
  /** JSON text. */
  readonly after: string;
}

/** As a space of advisory locks; the other locks of this kind are single numbers, which never meet these. */
const KEY_LOCKS = 1_262_836_051;

/** First in the order of locks.ts. Held until the transaction ends, so that two requests with one key are done one after the other. */
export async function lockRequestKey(tx: Tx, caller: string, key: string): Promise<void> {
  await tx`select pg_advisory_xact_lock(${KEY_LOCKS}, hashtext(${JSON.stringify([caller, key])}))`;
}

/**
 * The same for a lap, which must have its snapshot after the one that it waited for: a utility statement takes none. Keyed
 * laps wait for each other whatever their keys; laps are one at a time anyway.
 */
export async function lockKeyedLaps(tx: Tx): Promise<void> {
  await tx`lock table idempotency_key in share update exclusive mode`;
}

/** What was done for this key. Null: nothing yet. */
export async function findDoneRequest(tx: Tx, caller: string, key: string): Promise<DoneRequest | null> {
  const [row] = await tx<DoneRequest[]>`
    select k.content_digest as "contentDigest", e.action, e.target_type as "targetType", e.target_id as "targetId",
      e.after::text as after
    from idempotency_key k join audit_entry e on e.id = k.audit_entry_id
    where k.caller = ${caller} and k.key = ${key}`;
  return row ?? null;
}

/** A key that somebody else has used since our snapshot fails to serialize, and the transaction is tried anew. */
export async function insertRequestKey(
  tx: Tx,
  caller: string,
  { key, contentDigest }: RequestKey,
  entryId: string,
): Promise<void> {
  const rows = await tx`
    insert into idempotency_key (caller, key, content_digest, audit_entry_id)
    values (${caller}, ${key}, ${contentDigest}, ${entryId}::bigint)
    on conflict (caller, key) do nothing returning key`;
  if (rows.length === 0) throw new Error('a request was done whose key had not been locked');
}

/** Removes keys whose term is over, so many at most; how many. The term is the guard's. */
export async function removeOldKeys(sql: Sql, atMost: number): Promise<number> {
  const rows = await inTransaction(
    sql,
    { isolation: 'read committed' },
    (tx) => tx`
      delete from idempotency_key where (caller, key) in (
        select caller, key from idempotency_key where recorded_at <= clock_timestamp() - interval '7 days'
        order by recorded_at limit ${atMost} for update skip locked)
      returning key`,
  );
  return rows.length;
}
