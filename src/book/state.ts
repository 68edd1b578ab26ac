import type { LastStatus } from '../db/risk-state.js';
import type { Side } from '../risk/contract.js';
import type { MarginStatus } from '../risk/margin.js';
import type { PublishedRanking } from '../risk/ranking.js';
import { valuedMargin, type AccountMargin } from './account-margin.js';
import type { Circumstances } from '../db/risk-state.js';
import { at, type Columns, type AddedRow, type Heads } from './columns.js';
import type { Members } from './queue.js';
import { copyMargins, emptyMargins, floatMarkets, HELD_BIT, NO_STATUS, Screen, UNRECORDED } from './screen.js';
import type { FloatMarket, Margins } from './screen.js';

/** In the order of their codes. */
export const MARGIN_STATUSES: readonly MarginStatus[] = [
  'HEALTHY',
  'WARNING',
  'MARGIN_CALL',
  'LIQUIDATABLE',
  'BANKRUPT',
];

/** What an exact margin is made from. */
export interface ExactSources {
  readonly circumstances: Circumstances;
  readonly columns: Columns;
  readonly heads: Heads;
  readonly lastStatuses: ReadonlyMap<string, LastStatus>;
}

/** What a book is made of. It never changes; the next one takes over what did not move. */
export interface BookState extends ExactSources {
  /** By slot: the code of the last recorded status, or UNRECORDED. */
  readonly lastCodes: Uint8Array;
  readonly floats: readonly FloatMarket[];
  readonly margins: Margins;
  /** Made when first asked for, by market and side. */
  readonly members: Map<string, Members>;
  readonly rankings: Map<string, PublishedRanking>;
  /** Multiplies all error bounds: 1. */
  readonly caution: number;
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
    rankings: new Map(),
    caution,
  };
}

/** The state after the changes. */
export function advance(old: BookState, changes: Changes): BookState {
  const next = applied(old, changes);
  if (!next.columns.isCrowded(next.heads)) return next;
  const compacted = next.columns.compacted(next.heads);
  return { ...next, ...compacted, members: new Map(), rankings: new Map() };
}

function applied(old: BookState, { circumstances, added, statuses }: Changes): BookState {
  const { columns, caution } = old;
  const heads = withHeads(old.heads, added);
  const recorded = withStatuses(old, heads, statuses);
  const isCalm = hasSameTerms(old.circumstances, circumstances);
  const floats =
    isCalm && old.floats.length === columns.marketIds.length
      ? old.floats
      : floatMarkets(columns.marketIds, circumstances.markets, circumstances.marks);
  const sources = { circumstances, columns, heads, floats, caution, ...recorded };
  if (!isCalm) {
    const members = added.length === 0 ? old.members : new Map<string, Members>();
    return { ...sources, margins: screenAll(sources), members, rankings: new Map() };
  }
  const touched = new Set(added.map(({ slot }) => slot));
  for (const accountId of statuses.keys()) {
    const slot = columns.slotOf(accountId);
    // Of a held account the last recorded status is the status.
    if (slot !== undefined && at(old.margins.held, slot) === 1) touched.add(slot);
  }
  if (touched.size === 0) return { ...sources, margins: old.margins, members: old.members, rankings: old.rankings };
  const queues = queuesOf(old, touched);
  for (const key of queuesOf(sources, touched)) queues.add(key);
  return {
    ...sources,
    margins: screenSome(sources, old.margins, touched),
    members: without(old.members, queues),
    rankings: without(old.rankings, queues),
  };
}

/** Nothing of it taken over. */
export function remade(state: BookState): BookState {
  const { circumstances } = state;
  const floats = floatMarkets(state.columns.marketIds, circumstances.markets, circumstances.marks);
  const sources = { ...state, floats };
  return { ...sources, margins: screenAll(sources), members: new Map(), rankings: new Map() };
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
    codes[slot] = codeOf(status === null ? NO_STATUS : MARGIN_STATUSES.indexOf(status), held ? 1 : 0);
  }
  return {
    lastStatuses: statuses.size === 0 ? lastStatuses : new Map([...lastStatuses, ...statuses]),
    lastCodes: codes,
  };
}

/** One number for a status and whether it is held. */
export function codeOf(status: number, held: number): number {
  return status + held * HELD_BIT;
}

/** An account without a recorded status was HEALTHY all along. */
export function recordedCode(lastCodes: Uint8Array, slot: number): number {
  const last = at(lastCodes, slot);
  return last === UNRECORDED ? 0 : last;
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

type ScreenSources = Omit<BookState, 'margins' | 'members' | 'rankings'>;

function screenOf(sources: ScreenSources): Screen {
  const { columns, heads, floats, circumstances, lastCodes, caution } = sources;
  return new Screen({
    ...{ columns, heads, caution, lastCodes },
    markets: floats,
    venue: circumstances.venue,
    decide: (slot) => {
      const { status, held } = exactMargin(sources, slot);
      return { status: status === null ? NO_STATUS : MARGIN_STATUSES.indexOf(status), held: held ? 1 : 0 };
    },
  });
}

function screenAll(sources: ScreenSources): Margins {
  const margins = emptyMargins(sources.heads.count);
  const screen = screenOf(sources);
  for (let slot = 0; slot < sources.heads.count; slot++) screen.mark(slot, margins);
  return margins;
}

function screenSome(sources: ScreenSources, old: Margins, slots: Iterable<number>): Margins {
  const margins = copyMargins(old, sources.heads.count);
  const screen = screenOf(sources);
  for (const slot of slots) screen.mark(slot, margins);
  return margins;
}

/** What `risk` says of the account in a slot. */
export function exactMargin(
  { circumstances, columns, heads, lastStatuses }: ExactSources,
  slot: number,
): AccountMargin {
  const account = columns.account(slot, at(heads.rows, slot));
  return valuedMargin(circumstances, account, lastStatuses.get(account.id));
}

export function queueKey(marketId: string, side: Side): string {
  return `${marketId} ${side}`;
}

/** The queues in which these accounts hold a position. */
function queuesOf({ columns, heads }: Pick<BookState, 'columns' | 'heads'>, slots: Iterable<number>): Set<string> {
  const keys = new Set<string>();
  for (const slot of slots) {
    if (slot >= heads.count) continue;
    const row = at(heads.rows, slot);
    const first = at(columns.firsts, row);
    for (let p = first; p < first + at(columns.counts, row); p++) {
      const marketId = columns.marketIds[at(columns.markets, p)] ?? '';
      keys.add(queueKey(marketId, at(columns.steps, p) < 0 ? 'SHORT' : 'LONG'));
    }
  }
  return keys;
}

function without<T>(all: ReadonlyMap<string, T>, keys: ReadonlySet<string>): Map<string, T> {
  return new Map([...all].filter(([key]) => !keys.has(key)));
}

/** All positions of a market and side. */
export function membersOf(columns: Columns, heads: Heads, marketNumber: number, side: Side): Members {
  const slots: number[] = [];
  const positions: number[] = [];
  const isShort = side === 'SHORT';
  for (let slot = 0; slot < heads.count; slot++) {
    const row = at(heads.rows, slot);
    const first = at(columns.firsts, row);
    for (let p = first; p < first + at(columns.counts, row); p++) {
      if (at(columns.markets, p) !== marketNumber || at(columns.steps, p) < 0 !== isShort) continue;
      slots.push(slot);
      positions.push(p);
    }
  }
  return { slots: Uint32Array.from(slots), positions: Uint32Array.from(positions) };
}
