import type { Reader, Sql, Tx } from './connect.js';
import { inTransaction } from './transaction.js';

/** Held for the transaction that removes: one at a time, of any number of processes. */
const RETENTION_LOCK = 4_207_315_894n;

export const THINNED = ['price_mark', 'depth_snapshot', 'reconciliation_row'] as const;
export type Thinned = (typeof THINNED)[number];

export interface RetentionStep {
  readonly removed: number;
  /** The last row that was looked at; null: none that is old enough is left behind it. */
  readonly lookedTo: string | null;
}

export interface RetentionOptions {
  /** What happened or was stored within so many days stays, needed or not. */
  readonly days: number;
  /** Looks behind this row; '0': from the beginning. */
  readonly after: string;
  /** Looks at so many rows at most. */
  readonly atMost: number;
}

type Fragment = ReturnType<Reader>;

interface LookedAt {
  readonly id: string;
  readonly isOld: boolean;
  readonly isNeeded: boolean;
}

/**
 * Removes, of the next rows of a table, the old ones that nothing needs, and records how many, all in one transaction.
 * What is needed the database says, and refuses to lose. Undefined: another process is at it.
 */
export async function removeUnneeded(
  sql: Sql,
  table: Thinned,
  { days, after, atMost }: RetentionOptions,
): Promise<RetentionStep | undefined> {
  return inTransaction(sql, { isolation: 'read committed' }, async (tx) => {
    const [turn] = await tx<{ isOurs: boolean; keptSince: string }[]>`
      select pg_try_advisory_xact_lock(${RETENTION_LOCK.toString()}::bigint) as "isOurs",
        now() - ${days}::integer * interval '24 hours' as "keptSince"`;
    if (turn?.isOurs !== true) return undefined;
    const { keptSince } = turn;
    const { time, isNeeded } = ruleOf(tx, table);
    const rows = await tx<LookedAt[]>`
      select t.id, o.old as "isOld", case when o.old then ${isNeeded} else true end as "isNeeded"
      from (select * from ${tx(table)} where id > ${after}::bigint order by id limit ${atMost}::integer) t
      cross join lateral (select ${time} < ${keptSince}::timestamptz as old) o
      order by t.id`;
    const ids = rows.filter((row) => !row.isNeeded).map(({ id }) => id);
    if (ids.length > 0) {
      await tx`
        insert into retention_run (table_name, kept_since, removed)
        values (${table}, ${keptSince}::timestamptz, ${ids.length}::integer)`;
      await tx`delete from ${tx(table)} where id = any(${ids}::bigint[])`;
    }
    const last = rows.at(-1);
    const isEnd = last === undefined || rows.length < atMost || !rows.some(({ isOld }) => isOld);
    return { removed: ids.length, lookedTo: isEnd ? null : last.id };
  });
}

/** By which time a row is old, and what says that it is needed all the same. */
function ruleOf(tx: Tx, table: Thinned): { readonly time: Fragment; readonly isNeeded: Fragment } {
  switch (table) {
    case 'price_mark':
      return {
        time: tx`greatest(t.at, t.received_at)`,
        isNeeded: tx`price_mark_is_needed(t.id, t.market_id, t.external_id, t.at)`,
      };
    case 'depth_snapshot':
      return {
        time: tx`greatest(t.at, t.received_at)`,
        isNeeded: tx`depth_snapshot_is_needed(t.id, t.market_id, t.at)`,
      };
    case 'reconciliation_row':
      // Compared within 24 hours or never, and the youngest that may go are as old.
      return { time: tx`t.received_at`, isNeeded: tx`false` };
  }
}
