import type { AccountRow } from '../../db/read-accounts.js';
import type { Context } from '../context.js';
import { makeLoaders } from '../loaders.js';

/**
 * Before a look of a stream: the newest book, and nothing read for an earlier one. What never changes of the accounts is
 * kept, so that a value from the book needs no statement.
 */
export function renewal(context: Context, accounts: readonly AccountRow[] = []): () => void {
  return () => {
    context.book = context.parts.book.current();
    context.loaders = makeLoaders(context.sql, context.prisma);
    for (const row of accounts) context.loaders.account.prime(row.id, row);
  };
}
