import { setTimeout as sleep } from 'node:timers/promises';
import postgres from 'postgres';
import type { Sql, Tx } from './connect.js';

export type Isolation = 'read committed' | 'repeatable read' | 'serializable';

export interface TransactionOptions {
  readonly isolation: Isolation;
  readonly readOnly?: boolean;
  /** How often the whole transaction is tried at most. */
  readonly attempts?: number;
  /** Told before each new try, with the SQLSTATE that ended the last one. */
  readonly onRetry?: (sqlState: string, attempt: number) => void;
}

const DEFAULT_ATTEMPTS = 10;
const FIRST_PAUSE_MS = 5;
const LONGEST_PAUSE_MS = 1000;

/** serialization_failure and deadlock_detected: the server chose this transaction to give way, and it may be run again. */
const GIVE_WAY = new Set(['40001', '40P01']);

/** The SQLSTATE of a refusal by the server, or undefined for any other error. */
export function sqlStateOf(error: unknown): string | undefined {
  return error instanceof postgres.PostgresError ? error.code : undefined;
}

/**
 * Runs `work` in one transaction: all of it is stored, or nothing. The one place where transactions are retried,
 * whole, and only when the server asked one of two to give way. `work` must therefore have no effect outside `tx`.
 */
export async function inTransaction<T>(
  sql: Sql,
  options: TransactionOptions,
  work: (tx: Tx) => Promise<T>,
): Promise<T> {
  const attempts = options.attempts ?? DEFAULT_ATTEMPTS;
  const mode = `isolation level ${options.isolation}${options.readOnly === true ? ' read only' : ''}`;
  for (let attempt = 1; ; attempt++) {
    try {
      // In an array of one: the driver awaits each element of an array answer, which `work` may well return.
      const [answer] = (await sql.begin(mode, async (tx) => [await work(tx)])) as [T];
      return answer;
    } catch (error) {
      const state = sqlStateOf(error);
      if (state === undefined || !GIVE_WAY.has(state) || attempt >= attempts) throw error;
      options.onRetry?.(state, attempt);
      await sleep(pauseBefore(attempt));
    }
  }
}

/** Doubling, and drawn at random so that two which met do not meet again. */
function pauseBefore(attempt: number): number {
  return Math.random() * Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** attempt);
}
