import type { Circumstances, LastStatus } from '../db/risk-state.js';
import { at, type ColumnReader, type Heads } from './column-reader.js';
import type { AddedRow, Columns } from './columns.js';
import { queueKey, type Members } from './members.js';
import type { QueueRanking } from './queue-ranking.js';
import { emptyMargins, floatMarkets, UNRECORDED, type Margins } from './screen.js';
import { codeOf, statusCode } from './status-codes.js';
import { sweep, type QueueName, type RankedQueue, type Swept, type SweepSources, type SweepTask } from './sweep.js';

/** What a book is made of. It never changes; the next one takes over what did not move. */
export interface BookState extends SweepSources {
  readonly columns: Columns;
  readonly lastStatuses: ReadonlyMap<string, LastStatus>;
  readonly margins: Margins;
  /** Made when first asked for, or before by a sweep, by market and side. */
  readonly members: Map<string, Members>;
  readonly queues: ReadonlyMap<string, RankedQueue>;
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
    lastStatuses: new Map(),
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
}

/** The state after the changes. */
export function advance(old: BookState, changes: Changes): BookState {
  const step = stepTo(old, changes);
  return completed(step, sweep(step.task));
}

/** What the changes leave to be made, without looking at any account. */
export function stepTo(old: BookState, { circumstances, added, statuses }: Changes): Step {
  const { columns, caution } = old;
  const heads = withHeads(old.heads, added);
  const recorded = withStatuses(old, heads, statuses);
  const isCalm = hasSameTerms(old.circumstances, circumstances);
  const floats =
    isCalm && old.floats.length === columns.names.markets.length
      ? old.floats
      : floatMarkets(columns.names.markets, circumstances.markets, circumstances.marks);
  const sources = { circumstances, columns, heads, floats, caution, ...recorded };
  if (!isCalm) {
    const members = added.length === 0 ? old.members : new Map<string, Members>();
    const task = { ...sources, old: null, touched: [], members, wanted: [] };
    return { state: { ...sources, rankings: new Map() }, task };
  }
  const touched = new Set(added.map(({ slot }) => slot));
  for (const accountId of statuses.keys()) {
    const slot = columns.slotOf(accountId);
    // Of a held account the last recorded status is the status.
    if (slot !== undefined && at(old.margins.held, slot) === 1) touched.add(slot);
  }
  const queues = queuesOf(old, touched);
  for (const key of queuesOf(sources, touched)) queues.add(key);
  const members = queues.size === 0 ? old.members : without(old.members, queues);
  const rankings = queues.size === 0 ? old.rankings : without(old.rankings, queues);
  return {
    state: { ...sources, rankings },
    task: { ...sources, old: old.margins, touched: [...touched], members, wanted: [] },
  };
}

/** The same step with all rankings that it does not take over made by the sweep, instead of when they are asked for. */
export function eager({ state, task }: Step): Step {
  const wanted = task.columns.names.markets.flatMap((marketId) =>
    (['LONG', 'SHORT'] as const).map((side) => ({ marketId, side })),
  );
  const isMissing = ({ marketId, side }: QueueName): boolean =>
    state.circumstances.markets.has(marketId) && !state.rankings.has(queueKey(marketId, side));
  return { state, task: { ...task, wanted: wanted.filter(isMissing) } };
}

export function completed({ state }: Step, { margins, members, queues }: Swept): BookState {
  const next = { ...state, margins, members: new Map(members), queues };
  if (!next.columns.isCrowded(next.heads)) return next;
  const compacted = next.columns.compacted(next.heads);
  return { ...next, ...compacted, members: new Map(), queues: new Map(), rankings: new Map() };
}

/** Nothing of it taken over. */
export function remade(state: BookState): BookState {
  const { circumstances } = state;
  const floats = floatMarkets(state.columns.names.markets, circumstances.markets, circumstances.marks);
  const sources = { ...state, floats };
  const task = { ...sources, old: null, touched: [], members: new Map<string, Members>(), wanted: [] };
  return completed({ state: { ...sources, rankings: new Map() }, task }, sweep(task));
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
  { lastStatuses, lastCodes, columns }: BookState,
  { count }: Heads,
  statuses: Changes['statuses'],
): Pick<BookState, 'lastStatuses' | 'lastCodes'> {
  if (statuses.size === 0 && lastCodes.length === count) return { lastStatuses, lastCodes };
  const codes = new Uint8Array(count).fill(UNRECORDED);
  codes.set(lastCodes);
  for (const [accountId, { status, held }] of statuses) {
    const slot = columns.slotOf(accountId);
    if (slot === undefined) throw new Error(`a status of unknown account ${accountId}`);
    codes[slot] = codeOf(statusCode(status), held ? 1 : 0);
  }
  return {
    lastStatuses: statuses.size === 0 ? lastStatuses : new Map([...lastStatuses, ...statuses]),
    lastCodes: codes,
  };
}

/** Whether nothing but accounts can have moved: the loader keeps what says the same, so identity tells. */
function hasSameTerms(old: Circumstances, now: Circumstances): boolean {
  if (old.venue !== now.venue || old.markets.size !== now.markets.size || old.marks.size !== now.marks.size)
    return false;
  for (const [id, market] of now.markets) {
    if (old.markets.get(id) !== market || old.marks.get(id) !== now.marks.get(id)) return false;
  }
  return true;
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
