import { Decimal } from '../risk/decimal.js';
import type { Tx } from './connect.js';

type Cell = Decimal | string | number | boolean | null;

/** A column of a table: its name, its PostgreSQL type, and what a row has in it. */
export type Column<T> = readonly [
  name: string,
  type: 'text' | 'bigint' | 'integer' | 'numeric' | 'boolean' | 'timestamptz',
  of: (row: T) => Cell,
];

/**
 * Inserts rows in one statement, in their order, whatever their number: one array a column. Names and types are the
 * code's own, values go as parameters.
 */
export async function insertMany<T>(
  tx: Tx,
  table: string,
  columns: readonly Column<T>[],
  rows: readonly T[],
): Promise<void> {
  if (rows.length === 0) return;
  await tx.unsafe(statement(table, columns), parameters(columns, rows), { prepare: true });
}

/** Likewise; returns the identities in the order of the rows. */
export async function insertReturningIds<T>(
  tx: Tx,
  table: string,
  columns: readonly Column<T>[],
  rows: readonly T[],
): Promise<string[]> {
  if (rows.length === 0) return [];
  const text = `${statement(table, columns)} returning id`;
  const stored = await tx.unsafe<{ id: string }[]>(text, parameters(columns, rows), { prepare: true });
  // An identity is drawn row by row in the order of the select, so ascending ids are the order of the rows.
  return stored.map((row) => row.id).sort((a, b) => (BigInt(a) < BigInt(b) ? -1 : 1));
}

function statement<T>(table: string, columns: readonly Column<T>[]): string {
  const names = columns.map(([name]) => name).join(', ');
  // The driver writes any text into a boolean array as false, so booleans travel as text.
  const arrays = columns.map(([, type], i) => `$${String(i + 1)}::${type === 'boolean' ? 'text' : type}[]`).join(', ');
  const cells = columns.map(([name, type]) => (type === 'boolean' ? `${name}::boolean` : name)).join(', ');
  return `insert into ${table} (${names}) select ${cells} from unnest(${arrays}) with ordinality as rows (${names}, place) order by place`;
}

function parameters<T>(columns: readonly Column<T>[], rows: readonly T[]): (string | null)[][] {
  return columns.map(([, , of]) =>
    rows.map((row) => {
      const cell = of(row);
      if (cell === null) return null;
      return Decimal.isDecimal(cell) ? cell.toFixed() : String(cell);
    }),
  );
}

/** The identity of row i of those that were inserted. */
export function idAt(ids: readonly string[], i: number): string {
  const id = ids[i];
  if (id === undefined) throw new Error('a row without its identity');
  return id;
}
