import postgres from 'postgres';
import type { Sql, Tx } from './connect.js';

/** What a statement fails with that comes too late. */
export class DeadlinePassed extends Error {
  constructor() {
    super('the deadline of the request has passed');
    this.name = 'DeadlinePassed';
  }
}

/** query_canceled: what a statement fails with that ran for longer than `statement_timeout`. */
const CANCELED = '57014';

/**
 * The same client for one request: it begins nothing once the signal is given, so that a transaction which is not done by
 * then is rolled back. What runs at that moment is ended by the server, which knows `statement_timeout` and needs nobody
 * to tell it. A cancel from here could come late and hit the next statement of that connection, which is another's.
 */
export function withDeadline<T extends Sql | Tx>(sql: T, signal: AbortSignal): T {
  const check = (): void => {
    if (signal.aborted) throw new DeadlinePassed();
  };
  return new Proxy(sql, {
    apply(target, self, words: unknown[]) {
      check();
      return Reflect.apply(target as unknown as (...words: unknown[]) => unknown, self, words);
    },
    get(target, key, receiver) {
      if (key !== 'begin') return Reflect.get(target, key, receiver) as unknown;
      check();
      return (mode: string, work: (tx: Tx) => Promise<unknown>) =>
        (target as Sql).begin(mode, async (tx) => {
          const answer = await work(withDeadline(tx, signal));
          check();
          return answer;
        });
    },
  });
}

/** Whether it is the time that ended it, whichever of the two clients says so. */
export function isTimeout(error: unknown): boolean {
  if (error instanceof DeadlinePassed) return true;
  if (error instanceof postgres.PostgresError) return error.code === CANCELED;
  return originalCodeOf(error) === CANCELED;
}

/** Prisma keeps the server's SQLSTATE some causes deep. */
function originalCodeOf(error: unknown): unknown {
  for (let at = error, depth = 0; typeof at === 'object' && at !== null && depth < 6; depth++) {
    if ('originalCode' in at) return at.originalCode;
    if ('cause' in at && at.cause != null) at = at.cause;
    else if ('meta' in at && typeof at.meta === 'object' && at.meta !== null)
      at = (at.meta as { driverAdapterError?: unknown }).driverAdapterError;
    else return undefined;
  }
  return undefined;
}
