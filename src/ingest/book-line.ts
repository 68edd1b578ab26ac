import { BackstopError } from '../errors.js';
import type { Decimal } from '../risk/decimal.js';
import type { AccountInput, AssetInput, FundInput, TraderInput } from './accounts.js';
import type { DepthInput } from './depth.js';
import type { BracketsInput, MarketInput, PolicyChangeInput } from './markets.js';
import { isAbsent, openRow, readAmount, readId, refuse, type Optional } from './parse.js';
import type { PriceInput } from './prices.js';
import type { VenueParametersInput } from './venue-parameters.js';

/**
 * One line of a book. A line stands after what it names: assets, traders, accounts and funds, markets, then balances,
 * positions, prices and depth. Amounts are text, as everywhere.
 */
export type BookLine =
  | ({ readonly type: 'asset' } & AssetInput)
  | ({ readonly type: 'trader' } & TraderInput)
  | ({ readonly type: 'account' } & AccountInput)
  | ({ readonly type: 'fund' } & FundInput)
  | ({ readonly type: 'market' } & MarketInput)
  | ({ readonly type: 'brackets' } & BracketsInput)
  | ({ readonly type: 'policy' } & PolicyChangeInput)
  | ({ readonly type: 'venueParameters' } & VenueParametersInput)
  | ({ readonly type: 'balance' } & BalanceInput)
  | ({ readonly type: 'position' } & PositionInput)
  | ({ readonly type: 'price' } & PriceInput)
  | ({ readonly type: 'depth' } & DepthInput);

export type BookLineType = BookLine['type'];

export const BOOK_LINE_TYPES: readonly BookLineType[] = [
  ...(['asset', 'trader', 'account', 'fund', 'market', 'brackets', 'policy', 'venueParameters'] as const),
  ...(['balance', 'position', 'price', 'depth'] as const),
];

/** The opening balance of an account, in its margin asset. */
export interface BalanceInput {
  readonly accountId: string;
  readonly amount: string;
}

/** An open position: its signed size, and either its signed cost or the price from which that follows. */
export interface PositionInput {
  readonly accountId: string;
  readonly marketId: string;
  readonly size: string;
  readonly cost?: Optional<string>;
  readonly entryPrice?: Optional<string>;
}

export interface ParsedBalance {
  readonly accountId: string;
  readonly amount: Decimal;
}

export interface ParsedPosition {
  readonly accountId: string;
  readonly marketId: string;
  readonly size: Decimal;
  readonly basis: { readonly cost: Decimal } | { readonly entryPrice: Decimal };
}

/** The type of a line and the rest of it, which the parser of that type takes. */
export function splitLine(value: unknown, rowIndex: number): { readonly type: BookLineType; readonly fields: object } {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new BackstopError('BAD_INPUT', 'a line must be a JSON object', { rowIndex });
  }
  const { type, ...fields } = value as Record<string, unknown>;
  const known = BOOK_LINE_TYPES.find((each) => each === type);
  if (known === undefined) refuse({ rowIndex }, 'type', `must be one of ${BOOK_LINE_TYPES.join(', ')}`);
  return { type: known, fields };
}

export function parseBalance(value: unknown, rowIndex: number): ParsedBalance {
  const row = openRow(value, ['accountId', 'amount'], rowIndex);
  return { accountId: readId(row, 'accountId'), amount: readAmount(row, 'amount', 'ANY') };
}

export function parsePosition(value: unknown, rowIndex: number): ParsedPosition {
  const row = openRow(value, ['accountId', 'marketId', 'size', 'cost', 'entryPrice'], rowIndex);
  if (isAbsent(row, 'cost') === isAbsent(row, 'entryPrice'))
    refuse(row, 'cost', 'give cost or entryPrice, one of them');
  const basis = isAbsent(row, 'cost')
    ? { entryPrice: readAmount(row, 'entryPrice', 'POSITIVE') }
    : { cost: readAmount(row, 'cost', 'ANY') };
  return {
    accountId: readId(row, 'accountId'),
    marketId: readId(row, 'marketId'),
    size: readAmount(row, 'size', 'NOT_ZERO'),
    basis,
  };
}
