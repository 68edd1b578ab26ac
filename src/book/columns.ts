import type { AccountRow } from '../db/account-rows.js';
import type { Contract } from '../risk/contract.js';
import { gridSteps, ofGridSteps, type Decimal } from '../risk/decimal.js';
import type { Account, AccountKind, MarginMode } from '../risk/margin.js';
import type { Holding } from '../risk/position.js';
import { accountHash } from './ranking-id.js';

/** What `add` made: the account's slot, and its new row. */
export interface AddedRow {
  readonly slot: number;
  readonly row: number;
}

/** A state's view of the columns: which row of each account is the valid one. */
export interface Heads {
  /** By slot: the account's row. */
  readonly rows: Uint32Array;
  /** Slots of the state; later ones belong to later states. */
  readonly count: number;
}

/** Stands for an account that a state does not have, though its slot was given out for another. */
export const NO_ROW = 0;

const KINDS: readonly AccountKind[] = ['TRADER', 'LIQUIDITY_PROVIDER', 'INSURANCE_FUND'];
const MODES: readonly MarginMode[] = ['CROSS', 'ISOLATED'];
/** Index of TRADER. */
export const TRADER = 0;
/** A kind of no account. */
const NOBODY = KINDS.length;
/** Lanes of an account's hash. */
export const HASH_LANES = 4;
const FIRST_CAPACITY = 1024;
/** A garbage share from which on it pays to copy what lives. */
const MOST_GARBAGE = 0.5;
const WORD = 64n;
/** Steps of the money grid in one unit: a power of ten that a double holds exactly. */
const GRID_STEPS = 1e18;

/**
 * Accounts and positions in typed arrays. Rows are only added, never changed: an account that changed gets a new row,
 * with its positions beside each other behind it, and a state of the book says by slot which row counts. So a state
 * that somebody still reads stays whole while newer ones are made, and a state costs but its heads.
 *
 * Amounts stand twice: as floats to screen with, and as whole steps of the money grid in two words of 64 bits, exact.
 */
export class Columns {
  /** By slot. A slot is an account's for good. */
  readonly ids: string[] = [];
  readonly #slotOf = new Map<string, number>();
  #sorted = new Uint32Array(0);
  readonly #assets: string[] = [];
  /** By market number. */
  readonly marketIds: string[] = [];
  readonly #marketOf = new Map<string, number>();
  readonly #sizeSteps: bigint[] = [];

  /** The first row is nobody's. */
  rowCount = 1;
  kinds = new Uint8Array(FIRST_CAPACITY).fill(NOBODY, 0, 1);
  #modes = new Uint8Array(FIRST_CAPACITY);
  #assetOf = new Uint16Array(FIRST_CAPACITY);
  firsts = new Uint32Array(FIRST_CAPACITY);
  counts = new Uint16Array(FIRST_CAPACITY);
  balances = new Float64Array(FIRST_CAPACITY);
  #balanceHigh = new BigInt64Array(FIRST_CAPACITY);
  #balanceLow = new BigUint64Array(FIRST_CAPACITY);
  hashes = new Uint32Array(FIRST_CAPACITY * HASH_LANES);

  positionCount = 0;
  markets = new Uint16Array(FIRST_CAPACITY);
  /** Signed sizes in size steps: exact up to 2^53. */
  steps = new Float64Array(FIRST_CAPACITY);
  costs = new Float64Array(FIRST_CAPACITY);
  #sizeHigh = new BigInt64Array(FIRST_CAPACITY);
  #sizeLow = new BigUint64Array(FIRST_CAPACITY);
  #costHigh = new BigInt64Array(FIRST_CAPACITY);
  #costLow = new BigUint64Array(FIRST_CAPACITY);

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
      this.#marketOf.set(id, this.marketIds.push(id) - 1);
      this.#sizeSteps.push(gridSteps(sizeStep));
    }
  }

  /** Adds a row for the account as it is now; a state that is to have it takes it into its heads. */
  add(account: AccountRow): AddedRow {
    const slot = this.#slot(account.id);
    const row = this.#nextRow();
    const { balance, positions } = account;
    this.kinds[row] = KINDS.indexOf(account.kind);
    this.#modes[row] = MODES.indexOf(account.mode);
    this.#assetOf[row] = this.#assetNumber(account.marginAssetId);
    this.balances[row] = Number(balance) / GRID_STEPS;
    this.#balanceHigh[row] = balance >> WORD;
    this.#balanceLow[row] = BigInt.asUintN(64, balance);
    this.firsts[row] = this.positionCount;
    this.counts[row] = positions.length;
    this.hashes.set(accountHash(account), row * HASH_LANES);
    for (const position of positions) this.#addPosition(position);
    return { slot, row };
  }

  /** The account as the row has it, exact. */
  account(slot: number, row: number): Account {
    const { balance, positions, ...identity } = this.#rowOf(slot, row);
    const holding = ({ marketId, size, cost }: (typeof positions)[number]): [string, Holding] => [
      marketId,
      { size: ofGridSteps(size), cost: ofGridSteps(cost) },
    ];
    return { ...identity, balance: ofGridSteps(balance), positions: new Map(positions.map(holding)) };
  }

  #rowOf(slot: number, row: number): AccountRow {
    const first = at(this.firsts, row);
    return {
      id: this.ids[slot] ?? '',
      kind: KINDS[at(this.kinds, row)] ?? 'TRADER',
      mode: MODES[at(this.#modes, row)] ?? 'CROSS',
      marginAssetId: this.#assets[at(this.#assetOf, row)] ?? '',
      balance: wide(this.#balanceHigh, this.#balanceLow, row),
      positions: Array.from({ length: at(this.counts, row) }, (_, k) => ({
        marketId: this.marketIds[at(this.markets, first + k)] ?? '',
        size: this.sizeInGridSteps(first + k),
        cost: wide(this.#costHigh, this.#costLow, first + k),
      })),
    };
  }

  /** Place of the row's position in a market; undefined: it has none. */
  positionOf(row: number, marketNumber: number): number | undefined {
    const first = at(this.firsts, row);
    for (let p = first; p < first + at(this.counts, row); p++) if (at(this.markets, p) === marketNumber) return p;
    return undefined;
  }

  size(position: number): Decimal {
    return ofGridSteps(this.sizeInGridSteps(position));
  }

  sizeInGridSteps(position: number): bigint {
    return wide(this.#sizeHigh, this.#sizeLow, position);
  }

  /** Slots in the order of their accounts' ids. */
  slotsById(): Uint32Array {
    const sorted = this.#sorted.length;
    if (sorted === this.ids.length) return this.#sorted;
    const byId = (a: number, b: number): number => ((this.ids[a] ?? '') < (this.ids[b] ?? '') ? -1 : 1);
    const added = Uint32Array.from({ length: this.ids.length - sorted }, (_, k) => sorted + k).sort(byId);
    const merged = new Uint32Array(this.ids.length);
    let [old, fresh] = [0, 0];
    for (let i = 0; i < merged.length; i++) {
      const takesOld = fresh === added.length || (old < sorted && byId(at(this.#sorted, old), at(added, fresh)) < 0);
      merged[i] = takesOld ? at(this.#sorted, old++) : at(added, fresh++);
    }
    this.#sorted = merged;
    return merged;
  }

  isCrowded(heads: Heads): boolean {
    return this.rowCount > FIRST_CAPACITY && heads.count < this.rowCount * (1 - MOST_GARBAGE);
  }

  /** The rows of the heads alone, in columns of their own: states made from the old ones keep those. */
  compacted(heads: Heads): { columns: Columns; heads: Heads } {
    const columns = new Columns();
    columns.know(this.marketIds.map((id, number) => ({ id, sizeStep: ofGridSteps(this.#sizeSteps[number] ?? 1n) })));
    const rows = new Uint32Array(heads.count);
    for (let slot = 0; slot < heads.count; slot++) {
      const row = at(heads.rows, slot);
      if (row === NO_ROW) columns.#slot(this.ids[slot] ?? '');
      else rows[slot] = columns.add(this.#rowOf(slot, row)).row;
    }
    return { columns, heads: { rows, count: heads.count } };
  }

  #slot(accountId: string): number {
    const known = this.#slotOf.get(accountId);
    if (known !== undefined) return known;
    const slot = this.ids.push(accountId) - 1;
    this.#slotOf.set(accountId, slot);
    return slot;
  }

  #assetNumber(assetId: string): number {
    const known = this.#assets.indexOf(assetId);
    return known >= 0 ? known : this.#assets.push(assetId) - 1;
  }

  #nextRow(): number {
    const row = this.rowCount++;
    if (row < this.kinds.length) return row;
    this.kinds = grown(this.kinds);
    this.#modes = grown(this.#modes);
    this.#assetOf = grown(this.#assetOf);
    this.firsts = grown(this.firsts);
    this.counts = grown(this.counts);
    this.balances = grown(this.balances);
    this.#balanceHigh = grown(this.#balanceHigh);
    this.#balanceLow = grown(this.#balanceLow);
    this.hashes = grown(this.hashes);
    return row;
  }

  #addPosition({ marketId, size, cost }: AccountRow['positions'][number]): void {
    const p = this.positionCount++;
    if (p >= this.markets.length) this.#growPositions();
    const market = this.marketNumber(marketId);
    this.markets[p] = market;
    this.steps[p] = Number(size / (this.#sizeSteps[market] ?? 1n));
    this.costs[p] = Number(cost) / GRID_STEPS;
    this.#sizeHigh[p] = size >> WORD;
    this.#sizeLow[p] = BigInt.asUintN(64, size);
    this.#costHigh[p] = cost >> WORD;
    this.#costLow[p] = BigInt.asUintN(64, cost);
  }

  #growPositions(): void {
    this.markets = grown(this.markets);
    this.steps = grown(this.steps);
    this.costs = grown(this.costs);
    this.#sizeHigh = grown(this.#sizeHigh);
    this.#sizeLow = grown(this.#sizeLow);
    this.#costHigh = grown(this.#costHigh);
    this.#costLow = grown(this.#costLow);
  }
}

type Column = Uint8Array | Uint16Array | Uint32Array | Float64Array | BigInt64Array | BigUint64Array;

function grown<T extends Column>(column: T): T {
  const larger = new (column.constructor as new (length: number) => T)(column.length * 2);
  larger.set(column as never);
  return larger;
}

function wide(high: BigInt64Array, low: BigUint64Array, index: number): bigint {
  return ((high[index] ?? 0n) << WORD) | (low[index] ?? 0n);
}

/** An element that is there. */
export function at(column: Uint8Array | Uint16Array | Uint32Array | Float64Array, index: number): number {
  return column[index] ?? 0;
}
