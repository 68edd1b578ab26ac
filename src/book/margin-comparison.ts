import type { Tx } from '../db/connect.js';
import {
  readAccountIds,
  readMargins,
  readOpenInterest,
  readPositionMargins,
  setViewInstant,
  type MarginRow,
  type PositionMarginRow,
} from '../db/read-margins.js';
import { dec, type Decimal } from '../risk/decimal.js';
import type { AccountMargin } from './account-margin.js';
import type { Book } from './book.js';

/** A figure that the book and the views of the same snapshot tell differently; null: one of them has none. */
export interface Difference {
  /** An account, or a market. */
  readonly id: string;
  readonly figure: string;
  readonly book: string | null;
  readonly database: string | null;
}

export interface Comparison {
  readonly accounts: number;
  /** Behind which the next one goes on; null: all accounts have been compared. */
  readonly next: string | null;
  readonly differences: readonly Difference[];
}

type Figures = ReadonlyMap<string, string | null>;

const NOTHING: Figures = new Map();

/** Compares the next accounts behind `after`, and with the last ones the open interest of all markets. */
export async function compareMargins(tx: Tx, book: Book, after: string, limit: number): Promise<Comparison> {
  await setViewInstant(tx, book.at);
  const ids = await readAccountIds(tx, after, limit);
  const last = ids.length < limit ? undefined : ids.at(-1);
  const stored = figuresOfViews(await readMargins(tx, ids), await readPositionMargins(tx, ids));
  // Those too that only one of the two has.
  const wanted = new Set([...ids, ...idsUpTo(book, after, last, limit)]);
  const differences = [...wanted].flatMap((id) =>
    differencesOf(id, figuresOfBook(book.margin(id)), stored.get(id) ?? NOTHING),
  );
  if (last === undefined) differences.push(...(await compareOpenInterest(tx, book)));
  return { accounts: wanted.size, next: last ?? null, differences };
}

/** The accounts of the book in that range; more than so many are not looked at in one go. */
function idsUpTo(book: Book, after: string, last: string | undefined, limit: number): string[] {
  const ids: string[] = [];
  for (const id of book.accountIds(after)) {
    if ((last !== undefined && id > last) || ids.length > limit) break;
    ids.push(id);
  }
  return ids;
}

async function compareOpenInterest(tx: Tx, book: Book): Promise<Difference[]> {
  const rows = new Map((await readOpenInterest(tx)).map((row) => [row.marketId, row]));
  const told = (size: string, long: number, short: number): Figures =>
    new Map([
      ['open interest', size],
      ['long positions', String(long)],
      ['short positions', String(short)],
    ]);
  return [...new Set([...rows.keys(), ...book.markets.keys()])].flatMap((id) => {
    const row = rows.get(id);
    const known = book.markets.has(id) ? book.openInterest(id) : undefined;
    return differencesOf(
      id,
      known === undefined ? NOTHING : told(known.size.toFixed(), known.longPositions, known.shortPositions),
      row === undefined ? NOTHING : told(canonical(row.size) ?? '', row.longPositions, row.shortPositions),
    );
  });
}

function differencesOf(id: string, book: Figures, database: Figures): Difference[] {
  const told = [...new Set([...book.keys(), ...database.keys()])].map((figure) => ({
    ...{ id, figure, book: book.get(figure) ?? null, database: database.get(figure) ?? null },
  }));
  return told.filter((each) => each.book !== each.database);
}

function figuresOfBook(margin: AccountMargin | undefined): Figures {
  if (margin === undefined) return NOTHING;
  const { account, valuation, status, held } = margin;
  const profits = new Map(valuation?.positions.map(({ marketId, unrealizedPnl }) => [marketId, unrealizedPnl]));
  return new Map([
    ['exempt', String(account.exempt)],
    ['balance', account.balance.toFixed()],
    ['equity', textOf(valuation?.equity)],
    ['maintenance', textOf(valuation?.maintenance)],
    ['initial', textOf(valuation?.initial)],
    // The views do not remember what a held account was last.
    ['status', held ? null : status],
    ['held', String(held)],
    ...[...account.positions].flatMap(([marketId, { size, cost }]) =>
      ofPosition(marketId, size.toFixed(), cost.toFixed(), textOf(valuation === null ? null : profits.get(marketId))),
    ),
  ]);
}

function figuresOfViews(margins: readonly MarginRow[], positions: readonly PositionMarginRow[]): Map<string, Figures> {
  const known = new Map<string, string | null>(margins.map(({ accountId, equity }) => [accountId, equity]));
  const held = new Map<string, [string, string | null][]>();
  for (const { accountId, marketId, size, cost, unrealizedPnl } of positions) {
    // The book values an account whose prices are all known, or not at all.
    const profit = known.get(accountId) == null ? null : canonical(unrealizedPnl);
    const figures = ofPosition(marketId, canonical(size), canonical(cost), profit);
    held.set(accountId, [...(held.get(accountId) ?? []), ...figures]);
  }
  const figuresOf = (row: MarginRow): Figures =>
    new Map([
      ['exempt', String(row.exempt)],
      ['balance', canonical(row.balance)],
      ['equity', canonical(row.equity)],
      ['maintenance', canonical(row.maintenance)],
      ['initial', canonical(row.initial)],
      ['status', row.status],
      ['held', String(row.held)],
      ...(held.get(row.accountId) ?? []),
    ]);
  return new Map(margins.map((row) => [row.accountId, figuresOf(row)]));
}

function ofPosition(
  marketId: string,
  size: string | null,
  cost: string | null,
  profit: string | null,
): [string, string | null][] {
  return [
    [`size in ${marketId}`, size],
    [`cost in ${marketId}`, cost],
    [`unrealized PnL in ${marketId}`, profit],
  ];
}

const textOf = (amount: Decimal | null | undefined): string | null => amount?.toFixed() ?? null;

/** One text for one amount. */
const canonical = (amount: string | null): string | null => (amount === null ? null : dec(amount).toFixed());
