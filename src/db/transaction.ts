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

const LAST_WORDS = new Set(['FATAL', 'PANIC']);
const LOSSES = new Set(['CONNECTION_CLOSED', 'ECONNRESET', 'EPIPE']);

/** Does something of its own before and after the work of a transaction, inside of it, and returns the work's answer. */
export type Around = <T>(tx: Tx, work: (tx: Tx) => Promise<T>) => Promise<T>;

const AROUND = new WeakMap<Sql, Around>();

/** The same client; every transaction that is made with it has `around` in it, whoever makes it. */
export function withAround(sql: Sql, around: Around): Sql {
  const wrapped = new Proxy(sql, {});
  AROUND.set(wrapped, around);
  return wrapped;
}

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
  const around = AROUND.get(sql);
  for (let attempt = 1; ; attempt++) {
    let loss: unknown;
    const unlessLost = async (tx: Tx): Promise<[T]> => {
      try {
        // In an array of one: the driver awaits each element of an array answer, which `work` may well return.
        return [await (around === undefined ? work(tx) : around(tx, work))];
      } catch (error) {
        if (!isLoss(error)) throw error;
        // Told of it, the driver would write a rollback to a connection that is gone, and that throws where nobody can
        // catch it. It ends the transaction by itself as soon as it has seen the end of the connection.
        loss = error;
        return new Promise(() => undefined);
      }
    };
    try {
      const [answer] = (await sql.begin(mode, unlessLost)) as [T];
      return answer;
    } catch (ended) {
      const error = loss ?? ended;
      const state = sqlStateOf(error);
      if (state === undefined || !GIVE_WAY.has(state) || attempt >= attempts) throw error;
      options.onRetry?.(state, attempt);
      await sleep(pauseBefore(attempt));
    }
  }
}

/** Does `work` inside the transaction and takes it back: its answer, or its refusal, without what it did. */
export async function rehearse<T>(tx: Tx, work: (tx: Tx) => Promise<T>): Promise<T> {
  const takenBack = new Error('taken back');
  let answer: readonly [T] | undefined;
  try {
    await tx.savepoint(async (rehearsal) => {
      answer = [await work(rehearsal)];
      throw takenBack;
    });
  } catch (error) {
    if (error !== takenBack) throw error;
  }
  if (answer === undefined) throw new Error('the work of a rehearsal gave no answer');
  return answer[0];
}

/** What a statement fails with when its connection is over: the server's last word, or that of the socket. */
function isLoss(error: unknown): boolean {
  if (error instanceof postgres.PostgresError) return LAST_WORDS.has(error.severity);
  return typeof error === 'object' && error !== null && 'code' in error && LOSSES.has(String(error.code));
}

/** Doubling, and drawn at random so that two which met do not meet again. */
function pauseBefore(attempt: number): number {
  return Math.random() * Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** attempt);
}
