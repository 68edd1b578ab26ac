import type { Decimal } from '../risk/decimal.js';

/** A position, and how far the mark is from its liquidation price; null: it has none. */
export interface NearPosition {
  readonly accountId: string;
  readonly marketId: string;
  readonly distance: Decimal | null;
}

/** The positions of one market, nearest to liquidation first; a distance is made when it is looked at. */
export interface MarketOrder {
  readonly length: number;
  at(index: number): NearPosition;
}

/** Nearest first, without a distance last; equal ones by account and market. */
export function byDistance(a: NearPosition, b: NearPosition): number {
  if (a.distance !== null && b.distance !== null) {
    const order = a.distance.cmp(b.distance);
    if (order !== 0) return order;
  } else if (a.distance !== null || b.distance !== null) return a.distance === null ? 1 : -1;
  return compareTexts(a.accountId, b.accountId) || compareTexts(a.marketId, b.marketId);
}

/** By code units, which for ids is the order of their bytes. */
function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The positions of several markets behind one, in one order: as many are looked at as are taken, and a few more. */
export function* merged(orders: readonly MarketOrder[], after?: NearPosition): Iterable<NearPosition> {
  const heads = orders.map((order) => new Head(order, after === undefined ? 0 : firstBehind(order, after)));
  for (;;) {
    let nearest: Head | undefined;
    for (const head of heads) {
      if (head.now === undefined) continue;
      if (nearest?.now === undefined || byDistance(head.now, nearest.now) < 0) nearest = head;
    }
    if (nearest?.now === undefined) return;
    yield nearest.now;
    nearest.step();
  }
}

class Head {
  now: NearPosition | undefined;
  readonly #order: MarketOrder;
  #index: number;

  constructor(order: MarketOrder, index: number) {
    this.#order = order;
    this.#index = index;
    this.now = index < order.length ? order.at(index) : undefined;
  }

  step(): void {
    this.#index++;
    this.now = this.#index < this.#order.length ? this.#order.at(this.#index) : undefined;
  }
}

/** The order is total, so a place in an older book is a place in this one too. */
function firstBehind(order: MarketOrder, after: NearPosition): number {
  let [from, end] = [0, order.length];
  while (from < end) {
    const middle = (from + end) >> 1;
    if (byDistance(order.at(middle), after) > 0) end = middle;
    else from = middle + 1;
  }
  return from;
}
