import type { AccountRow } from '../db/account-rows.js';
import type { Contract } from '../risk/contract.js';
import { gridSteps, ofGridSteps } from '../risk/decimal.js';
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
  readonly #ids: string[];
  readonly #assets: string[];
  readonly #markets: string[];
  readonly #slotOf = new Map<string, number>();
  readonly #marketOf = new Map<string, number>();
  readonly #sizeSteps: bigint[] = [];
  #sorted = new Uint32Array(0);
  /** The first row is nobody's. */
  #rowCount = 1;
  #positionCount = 0;

  constructor() {
    const names = { ids: [] as string[], assets: [] as string[], markets: [] as string[] };
    super(emptyArrays(), names);
    this.#ids = names.ids;
    this.#assets = names.assets;
    this.#markets = names.markets;
  }

  slotOf(accountId: string): number | undefined {
    return this.#slotOf.get(accountId);
  }

  /** Markets are few and keep their numbers. */
  marketNumber(marketId: string): number {
    const number = this.#marketOf.get(marketId);
    if (number === undefined) throw new Error(`unknown market ${marketId}`);
    return number;
  }

  /** To be told before their positions are added. A size step is fixed when its market is created. */
  know(markets: Iterable<Pick<Contract, 'id' | 'sizeStep'>>): void {
    for (const { id, sizeStep } of markets) {
      if (this.#marketOf.has(id)) continue;
      this.#marketOf.set(id, this.#markets.push(id) - 1);
      this.#sizeSteps.push(gridSteps(sizeStep));
    }
  }

  /** Adds a row for the account as it is now; a state that is to have it takes it into its heads. */
  add(account: AccountRow): AddedRow {
    const slot = this.#slot(account.id);
    const row = this.#rowCount++;
    const { arrays } = this;
    if (row >= arrays.kinds.length) grow(arrays, ROW_COLUMNS);
    const { balance, positions } = account;
    arrays.kinds[row] = KINDS.indexOf(account.kind);
    arrays.modes[row] = MODES.indexOf(account.mode);
    arrays.assets[row] = this.#assetNumber(account.marginAssetId);
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

  /** Slots in the order of their accounts' ids. */
  slotsById(): Uint32Array {
    const sorted = this.#sorted.length;
    const ids = this.#ids;
    if (sorted === ids.length) return this.#sorted;
    const byId = (a: number, b: number): number => ((ids[a] ?? '') < (ids[b] ?? '') ? -1 : 1);
    const added = Uint32Array.from({ length: ids.length - sorted }, (_, k) => sorted + k).sort(byId);
    const merged = new Uint32Array(ids.length);
    let [old, fresh] = [0, 0];
    for (let i = 0; i < merged.length; i++) {
      const takesOld = fresh === added.length || (old < sorted && byId(at(this.#sorted, old), at(added, fresh)) < 0);
      merged[i] = takesOld ? at(this.#sorted, old++) : at(added, fresh++);
    }
    this.#sorted = merged;
    return merged;
  }

  isCrowded(heads: Heads): boolean {
    return this.#rowCount > FIRST_CAPACITY && heads.count < this.#rowCount * (1 - MOST_GARBAGE);
  }

  /** The rows of the heads alone, in columns of their own: states made from the old ones keep those. */
  compacted(heads: Heads): { columns: Columns; heads: Heads } {
    const columns = new Columns();
    columns.know(this.#markets.map((id, number) => ({ id, sizeStep: ofGridSteps(this.#sizeSteps[number] ?? 1n) })));
    const rows = new Uint32Array(heads.count);
    for (let slot = 0; slot < heads.count; slot++) {
      const row = at(heads.rows, slot);
      if (row === NO_ROW) columns.#slot(this.#ids[slot] ?? '');
      else rows[slot] = columns.add(this.rowOf(slot, row)).row;
    }
    return { columns, heads: { rows, count: heads.count } };
  }

  #slot(accountId: string): number {
    const known = this.#slotOf.get(accountId);
    if (known !== undefined) return known;
    const slot = this.#ids.push(accountId) - 1;
    this.#slotOf.set(accountId, slot);
    return slot;
  }

  #assetNumber(assetId: string): number {
    const known = this.#assets.indexOf(assetId);
    return known >= 0 ? known : this.#assets.push(assetId) - 1;
  }

  #addPosition({ marketId, size, cost }: AccountRow['positions'][number]): void {
    const p = this.#positionCount++;
    const { arrays } = this;
    if (p >= arrays.markets.length) grow(arrays, POSITION_COLUMNS);
    const market = this.marketNumber(marketId);
    arrays.markets[p] = market;
    arrays.steps[p] = Number(size / (this.#sizeSteps[market] ?? 1n));
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
