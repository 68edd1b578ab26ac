import { BackstopError } from '../errors.js';
import type { Instant } from '../risk/instant.js';

/** What an external id stands for. `content` is canonical text of everything but the time. */
export interface Fact {
  readonly content: string;
  /** Null: the sender named no time, so that any stored one agrees. */
  readonly at: Instant | null;
}

export interface KeyedFact extends Fact {
  readonly key: string;
  readonly rowIndex: number;
}

export interface SortedOut<R> {
  readonly fresh: readonly R[];
  readonly duplicates: number;
}

/**
 * Tells new rows from repeats of what is stored or stands earlier in the batch. A sender that heard no answer sends
 * again, so a repeat is fine; the same id with other content is a fault that must not pass unseen.
 */
export function sortOutRepeats<R extends KeyedFact>(
  rows: readonly R[],
  stored: ReadonlyMap<string, Fact>,
): SortedOut<R> {
  const known = new Map<string, Fact>(stored);
  const fresh: R[] = [];
  for (const row of rows) {
    const before = known.get(row.key);
    if (before === undefined) {
      known.set(row.key, row);
      fresh.push(row);
    } else if (!agree(before, row)) {
      throw new BackstopError('ID_REUSED', `id: ${row.key} is stored already, with other content`, {
        rowIndex: row.rowIndex,
        field: 'id',
      });
    }
  }
  return { fresh, duplicates: rows.length - fresh.length };
}

function agree(a: Fact, b: Fact): boolean {
  return a.content === b.content && (a.at === null || b.at === null || a.at === b.at);
}
