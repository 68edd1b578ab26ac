/** Rows behind a cursor: those of larger id when they run upwards, of smaller id when downwards. */
export interface PageRequest {
  /** Id of the last row already seen; null: from the start. */
  readonly after: string | null;
  /** At most so many rows. */
  readonly limit: number;
}

/** The smallest and largest bigint: where a run of ids begins when nothing has been seen. */
const BEFORE_ALL = '-9223372036854775808';
const BEHIND_ALL = '9223372036854775807';

export function startOf(page: PageRequest, direction: 'UP' | 'DOWN'): string {
  return page.after ?? (direction === 'UP' ? BEFORE_ALL : BEHIND_ALL);
}

/** Sorts rows to the parents that they were read for, in the order of `parents`; a parent without rows gets none. */
export function byParent<T>(parents: readonly string[], rows: readonly T[], parentOf: (row: T) => string): T[][] {
  const groups = new Map<string, T[]>(parents.map((parent) => [parent, []]));
  for (const row of rows) groups.get(parentOf(row))?.push(row);
  return parents.map((parent) => groups.get(parent) ?? []);
}

/** Sorts single rows to the ids that they were read for; null where there is none. */
export function byId<T>(ids: readonly string[], rows: readonly T[], idOf: (row: T) => string): (T | null)[] {
  const found = new Map(rows.map((row) => [idOf(row), row]));
  return ids.map((id) => found.get(id) ?? null);
}
