import { sortOutRepeats, type Fact, type KeyedFact } from './repeats.js';

/** How the rows of one kind are found and kept in the store. */
export interface FactStore<R extends KeyedFact> {
  load(keys: readonly string[]): Promise<ReadonlyMap<string, Fact>>;
  /** Stores rows and answers with their ids by key; leaves out what another transaction stored a moment ago. */
  insert(rows: readonly R[]): Promise<ReadonlyMap<string, string>>;
}

export interface StoredRows<R> {
  /** In the order of the batch. */
  readonly fresh: readonly { readonly row: R; readonly id: string }[];
  readonly duplicates: number;
}

/**
 * Stores what is new of a batch. Two senders may bring one id at the same moment: whoever comes second waits on the
 * unique index until the first has committed, and is then judged by what the first stored.
 */
export async function storeFresh<R extends KeyedFact>(rows: readonly R[], store: FactStore<R>): Promise<StoredRows<R>> {
  const sorted = sortOutRepeats(rows, await store.load(rows.map((row) => row.key)));
  if (sorted.fresh.length === 0) return { fresh: [], duplicates: sorted.duplicates };
  const ids = await store.insert(sorted.fresh);
  const overtaken = sorted.fresh.filter((row) => !ids.has(row.key));
  if (overtaken.length > 0) {
    const repeats = sortOutRepeats(overtaken, await store.load(overtaken.map((row) => row.key)));
    if (repeats.fresh.length > 0) throw new Error('a row is neither stored nor ours to store');
  }
  const fresh = sorted.fresh.flatMap((row) => {
    const id = ids.get(row.key);
    return id === undefined ? [] : [{ row, id }];
  });
  return { fresh, duplicates: rows.length - fresh.length };
}
