import type { BookFollower } from './book/follower.js';
import { checkServer, closeSql, openSql, type Sql } from './db/connect.js';
import { openPrisma } from './db/prisma.js';
import { catchUp, isSameCluster } from './db/standby.js';
import { BackstopError, messageOf } from './errors.js';
import type { ApiParts, Clients } from './graphql/context.js';
import type { Log } from './telemetry.js';

export interface Standby extends Clients {
  /** For its book, which takes as long as it takes. */
  readonly bookSql: Sql;
  /** Passes a hint of the primary's on, once the standby is likely to show what the hint is about. */
  delay(hint: () => void): () => void;
  /** The book as a mutation needs it: a new one shows what the mutation wrote, unless the standby lags far behind. */
  readingOwnWrites(book: BookFollower): ApiParts['book'];
  stop(): Promise<void>;
}

/** The follower and the self-check, and a mutation that waits for what it wrote. */
export const BOOK_CONNECTIONS = 3;
const START_LIMIT_MS = 10_000;
const MUTATION_LIMIT_MS = 2000;
/** A healthy standby is milliseconds behind. What comes later still is seen at the follower's next interval. */
const HINT_DELAY_MS = 50;

/** The standby that DATABASE_READ_URL names, or a refusal in one sentence. */
export async function openStandby(
  url: string,
  primary: Sql,
  { log, statementTimeoutMs }: { readonly log: Log; readonly statementTimeoutMs: number },
): Promise<Standby> {
  const bookSql = openSql(url, { max: BOOK_CONNECTIONS, applicationName: 'backstop-book' });
  try {
    await check(primary, bookSql);
  } catch (error) {
    await closeSql(bookSql);
    throw error;
  }
  const sql = openSql(url, { applicationName: 'backstop-api', statementTimeoutMs });
  const prisma = openPrisma(url, { applicationName: 'backstop-api', statementTimeoutMs });
  let timer: NodeJS.Timeout | undefined;
  const seen = async (): Promise<void> => {
    const isShown = await catchUp(primary, bookSql, MUTATION_LIMIT_MS);
    if (!isShown) log.warn('the standby lags: a mutation is answered from an older book');
  };
  return {
    sql,
    prisma,
    bookSql,
    delay: (hint) => () => {
      timer ??= setTimeout(() => {
        timer = undefined;
        hint();
      }, HINT_DELAY_MS);
    },
    readingOwnWrites: (book) => ({
      current: () => book.current(),
      onBook: (listener) => book.onBook(listener),
      suppose: (change) => book.suppose(change),
      refresh: async () => {
        await seen();
        return book.refresh();
      },
    }),
    async stop() {
      clearTimeout(timer);
      await prisma.$disconnect();
      await closeSql(sql);
      await closeSql(bookSql);
    },
  };
}

async function check(primary: Sql, standby: Sql): Promise<void> {
  await checkServer(standby).catch((error: unknown) => {
    throw new BackstopError('SETUP', `DATABASE_READ_URL cannot be used: ${messageOf(error)}`, { cause: error });
  });
  if (!(await isSameCluster(primary, standby))) {
    throw new BackstopError(
      'SETUP',
      'DATABASE_READ_URL names a database that is no standby of the one at DATABASE_URL.',
    );
  }
  if (!(await catchUp(primary, standby, START_LIMIT_MS))) {
    throw new BackstopError(
      'SETUP',
      `The standby at DATABASE_READ_URL is more than ${START_LIMIT_MS / 1000} s behind DATABASE_URL; start again when it has caught up.`,
    );
  }
}
