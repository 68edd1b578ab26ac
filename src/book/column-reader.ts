import type { AccountRow } from '../db/account-rows.js';
import { ofGridSteps, type Decimal } from '../risk/decimal.js';
import type { Account, AccountKind, MarginMode } from '../risk/margin.js';
import type { Holding } from '../risk/position.js';

/** A state's view of the columns: which row of each account is the valid one. */
export interface Heads {
  /** By slot: the account's row. */
  readonly rows: Uint32Array;
  /** Slots of the state; later ones belong to later states. */
  readonly count: number;
}

/** Stands for an account that a state does not have, though its slot was given out for another. */
export const NO_ROW = 0;
export const KINDS: readonly AccountKind[] = ['TRADER', 'LIQUIDITY_PROVIDER', 'INSURANCE_FUND'];
export const MODES: readonly MarginMode[] = ['CROSS', 'ISOLATED'];
/** Index of TRADER. */
export const TRADER = 0;
/** Lanes of an account's hash. */
export const HASH_LANES = 4;
const WORD = 64n;

/** The arrays, in memory that threads share. An amount stands in them as a float, and exactly in two words. */
export interface ColumnArrays {
  /** By row of an account. */
  kinds: Uint8Array;
  modes: Uint8Array;
  /** 1: exempt by an exemption of its own. */
  exempts: Uint8Array;
  assets: Uint16Array;
  /** Place of its first position, and how many stand beside each other from there. */
  firsts: Uint32Array;
  counts: Uint16Array;
  balances: Float64Array;
  balanceHigh: BigInt64Array;
  balanceLow: BigUint64Array;
  /** HASH_LANES beside each other. */
  hashes: Uint32Array;
  /** By place of a position. */
  markets: Uint16Array;
  /** Signed sizes in size steps: exact up to 2^53. */
  steps: Float64Array;
  costs: Float64Array;
  sizeHigh: BigInt64Array;
  sizeLow: BigUint64Array;
  costHigh: BigInt64Array;
  costLow: BigUint64Array;
}

/** What the numbers in the arrays stand for. */
export interface ColumnNames {
  /** By slot. */
  readonly ids: readonly string[];
  readonly assets: readonly string[];
  readonly markets: readonly string[];
}

/** Whether the state has the account of the slot: another state under the same names may have given it out. */
export function hasAccount({ rows, count }: Heads, slot: number): boolean {
  return slot < count && at(rows, slot) !== NO_ROW;
}

/** Whether the account of the row is never in a queue, as `isExempt` in risk says. */
export function isExemptRow({ kinds, exempts }: Pick<ColumnArrays, 'kinds' | 'exempts'>, row: number): boolean {
  return at(kinds, row) !== TRADER || at(exempts, row) === 1;
}

/** Reads rows of the columns; those that a state names never change. */
export class ColumnReader {
  readonly arrays: ColumnArrays;
  readonly names: ColumnNames;

  constructor(arrays: ColumnArrays, names: ColumnNames) {
    this.arrays = arrays;
    this.names = names;
  }

  /** The account as the row has it, exact. */
  account(slot: number, row: number): Account {
    const { balance, positions, ...identity } = this.rowOf(slot, row);
    const holding = ({ marketId, size, cost }: (typeof positions)[number]): [string, Holding] => [
      marketId,
      { size: ofGridSteps(size), cost: ofGridSteps(cost) },
    ];
    return { ...identity, balance: ofGridSteps(balance), positions: new Map(positions.map(holding)) };
  }

  rowOf(slot: number, row: number): AccountRow {
    const { kinds, modes, exempts, assets, firsts, counts, markets } = this.arrays;
    const { balanceHigh, balanceLow, costHigh, costLow } = this.arrays;
    const first = at(firsts, row);
    return {
      id: this.names.ids[slot] ?? '',
      kind: KINDS[at(kinds, row)] ?? 'TRADER',
      mode: MODES[at(modes, row)] ?? 'CROSS',
      marginAssetId: this.names.assets[at(assets, row)] ?? '',
      exempt: at(exempts, row) === 1,
      balance: wide(balanceHigh, balanceLow, row),
      positions: Array.from({ length: at(counts, row) }, (_, k) => ({
        marketId: this.names.markets[at(markets, first + k)] ?? '',
        size: this.sizeInGridSteps(first + k),
        cost: wide(costHigh, costLow, first + k),
      })),
    };
  }

  /** Place of the row's position in a market; undefined: it has none. */
  positionOf(row: number, marketNumber: number): number | undefined {
    const { firsts, counts, markets } = this.arrays;
    const first = at(firsts, row);
    for (let p = first; p < first + at(counts, row); p++) if (at(markets, p) === marketNumber) return p;
    return undefined;
  }

  size(position: number): Decimal {
    return ofGridSteps(this.sizeInGridSteps(position));
  }

  /** Whether the position is worth exactly its cost. `lotWorth`: of a size step, in steps of the money grid. */
  breaksEven(position: number, lotWorth: bigint): boolean {
    const steps = at(this.arrays.steps, position);
    if (!Number.isSafeInteger(steps)) return false;
    return BigInt(steps) * lotWorth === wide(this.arrays.costHigh, this.arrays.costLow, position);
  }

  sizeInGridSteps(position: number): bigint {
    return wide(this.arrays.sizeHigh, this.arrays.sizeLow, position);
  }
}

function wide(high: BigInt64Array, low: BigUint64Array, index: number): bigint {
  return ((high[index] ?? 0n) << WORD) | (low[index] ?? 0n);
}

/** Splits what `wide` joins. */
export function words(amount: bigint): [high: bigint, low: bigint] {
  return [amount >> WORD, BigInt.asUintN(64, amount)];
}

/** An element that is there. */
export function at(column: Uint8Array | Uint16Array | Uint32Array | Float64Array, index: number): number {
  return column[index] ?? 0;
}
