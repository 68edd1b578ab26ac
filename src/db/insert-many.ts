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

/** Likewise, each row under the number that was reserved for it. */
export async function insertNumbered<T>(
  tx: Tx,
  table: string,
  ids: readonly string[],
  columns: readonly Column<T>[],
  rows: readonly T[],
): Promise<void> {
  if (rows.length === 0) return;
  if (ids.length !== rows.length) throw new Error(`${String(ids.length)} numbers for ${String(rows.length)} rows`);
  const text = statement(table, [['id', 'bigint', () => null], ...columns]).replace(
    ') select',
    ') overriding system value select',
  );
  await tx.unsafe(text, [[...ids], ...parameters(columns, rows)], { prepare: true });
}

/** Draws so many numbers of each table's identity, ascending, before the rows are written: so nothing waits for them. */
export async function reserveIds<Table extends string>(
  tx: Tx,
  counts: Readonly<Record<Table, number>>,
): Promise<Record<Table, readonly string[]>> {
  const wanted = Object.entries<number>(counts).filter(([, count]) => count > 0);
  const drawn = new Map<string, string[]>(Object.keys(counts).map((table) => [table, []]));
  if (wanted.length > 0) {
    const rows = await tx<{ table: string; id: string }[]>`
      select t.name as table, nextval(t.numbers) as id
      from (select name, pg_get_serial_sequence(name, 'id')::regclass as numbers, count
            from unnest(${wanted.map(([table]) => table)}::text[], ${wanted.map(([, count]) => count)}::integer[]) as w (name, count)) t
        cross join lateral generate_series(1, t.count)`;
    for (const { table, id } of rows) drawn.get(table)?.push(id);
  }
  for (const ids of drawn.values()) ids.sort((a, b) => (BigInt(a) < BigInt(b) ? -1 : 1));
  return Object.fromEntries(drawn) as unknown as Record<Table, readonly string[]>;
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
      return cell instanceof Decimal ? cell.toFixed() : String(cell);
    }),
  );
}

/** The identity of row i of those that were inserted. */
export function idAt(ids: readonly string[], i: number): string {
  const id = ids[i];
  if (id === undefined) throw new Error('a row without its identity');
  return id;
}
