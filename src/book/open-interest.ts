import { ofGridSteps, type Decimal } from '../risk/decimal.js';
import type { OpenInterest } from './book.js';
import { at, TRADER, type ColumnReader, type Heads } from './column-reader.js';
import type { Members } from './members.js';

/** What is held in a market, by all. */
export function openInterestOf(columns: ColumnReader, long: Members, short: Members): OpenInterest {
  let size = 0n;
  for (const position of long.positions) size += columns.sizeInGridSteps(position);
  return {
    size: ofGridSteps(size),
    longPositions: long.positions.length,
    shortPositions: short.positions.length,
  };
}

/** What traders hold in a market, of both sides. */
export function* sizesOfTraders(
  { columns, heads }: { readonly columns: ColumnReader; readonly heads: Heads },
  sides: readonly Members[],
): Iterable<Decimal> {
  for (const { slots, positions } of sides) {
    for (const [k, slot] of slots.entries())
      if (at(columns.arrays.kinds, at(heads.rows, slot)) === TRADER) yield columns.size(at(positions, k));
  }
}
