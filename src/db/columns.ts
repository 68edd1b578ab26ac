import type { Decimal } from '../risk/decimal.js';

/** A column of amounts for `unnest(${…}::numeric[])`: plain decimal text, null where unknown. */
export function amounts<T>(rows: readonly T[], of: (row: T) => Decimal | null): (string | null)[] {
  return rows.map((row) => of(row)?.toFixed() ?? null);
}

export function texts<T>(rows: readonly T[], of: (row: T) => string | number | boolean | null): (string | null)[] {
  return rows.map((row) => {
    const value = of(row);
    return value === null ? null : String(value);
  });
}
