import type { Side } from '../risk/contract.js';
import { at, HASH_LANES, type ColumnReader, type Heads } from './column-reader.js';
import { addHash } from './ranking-id.js';

/** All positions of one market and side, in the order of their accounts' slots. */
export interface Members {
  readonly slots: Uint32Array;
  /** Place of each position in the columns. */
  readonly positions: Uint32Array;
  /** Sum of the hashes of the accounts, which tells one list from another. */
  readonly hash: Uint32Array;
}

export function queueKey(marketId: string, side: Side): string {
  return `${marketId} ${side}`;
}

/** Of all markets, by the number of the list: market number · 2, + 1 for the short side. */
export function queueKeys({ names }: Pick<ColumnReader, 'names'>): string[] {
  return names.markets.flatMap((id) => (['LONG', 'SHORT'] as const).map((side) => queueKey(id, side)));
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
  const listedSlots = slots.slice(0, count);
  const hash = hashOf(columns, heads, listedSlots);
  return { slots: listedSlots, positions: positions.slice(0, count), hash };
}

function hashOf(columns: ColumnReader, heads: Heads, slots: Uint32Array): Uint32Array {
  const sum = new Uint32Array(HASH_LANES);
  for (const slot of slots) addHash(sum, columns.arrays.hashes, at(heads.rows, slot) * HASH_LANES);
  return sum;
}

/** All positions, by market and side. */
export function membersOfAll(columns: ColumnReader, heads: Heads): Map<string, Members> {
  // Two walks, so that each list is made at its size.
  const sizes = new Uint32Array(columns.names.markets.length * 2);
  forEachPosition(columns, heads, (_slot, _p, list) => {
    sizes[list] = at(sizes, list) + 1;
  });
  const lists = Array.from(sizes, emptyMembers);
  const ends = new Uint32Array(sizes.length);
  forEachPosition(columns, heads, (slot, p, list) => {
    const end = at(ends, list);
    const members = lists[list];
    if (members === undefined) return;
    members.slots[end] = slot;
    members.positions[end] = p;
    ends[list] = end + 1;
    addHash(members.hash, columns.arrays.hashes, at(heads.rows, slot) * HASH_LANES);
  });
  return new Map(queueKeys(columns).map((key, list) => [key, lists[list] ?? emptyMembers(0)]));
}

function emptyMembers(size: number): Members {
  return { slots: new Uint32Array(size), positions: new Uint32Array(size), hash: new Uint32Array(HASH_LANES) };
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

/** One walk makes the lists of all markets; those that are there already say the same. */
export function completedMembers(
  { columns, heads }: { readonly columns: ColumnReader; readonly heads: Heads },
  known: ReadonlyMap<string, Members>,
): ReadonlyMap<string, Members> {
  if (known.size === queueKeys(columns).length) return known;
  return new Map([...membersOfAll(columns, heads), ...known]);
}

/** What is kept of a queue. */
export function listed<T>(lists: ReadonlyMap<string, T>, key: string): T {
  const found = lists.get(key);
  if (found === undefined) throw new Error(`nothing is listed of ${key}`);
  return found;
}
