import type { Contract } from '../risk/contract.js';
import { gridSteps } from '../risk/decimal.js';
import { at, type ColumnNames } from './column-reader.js';

/**
 * What the numbers in columns stand for. Numbers are only given out, never taken back, so that columns which share their
 * names agree on every slot, whichever of them met an account first.
 */
export class Names implements ColumnNames {
  readonly ids: string[] = [];
  readonly assets: string[] = [];
  readonly markets: string[] = [];
  /** By market number: its size step in steps of the money grid. */
  readonly sizeSteps: bigint[] = [];
  readonly #slotOf = new Map<string, number>();
  readonly #marketOf = new Map<string, number>();
  #sorted = new Uint32Array(0);

  slotOf(accountId: string): number | undefined {
    return this.#slotOf.get(accountId);
  }

  /** The account's slot, given out now if it has none yet. */
  slotFor(accountId: string): number {
    const known = this.#slotOf.get(accountId);
    if (known !== undefined) return known;
    const slot = this.ids.push(accountId) - 1;
    this.#slotOf.set(accountId, slot);
    return slot;
  }

  marketNumber(marketId: string): number {
    const number = this.#marketOf.get(marketId);
    if (number === undefined) throw new Error(`unknown market ${marketId}`);
    return number;
  }

  assetNumber(assetId: string): number {
    const known = this.assets.indexOf(assetId);
    return known >= 0 ? known : this.assets.push(assetId) - 1;
  }

  /** Markets are to be told before their positions are added. A size step is fixed when its market is created. */
  know(markets: Iterable<Pick<Contract, 'id' | 'sizeStep'>>): void {
    for (const { id, sizeStep } of markets) {
      if (this.#marketOf.has(id)) continue;
      this.#marketOf.set(id, this.markets.push(id) - 1);
      this.sizeSteps.push(gridSteps(sizeStep));
    }
  }

  /** Slots in the order of their accounts' ids. */
  slotsById(): Uint32Array {
    const sorted = this.#sorted.length;
    const { ids } = this;
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
}
