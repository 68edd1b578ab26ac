import type { Side } from '../risk/contract.js';
import { at, type ColumnReader, type Heads } from './column-reader.js';

/** All positions of one market and side, in the order of their accounts' slots. */
export interface Members {
  readonly slots: Uint32Array;
  /** Place of each position in the columns. */
  readonly positions: Uint32Array;
}

export function queueKey(marketId: string, side: Side): string {
  return `${marketId} ${side}`;
}

/** The list after some accounts changed: what they had is taken out, what they have now put in. `touched`: ascending slots. */
export function patchMembers(
  { columns, heads, marketId, side }: { columns: ColumnReader; heads: Heads; marketId: string; side: Side },
  old: Members,
  touched: readonly number[],
): Members {
  const market = columns.names.markets.indexOf(marketId);
  const now: [slot: number, position: number][] = [];
  for (const slot of touched) {
    const position = slot < heads.count ? columns.positionOf(at(heads.rows, slot), market) : undefined;
    if (position === undefined || at(columns.arrays.steps, position) < 0 !== (side === 'SHORT')) continue;
    now.push([slot, position]);
  }
  const changed = new Set(touched);
  const slots = new Uint32Array(old.slots.length + now.length);
  const positions = new Uint32Array(slots.length);
  let [count, next] = [0, 0];
  const put = (slot: number, position: number): void => {
    slots[count] = slot;
    positions[count++] = position;
  };
  for (let place = 0; place < old.slots.length; place++) {
    const slot = at(old.slots, place);
    for (; next < now.length && (now[next]?.[0] ?? 0) <= slot; next++) put(...(now[next] ?? [0, 0]));
    if (!changed.has(slot)) put(slot, at(old.positions, place));
  }
  for (; next < now.length; next++) put(...(now[next] ?? [0, 0]));
  return { slots: slots.slice(0, count), positions: positions.slice(0, count) };
}

/** All positions, by market and side. */
export function membersOfAll(columns: ColumnReader, heads: Heads): Map<string, Members> {
  // Two walks, so that each list is made at its size: market number · 2, + 1 for the short side.
  const sizes = new Uint32Array(columns.names.markets.length * 2);
  forEachPosition(columns, heads, (_slot, _p, list) => {
    sizes[list] = at(sizes, list) + 1;
  });
  const lists = Array.from(sizes, (size) => ({ slots: new Uint32Array(size), positions: new Uint32Array(size) }));
  const ends = new Uint32Array(sizes.length);
  forEachPosition(columns, heads, (slot, p, list) => {
    const end = at(ends, list);
    const members = lists[list];
    if (members === undefined) return;
    members.slots[end] = slot;
    members.positions[end] = p;
    ends[list] = end + 1;
  });
  const sides = (id: string, number: number): [string, Members][] =>
    (['LONG', 'SHORT'] as const).map((side, k) => [queueKey(id, side), lists[number * 2 + k] ?? nobody()]);
  return new Map(columns.names.markets.flatMap(sides));
}

function nobody(): Members {
  return { slots: new Uint32Array(0), positions: new Uint32Array(0) };
}

function forEachPosition(
  columns: ColumnReader,
  heads: Heads,
  visit: (slot: number, position: number, list: number) => void,
): void {
  const { firsts, counts, markets, steps } = columns.arrays;
  for (let slot = 0; slot < heads.count; slot++) {
    const row = at(heads.rows, slot);
    const first = at(firsts, row);
    const end = first + at(counts, row);
    for (let p = first; p < end; p++) visit(slot, p, at(markets, p) * 2 + (at(steps, p) < 0 ? 1 : 0));
  }
}
