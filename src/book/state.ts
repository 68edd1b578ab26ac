import type { Circumstances, LastStatus } from '../db/risk-state.js';
import { at, type ColumnReader, type Heads } from './column-reader.js';
import type { AddedRow, Columns } from './columns.js';
import { completedMembers, listed, membersOfAll, patchMembers, queueKey, type Members } from './members.js';
import type { OldQueue } from './patch-queue.js';
import type { QueueRanking } from './queue-ranking.js';
import { emptyMargins, floatMarkets, UNRECORDED, type Margins } from './screen.js';
import { codeOf, statusCode } from './status-codes.js';
import type { Queue } from './queue.js';
import { keysOfAll, rankQueues, type SweepSources } from './rank-queues.js';
import { sweep, type Swept, type SweepTask } from './sweep.js';

/** What a book is made of. It never changes; the next one takes over what did not move. */
export interface BookState extends SweepSources {
  readonly columns: Columns;
  /** By slot: number of the last recorded transition; 0: none, or not numbered yet. */
  readonly lastTransitions: BigUint64Array;
  readonly margins: Margins;
  /** By market and side, as `queueKey` names them: made when first asked for, or before by a sweep. */
  readonly members: Map<string, Members>;
  readonly queues: Map<string, Queue>;
  readonly rankings: Map<string, QueueRanking>;
}

/** What came since another state, or all there is. */
export interface Changes {
  readonly circumstances: Circumstances;
  /** Rows that were added to the columns of the state. */
  readonly added: readonly AddedRow[];
  /** Newly recorded statuses, by account. */
  readonly statuses: ReadonlyMap<string, LastStatus>;
}

const NOWHERE = { at: '', markets: new Map(), marks: new Map(), funds: new Map() };

/** `columns`: empty ones. */
export function emptyState(columns: Columns, caution: number): BookState {
  return {
    // Thresholds come with the first changes: without accounts nothing is judged by them.
    circumstances: { ...NOWHERE, venue: {} as Circumstances['venue'] },
    columns,
    heads: { rows: new Uint32Array(0), count: 0 },
    lastTransitions: new BigUint64Array(0),
    lastCodes: new Uint8Array(0),
    floats: [],
    margins: emptyMargins(0),
    members: new Map(),
    queues: new Map(),
    rankings: new Map(),
    caution,
  };
}

/** A state that lacks its sweep: what is taken over, and what has to be made. */
export interface Step {
  readonly state: Omit<BookState, 'margins' | 'members' | 'queues'>;
  readonly task: SweepTask;
  /** Those that stand if nobody in them holds a market whose price moved. */
  readonly queues: ReadonlyMap<string, Queue>;
}

const NOTHING_STANDS = { old: null, touched: [], moved: [], patched: new Map<string, OldQueue>(), standing: [] };

/** The state after the changes. */
export function advance(old: BookState, changes: Changes): BookState {
  const step = stepTo(old, changes, false);
  return completed(step, sweep(step.task));
}

/** What the changes leave to be made, without looking at any account. `isEager`: all queues, not only those asked for. */
export function stepTo(old: BookState, { circumstances, added, statuses }: Changes, isEager: boolean): Step {
  const { columns, caution } = old;
  const heads = withHeads(old.heads, added);
  const recorded = withStatuses(old, heads, statuses);
  const moved = movedMarkets(columns.names.markets, old.circumstances, circumstances);
  const isCalm = moved?.length === 0 && old.floats.length === columns.names.markets.length;
  const floats = isCalm ? old.floats : floatMarkets(columns.names.markets, circumstances.markets, circumstances.marks);
  const sources = { circumstances, columns, heads, floats, caution, ...recorded };
  if (moved === null) {
    const members = added.length === 0 ? old.members : new Map<string, Members>();
    const task = { ...sources, ...NOTHING_STANDS, members, isEager };
    return { state: { ...sources, rankings: new Map() }, task, queues: new Map() };
  }
  const touched = new Set(added.map(({ slot }) => slot));
  for (const accountId of statuses.keys()) {
    const slot = columns.names.slotOf(accountId);
    // Of a held account the last recorded status is the status.
    if (slot !== undefined && at(old.margins.held, slot) === 1) touched.add(slot);
  }
  const fallen = queuesOf(old, touched);
  for (const key of queuesOf(sources, touched)) fallen.add(key);
  const slots = [...touched].sort((a, b) => a - b);
  const members = new Map(old.members);
  const patched = new Map<string, OldQueue>();
  for (const marketId of columns.names.markets) {
    for (const side of ['LONG', 'SHORT'] as const) {
      const key = queueKey(marketId, side);
      const [last, queue] = [members.get(key), old.queues.get(key)];
      if (!fallen.has(key) || last === undefined) continue;
      members.set(key, patchMembers({ ...sources, marketId, side }, last, slots));
      // Where prices moved as well, the queue is most likely made anew.
      if (moved.length === 0 && queue !== undefined) patched.set(key, { queue, members: last });
    }
  }
  const queues = fallen.size === 0 ? old.queues : without(old.queues, fallen);
  const kept = { members, patched, standing: [...queues.keys()] };
  // Every price is in the id of every ranking.
  const rankings = moved.length > 0 ? new Map<string, QueueRanking>() : without(old.rankings, fallen);
  return {
    state: { ...sources, rankings },
    task: { ...sources, ...kept, old: old.margins, touched: slots, moved, isEager },
    queues,
  };
}

export function completed({ state, queues }: Step, swept: Swept): BookState {
  const standing = new Map(swept.standing.map((key): [string, Queue] => [key, listed(queues, key)]));
  for (const [key, queue] of swept.made) standing.set(key, queue);
  const { margins } = swept;
  const next = { ...state, margins, members: new Map(swept.members), queues: standing };
  if (!next.columns.isCrowded(next.heads)) return next;
  const compacted = next.columns.compacted(next.heads);
  // Who stands in a queue is told by slots, which are the same; only the places of the positions are not.
  return { ...next, ...compacted, members: membersOfAll(compacted.columns, compacted.heads), rankings: new Map() };
}

/** As when all prices move: no margin and no queue is taken over. */
export function remade(state: BookState): BookState {
  const { circumstances } = state;
  const floats = floatMarkets(state.columns.names.markets, circumstances.markets, circumstances.marks);
  const sources = { ...state, floats };
  const task = { ...sources, ...NOTHING_STANDS, isEager: false };
  return completed({ state: { ...sources, rankings: new Map() }, task, queues: new Map() }, sweep(task));
}

/** All positions of a market and side; whoever asks first has the lists of all markets made. */
export function membersIn(state: BookState, key: string): Members {
  const { members } = state;
  if (!members.has(key)) for (const [each, made] of completedMembers(state, members)) members.set(each, made);
  return listed(members, key);
}

export function membersOfMarket(state: BookState, marketId: string): [long: Members, short: Members] {
  return [membersIn(state, queueKey(marketId, 'LONG')), membersIn(state, queueKey(marketId, 'SHORT'))];
}

/** Makes those of the queues that nobody asked for yet: one, or all. */
export function completeQueues(state: BookState, keys: readonly string[] = keysOfAll(state)): void {
  const lacking = keys.filter((key) => !state.queues.has(key));
  for (const key of lacking) membersIn(state, key);
  for (const [key, queue] of rankQueues(state, state, lacking)) state.queues.set(key, queue);
}

function withHeads(old: Heads, added: readonly AddedRow[]): Heads {
  if (added.length === 0) return old;
  let count = old.count;
  for (const { slot } of added) count = Math.max(count, slot + 1);
  const rows = new Uint32Array(count);
  rows.set(old.rows);
  for (const { slot, row } of added) rows[slot] = row;
  return { rows, count };
}

function withStatuses(
  { lastTransitions, lastCodes, columns }: BookState,
  { count }: Heads,
  statuses: Changes['statuses'],
): Pick<BookState, 'lastTransitions' | 'lastCodes'> {
  if (statuses.size === 0 && lastCodes.length === count) return { lastTransitions, lastCodes };
  const codes = new Uint8Array(count).fill(UNRECORDED);
  const transitions = new BigUint64Array(count);
  codes.set(lastCodes);
  transitions.set(lastTransitions);
  for (const [accountId, { transitionId, status, held }] of statuses) {
    const slot = columns.names.slotOf(accountId);
    if (slot === undefined) throw new Error(`a status of unknown account ${accountId}`);
    codes[slot] = codeOf(statusCode(status), held ? 1 : 0);
    transitions[slot] = BigInt(transitionId);
  }
  return { lastTransitions: transitions, lastCodes: codes };
}

/** Numbers of the markets whose price moved, if nothing else did; the loader keeps what says the same, so identity tells. */
function movedMarkets(names: readonly string[], old: Circumstances, now: Circumstances): number[] | null {
  if (old.venue !== now.venue || old.markets.size !== now.markets.size) return null;
  for (const [id, market] of now.markets) if (old.markets.get(id) !== market) return null;
  return [...names.entries()].filter(([, id]) => old.marks.get(id) !== now.marks.get(id)).map(([number]) => number);
}

/** The queues in which these accounts hold a position. */
function queuesOf({ columns, heads }: { columns: ColumnReader; heads: Heads }, slots: Iterable<number>): Set<string> {
  const keys = new Set<string>();
  const { firsts, counts, markets, steps } = columns.arrays;
  for (const slot of slots) {
    if (slot >= heads.count) continue;
    const row = at(heads.rows, slot);
    const first = at(firsts, row);
    for (let p = first; p < first + at(counts, row); p++) {
      const marketId = columns.names.markets[at(markets, p)] ?? '';
      keys.add(queueKey(marketId, at(steps, p) < 0 ? 'SHORT' : 'LONG'));
    }
  }
  return keys;
}

function without<T>(all: ReadonlyMap<string, T>, keys: ReadonlySet<string>): Map<string, T> {
  return new Map([...all].filter(([key]) => !keys.has(key)));
}
