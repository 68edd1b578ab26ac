import type { Instant } from '../risk/instant.js';
import type { Reader, Tx } from './connect.js';

/** Heard by whoever keeps a picture of the state: something of this kind has been committed. A hint, never the truth. */
export const CHANGED_CHANNEL = 'backstop_changed';

export type ChangeKind = 'prices' | 'trades' | 'transfers' | 'depth' | 'funding' | 'venue' | 'book' | 'lap';

/** Delivered when `tx` commits, not before, and not at all when it does not. */
export async function announce(tx: Tx, kind: ChangeKind): Promise<void> {
  await tx`select pg_notify(${CHANGED_CHANNEL}, ${kind})`;
}

/** The database's clock now: the time of facts whose sender named none. */
export async function readClock(reader: Reader): Promise<Instant> {
  const [row] = await reader<{ at: Instant }[]>`select clock_timestamp() as at`;
  if (row === undefined) throw new Error('the database tells no time');
  return row.at;
}
