import { readAccountRows } from '../db/account-rows.js';
import type { Tx } from '../db/connect.js';
import { goesOn, readHistoryPlace, type HistoryPlace } from '../db/history-place.js';
import { loadCircumstances, loadLastStatuses, type LastStatus } from '../db/risk-state.js';
import type { Instant } from '../risk/instant.js';
import { ColumnBook } from './column-book.js';
import { Columns, type AddedRow } from './columns.js';
import type { Changes } from './state.js';
import type { Sweeper } from './sweeper.js';

/** A book, and the point in the database's history that it stands at. */
export interface TakenBook {
  readonly book: ColumnBook;
  readonly place: HistoryPlace;
  /** Number of the newest status transition that it knows; 0: none. */
  readonly lastTransition: string;
  /** Made from nothing: there was no book to go on from, or it was one of another history. */
  readonly isAnew: boolean;
}

export interface TakeOptions {
  /** Accounts read so far. */
  readonly onProgress?: ((accounts: number) => void) | undefined;
  /** Sweeps a large book, so that this thread goes on answering meanwhile. */
  readonly sweeper?: Sweeper | undefined;
  /** From so many accounts on. */
  readonly sweptElsewhereFrom?: number | undefined;
}

/** A sweep of fewer accounts is done before another thread has been told of it. */
const ACCOUNTS_SWEPT_HERE = 10_000;

/**
 * The book of the transaction's snapshot, which must be a repeatable-read one: from `previous` by what changed since,
 * or wholly anew. Reading a change twice does no harm.
 */
export async function takeBook(
  tx: Tx,
  at: Instant,
  previous?: TakenBook,
  options: TakeOptions = {},
): Promise<TakenBook> {
  const place = await readHistoryPlace(tx);
  const last = previous !== undefined && goesOn(previous.place, place) ? previous : undefined;
  const circumstances = await loadCircumstances(tx, at, last?.book);
  const base = last?.book ?? ColumnBook.empty(new Columns());
  const { columns } = base;
  columns.names.know(circumstances.markets.values());
  const added: AddedRow[] = [];
  for await (const row of readAccountRows(tx, last?.place.xmin ?? null)) {
    added.push(columns.add(row));
    options.onProgress?.(added.length);
  }
  const statuses = await loadLastStatuses(tx, last?.lastTransition ?? null);
  const changes = { circumstances, added, statuses };
  const book = await advanceBook(base, changes, options);
  return { book, place, lastTransition: newestOf(statuses, last?.lastTransition ?? '0'), isAnew: last === undefined };
}

/** The book after the changes; of a large one the sweep is done elsewhere. */
export async function advanceBook(
  base: ColumnBook,
  changes: Changes,
  { sweeper, sweptElsewhereFrom = ACCOUNTS_SWEPT_HERE }: TakeOptions,
): Promise<ColumnBook> {
  const isLarge = Math.max(base.slotCount, changes.added.length) >= sweptElsewhereFrom;
  return isLarge && sweeper !== undefined ? base.advanceBy(sweeper.sweep, changes) : base.advance(changes);
}

function newestOf(statuses: ReadonlyMap<string, LastStatus>, known: string): string {
  let newest = BigInt(known);
  for (const { transitionId } of statuses.values()) if (BigInt(transitionId) > newest) newest = BigInt(transitionId);
  return newest.toString();
}
