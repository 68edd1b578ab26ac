import type { AccountRow } from '../db/account-rows.js';
import {
  at,
  ColumnReader,
  HASH_LANES,
  KINDS,
  MODES,
  NO_ROW,
  words,
  type ColumnArrays,
  type Heads,
} from './column-reader.js';
import { Names } from './names.js';
import { accountHash } from './ranking-id.js';

/** What `add` made: the account's slot, and its new row. */
export interface AddedRow {
  readonly slot: number;
  readonly row: number;
}

/** A kind of no account. */
const NOBODY = KINDS.length;
const FIRST_CAPACITY = 1024;
/** A garbage share from which on it pays to copy what lives. */
const MOST_GARBAGE = 0.5;
/** Steps of the money grid in one unit: a power of ten that a double holds exactly. */
const GRID_STEPS = 1e18;

/**
 * Accounts and positions in typed arrays. Rows are only added, never changed: an account that changed gets a new row,
 * with its positions beside each other behind it, and a state of the book says by slot which row counts. So a state
 * that somebody still reads stays whole while newer ones are made, and a state costs but its heads.
 */
export class Columns extends ColumnReader {
  override readonly names: Names;
  /** The first row is nobody's. */
  #rowCount = 1;
  #positionCount = 0;

  constructor(names = new Names()) {
    super(emptyArrays(), names);
    this.names = names;
  }

  /** Adds a row for the account as it is now; a state that is to have it takes it into its heads. */
  add(account: AccountRow): AddedRow {
    const slot = this.names.slotFor(account.id);
    const row = this.#rowCount++;
    const { arrays } = this;
    if (row >= arrays.kinds.length) grow(arrays, ROW_COLUMNS);
    const { balance, positions } = account;
    arrays.kinds[row] = KINDS.indexOf(account.kind);
    arrays.modes[row] = MODES.indexOf(account.mode);
    arrays.exempts[row] = account.exempt ? 1 : 0;
    arrays.assets[row] = this.names.assetNumber(account.marginAssetId);
    arrays.balances[row] = Number(balance) / GRID_STEPS;
    const [high, low] = words(balance);
    arrays.balanceHigh[row] = high;
    arrays.balanceLow[row] = low;
    arrays.firsts[row] = this.#positionCount;
    arrays.counts[row] = positions.length;
    arrays.hashes.set(accountHash(account), row * HASH_LANES);
    for (const position of positions) this.#addPosition(position);
    return { slot, row };
  }

  isCrowded(heads: Heads): boolean {
    return this.#rowCount > FIRST_CAPACITY && heads.count < this.#rowCount * (1 - MOST_GARBAGE);
  }

  /**
   * The rows of the heads alone, in columns of their own under the same names: states made from the old ones keep those.
   * Positions of each account and side stay in the order of the slots.
   */
  compacted(heads: Heads): { columns: Columns; heads: Heads } {
    const columns = new Columns(this.names);
    const rows = new Uint32Array(heads.count);
    const firsts: number[] = [];
    for (let slot = 0; slot < heads.count; slot++) {
      const row = at(heads.rows, slot);
      if (row === NO_ROW) continue;
      rows[slot] = columns.#rowCount++;
      firsts.push(columns.#positionCount);
      columns.#positionCount += at(this.arrays.counts, row);
    }
    while (columns.arrays.kinds.length < columns.#rowCount) grow(columns.arrays, ROW_COLUMNS);
    while (columns.arrays.markets.length < columns.#positionCount) grow(columns.arrays, POSITION_COLUMNS);
    const kept = heads.rows.subarray(0, heads.count).filter((row) => row !== NO_ROW);
    for (const name of ROW_COLUMNS) {
      const width = name === 'hashes' ? HASH_LANES : 1;
      copyRows(this.arrays[name], columns.arrays[name], width, kept, undefined);
    }
    for (const name of POSITION_COLUMNS) copyRows(this.arrays[name], columns.arrays[name], 1, kept, this.arrays);
    columns.arrays.firsts.set(firsts, 1);
    return { columns, heads: { rows, count: heads.count } };
  }

  #addPosition({ marketId, size, cost }: AccountRow['positions'][number]): void {
    const p = this.#positionCount++;
    const { arrays } = this;
    if (p >= arrays.markets.length) grow(arrays, POSITION_COLUMNS);
    const market = this.names.marketNumber(marketId);
    arrays.markets[p] = market;
    arrays.steps[p] = Number(size / (this.names.sizeSteps[market] ?? 1n));
    arrays.costs[p] = Number(cost) / GRID_STEPS;
    const [sizeHigh, sizeLow] = words(size);
    const [costHigh, costLow] = words(cost);
    arrays.sizeHigh[p] = sizeHigh;
    arrays.sizeLow[p] = sizeLow;
    arrays.costHigh[p] = costHigh;
    arrays.costLow[p] = costLow;
  }
}

const ROW_COLUMNS = [
  'kinds',
  'modes',
  'exempts',
  'assets',
  'firsts',
  'counts',
  'balances',
  'balanceHigh',
  'balanceLow',
  'hashes',
] as const;
const POSITION_COLUMNS = ['markets', 'steps', 'costs', 'sizeHigh', 'sizeLow', 'costHigh', 'costLow'] as const;

type Column = ColumnArrays[keyof ColumnArrays];
type Made<T> = new (memory: SharedArrayBuffer) => T;

function emptyArrays(): ColumnArrays {
  const make = <T extends Column>(of: Made<T> & { BYTES_PER_ELEMENT: number }, perRow = 1): T =>
    new of(new SharedArrayBuffer(FIRST_CAPACITY * perRow * of.BYTES_PER_ELEMENT));
  return {
    kinds: make(Uint8Array).fill(NOBODY, 0, 1),
    modes: make(Uint8Array),
    exempts: make(Uint8Array),
    assets: make(Uint16Array),
    firsts: make(Uint32Array),
    counts: make(Uint16Array),
    balances: make(Float64Array),
    balanceHigh: make(BigInt64Array),
    balanceLow: make(BigUint64Array),
    hashes: make(Uint32Array, HASH_LANES),
    markets: make(Uint16Array),
    steps: make(Float64Array),
    costs: make(Float64Array),
    sizeHigh: make(BigInt64Array),
    sizeLow: make(BigUint64Array),
    costHigh: make(BigInt64Array),
    costLow: make(BigUint64Array),
  };
}

/** Doubles columns. Whoever still holds the shorter ones finds all rows that it knows in them. */
function grow(arrays: ColumnArrays, names: readonly (keyof ColumnArrays)[]): void {
  for (const name of names) {
    const column = arrays[name];
    const larger = new (column.constructor as Made<Column>)(new SharedArrayBuffer(column.byteLength * 2));
    larger.set(column as never);
    Object.assign(arrays, { [name]: larger });
  }
}

/** The rows in words of one width, one behind the other from row 1 on; with `positions`: the positions of the rows, from 0. */
function copyRows(
  from: Column,
  to: Column,
  width: number,
  rows: Uint32Array,
  positions: Pick<ColumnArrays, 'firsts' | 'counts'> | undefined,
): void {
  const [source, target] = [wordsOf(from), wordsOf(to)];
  const perRow = width * (source.length / from.length);
  let next = positions === undefined ? perRow : 0;
  for (const row of rows) {
    const first = positions === undefined ? row : at(positions.firsts, row);
    const end = (first + (positions === undefined ? 1 : at(positions.counts, row))) * perRow;
    for (let word = first * perRow; word < end; word++) target[next++] = source[word] ?? 0;
  }
}

/** Numbers no wider than those that are copied without being made values of their own. */
function wordsOf(column: Column): Uint8Array | Uint16Array | Uint32Array {
  if (column instanceof Uint8Array || column instanceof Uint16Array || column instanceof Uint32Array) return column;
  return new Uint32Array(column.buffer, column.byteOffset, column.byteLength / Uint32Array.BYTES_PER_ELEMENT);
}
