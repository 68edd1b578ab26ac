import type { AccountRow } from '../../db/read-accounts.js';
import type { FollowedBook } from '../../book/follower.js';
import type { Context } from '../context.js';
import { makeLoaders } from '../loaders.js';

export function newestBook({ parts }: Context): FollowedBook {
  return parts.book.current();
}

/**
 * Before each value of a stream: the newest book, and nothing read for an earlier one. What never changes of the accounts is
 * kept, so that a value from the book needs no statement.
 */
export function renewal(context: Context, accounts: readonly Partial<AccountRow>[] = []): () => void {
  return () => {
    context.book = newestBook(context);
    context.loaders = makeLoaders(context.sql, context.prisma);
    for (const row of accounts) context.loaders.account.prime((row as AccountRow).id, row as AccountRow);
  };
}
