import type { Tx } from './connect.js';

/**
 * THE ORDER OF LOCKS, for everything that changes a balance, a position or a price:
 *
 *   0. the key of a request, first of all: its repeat waits for it, holding nothing; then the row of the job, by a lap and by
 *      what stands between two laps
 *   1. market rows, by id
 *   2. account rows, by id; their positions and balances have no locks of their own: the account's row stands for them
 *   3. rows of insurance funds (accounts too), by id, after all other accounts, since every market's flow meets in them
 *
 * All in one order, so that two transactions over interleaved accounts wait for each other but never in a circle.
 * Each function may be called once per transaction, with everything it will need, before what it protects is read:
 * under READ COMMITTED a later statement then sees what the holder before us wrote.
 */
export type MarketLock =
  /** The market stays as it is until we commit; others may hold the same. */
  | 'STEADY'
  /** We change the market or its prices: one at a time. */
  | 'CHANGE';

export async function lockMarkets(tx: Tx, marketIds: Iterable<string>, lock: MarketLock): Promise<void> {
  const ids = [...new Set(marketIds)];
  if (ids.length === 0) return;
  // Not FOR UPDATE: foreign keys of rows being written elsewhere need only the id, and must not wait for us.
  if (lock === 'CHANGE') {
    await tx`select from market where id = any(${ids}::text[]) order by id for no key update`;
  } else {
    await tx`select from market where id = any(${ids}::text[]) order by id for share`;
  }
}

/**
 * Locks accounts and marks them with this transaction. The row written is also the signal: a lap that began on an older snapshot
 * and wants the same account fails to serialize and is run again on what is true now.
 */
export async function lockAccounts(tx: Tx, accountIds: Iterable<string>): Promise<void> {
  const ids = [...new Set(accountIds)];
  if (ids.length === 0) return;
  await tx`
    with locked as (
      select id from account where id = any(${ids}::text[])
      order by kind = 'INSURANCE_FUND', id for no key update)
    update account a set changed_in = pg_current_xact_id() from locked where a.id = locked.id`;
}
