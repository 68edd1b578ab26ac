import type { PageRequest } from '../db/read-page.js';
import { BackstopError } from '../errors.js';

export const LARGEST_PAGE = 200;
export const USUAL_PAGE = 20;

export interface PageArgs {
  readonly first?: number | null;
  readonly after?: string | null;
}

/** What a page's arguments ask for. */
export interface Page {
  readonly first: number;
  /** What the cursor holds; null: from the start. */
  readonly after: readonly string[] | null;
  readonly cursor: string | null;
}

export interface Connection<T> {
  readonly edges: { readonly cursor: string; readonly node: T }[];
  readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
}

/** `list` names the order that a cursor belongs to, so that one of another list is refused and not misread. */
export function parsePage(list: string, args: PageArgs): Page {
  const first = args.first ?? USUAL_PAGE;
  if (first < 1 || first > LARGEST_PAGE) {
    throw new BackstopError('BAD_INPUT', `first must be 1 to ${LARGEST_PAGE}, not ${first}`, { field: 'first' });
  }
  const cursor = args.after ?? null;
  return { first, cursor, after: cursor === null ? null : decodeCursor(list, cursor) };
}

/** One row more than asked for tells whether there is a next page. */
export function keysetOf(page: Page): PageRequest {
  const id = page.after?.[0] ?? null;
  if (id !== null && !/^\d{1,19}$/.test(id)) throw badCursor();
  return { after: id, limit: page.first + 1 };
}

export function encodeCursor(list: string, ...keys: readonly string[]): string {
  return Buffer.from(JSON.stringify([list, ...keys])).toString('base64url');
}

function decodeCursor(list: string, cursor: string): string[] {
  let content: unknown;
  try {
    content = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
  } catch {
    throw badCursor();
  }
  if (!Array.isArray(content) || !content.every((part) => typeof part === 'string')) throw badCursor();
  const [of, ...keys] = content;
  if (of !== list || keys.length === 0) throw badCursor();
  return keys;
}

function badCursor(): BackstopError {
  return new BackstopError('BAD_INPUT', 'after must be a cursor of this list', { field: 'after' });
}

/** `rows` may hold one more than the page asked for. */
export function toConnection<T>(
  list: string,
  page: Page,
  rows: readonly T[],
  keysOf: (row: T) => readonly string[],
): Connection<T> {
  const edges = rows.slice(0, page.first).map((node) => ({ cursor: encodeCursor(list, ...keysOf(node)), node }));
  // An empty page gives the poller's own cursor back, from which it may go on.
  return { edges, pageInfo: { hasNextPage: rows.length > page.first, endCursor: edges.at(-1)?.cursor ?? page.cursor } };
}

/** As many as the page needs, and one more to see whether it is the last. */
export function takeFrom<T>(all: Iterable<T>, page: Page, isAsked: (one: T) => boolean = () => true): T[] {
  const taken: T[] = [];
  for (const one of all) {
    if (!isAsked(one)) continue;
    taken.push(one);
    if (taken.length > page.first) break;
  }
  return taken;
}
