import { BackstopError, type ErrorCode } from '../errors.js';
import { dec, isAmountText, ZERO, type Decimal } from '../risk/decimal.js';
import type { Instant } from '../risk/instant.js';

/** An absent value: left out, or null as a JSON client writes it. */
export type Optional<T> = T | null | undefined;

/** One row of input before its fields are known to be sound. Single inputs have no index. */
export interface Row {
  readonly values: Readonly<Record<string, unknown>>;
  readonly rowIndex: number | undefined;
}

export type Range = 'POSITIVE' | 'NOT_NEGATIVE' | 'NOT_ZERO' | 'ANY';

/** Rows of one transaction: what a client may wait for, and what its accounts are locked for. */
export const MAX_ROWS = 1000;

const ID = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$/;
/** What NUMERIC(38,18) holds without rounding. No exponent: a short text could stand for a number of any length. */
/** RFC 3339 with at most the six digits that the store keeps. */
const INSTANT = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?(Z|[+-]\d\d:\d\d)$/;
const LARGEST_INTEGER = 2 ** 31 - 1;
const LONGEST_TEXT = 500;
const SHOWN_CHARACTERS = 60;
/** The store takes no NUL; the others would let a reason break out of its line in a log. */
// eslint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u001f\u007f]/;

export function parseRows(input: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(input)) throw new BackstopError('BAD_INPUT', `${what} must be a list`);
  if (input.length > MAX_ROWS) {
    throw new BackstopError('BATCH_TOO_LARGE', `${what}: ${input.length} rows, at most ${MAX_ROWS} are taken at once`);
  }
  return input;
}

/** A row whose fields are all known by name: a misspelt optional field must not pass as an absent one. */
export function openRow(value: unknown, fields: readonly string[], rowIndex?: number): Row {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new BackstopError('BAD_INPUT', 'a row must be an object', rowIndex === undefined ? {} : { rowIndex });
  }
  const row: Row = { values: value as Record<string, unknown>, rowIndex };
  for (const field of Object.keys(value)) if (!fields.includes(field)) refuse(row, field, 'no such field');
  return row;
}

export function refuse(
  row: Pick<Row, 'rowIndex'>,
  field: string,
  message: string,
  code: ErrorCode = 'BAD_INPUT',
): never {
  const place = row.rowIndex === undefined ? { field } : { field, rowIndex: row.rowIndex };
  throw new BackstopError(code, `${field}: ${message}`, place);
}

export function isAbsent(row: Row, field: string): boolean {
  return row.values[field] === undefined || row.values[field] === null;
}

export function readId(row: Row, field: string): string {
  const value = row.values[field];
  if (typeof value !== 'string' || !ID.test(value)) {
    refuse(row, field, `${shown(value)} is no id: 1 to 64 of A-Z a-z 0-9 . _ : - beginning with a letter or digit`);
  }
  return value;
}

export function readAmount(row: Row, field: string, range: Range): Decimal {
  return parseAmount(row, field, row.values[field], range);
}

export function readAmountOr<T>(row: Row, field: string, range: Range, fallback: T): Decimal | T {
  return isAbsent(row, field) ? fallback : readAmount(row, field, range);
}

export function parseAmount(row: Pick<Row, 'rowIndex'>, field: string, value: unknown, range: Range): Decimal {
  if (typeof value !== 'string' || !isAmountText(value)) {
    refuse(
      row,
      field,
      `${shown(value)} is no amount: plain decimal text, at most 20 digits before and 18 after the point`,
    );
  }
  const amount = dec(value);
  if (amount.isZero()) {
    if (range === 'POSITIVE' || range === 'NOT_ZERO') refuse(row, field, 'must not be zero');
    return ZERO;
  }
  if (amount.isNegative() && range !== 'ANY' && range !== 'NOT_ZERO')
    refuse(row, field, `${value} must not be negative`);
  return amount;
}

/** Null: not given; then the database clock counts. */
export function readInstant(row: Row, field: string): Instant | null {
  return isAbsent(row, field) ? null : parseInstant(row, field, row.values[field]);
}

function parseInstant(row: Row, field: string, value: unknown): Instant {
  const parts = typeof value === 'string' ? INSTANT.exec(value) : null;
  const [, seconds = '', fraction = '', zone = ''] = parts ?? [];
  const local = Date.parse(`${seconds}Z`);
  // A day that its month does not have is moved into the next one by the parser: its text then differs.
  const exists = !Number.isNaN(local) && new Date(local).toISOString().startsWith(seconds);
  const at = exists ? Date.parse(`${seconds}${zone}`) : NaN;
  if (parts === null || Number.isNaN(at)) {
    refuse(row, field, `${shown(value)} is no time: RFC 3339 with a zone and at most six digits of a second`);
  }
  const utc = new Date(at).toISOString();
  if (utc.length !== '2025-10-10T21:03:00.000Z'.length)
    refuse(row, field, `${shown(value)} lies outside the years 0 to 9999`);
  return `${utc.slice(0, 'yyyy-mm-ddThh:mm:ss'.length)}.${fraction.padEnd(6, '0')}Z`;
}

export function readText(row: Row, field: string): string {
  const value = row.values[field];
  if (typeof value !== 'string' || value.trim() === '' || value.length > LONGEST_TEXT || CONTROL.test(value)) {
    refuse(row, field, `must be a text of 1 to ${LONGEST_TEXT} characters in one line`);
  }
  return value;
}

export function readInteger(row: Row, field: string, least: number, most = LARGEST_INTEGER): number {
  const value = row.values[field];
  if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > most) {
    refuse(row, field, `${shown(value)} is no whole number from ${least} to ${most}`);
  }
  return value;
}

export function readIntegerOr<T>(row: Row, field: string, least: number, fallback: T, most?: number): number | T {
  return isAbsent(row, field) ? fallback : readInteger(row, field, least, most);
}

export function readChoice<T extends string>(row: Row, field: string, choices: readonly T[], fallback?: T): T {
  if (fallback !== undefined && isAbsent(row, field)) return fallback;
  const value = row.values[field];
  const choice = choices.find((each) => each === value);
  if (choice === undefined) refuse(row, field, `${shown(value)} is none of ${choices.join(', ')}`);
  return choice;
}

export function readList(row: Row, field: string, most = Infinity): readonly unknown[] {
  const value = row.values[field];
  if (!Array.isArray(value)) refuse(row, field, 'must be a list');
  if (value.length > most) refuse(row, field, `${value.length} entries, at most ${most} are taken`);
  return value;
}

/** Input as it is quoted in a message: typed, and short whatever was sent. */
function shown(value: unknown): string {
  const text = value === undefined ? 'nothing' : typeof value === 'string' ? JSON.stringify(value) : kindOf(value);
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text;
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (typeof value === 'number' || typeof value === 'boolean') return `the JSON ${typeof value} ${String(value)}`;
  return Array.isArray(value) ? 'a list' : `a JSON ${typeof value}`;
}
