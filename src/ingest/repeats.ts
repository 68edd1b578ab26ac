import { BackstopError } from '../errors.js';
import { addMilliseconds, type Instant } from '../risk/instant.js';

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

/** So far two clocks may be apart. */
const MOST_AHEAD_MS = 60_000;

/** What is dated after now is no fact: it would count as something that is still to come wherever the state of an instant is asked for. */
export function refuseAhead(rows: readonly KeyedFact[], now: Instant): void {
  const latest = addMilliseconds(now, MOST_AHEAD_MS);
  const ahead = rows.find(({ at }) => at !== null && at > latest);
  if (ahead === undefined) return;
  const message = `at: ${String(ahead.at)} is still to come: it is ${now}`;
  throw new BackstopError('BAD_INPUT', message, { rowIndex: ahead.rowIndex, field: 'at' });
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
