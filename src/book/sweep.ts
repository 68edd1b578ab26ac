import type { Circumstances } from '../db/risk-state.js';
import type { Side } from '../risk/contract.js';
import { score } from '../risk/ranking.js';
import { valuedMargin, type AccountMargin } from './account-margin.js';
import { at, HASH_LANES, type ColumnReader, type Heads } from './column-reader.js';
import { membersOfAll, queueKey, type Members } from './members.js';
import { patchQueue, type OldQueue } from './patch-queue.js';
import { makeQueue, type Queue, type QueueSources } from './queue.js';
import { addHash } from './ranking-id.js';
import { copyMargins, emptyMargins, Screen, type FloatMarket, type Margins } from './screen.js';
import { recordedStatus, statusCode } from './status-codes.js';

const SIDES: readonly Side[] = ['LONG', 'SHORT'];

/** What an exact margin is made from. */
export interface ExactSources {
  readonly circumstances: Circumstances;
  readonly columns: ColumnReader;
  readonly heads: Heads;
  /** By slot: the code of the last recorded status, or UNRECORDED. */
  readonly lastCodes: Uint8Array;
}

export interface SweepSources extends ExactSources {
  readonly floats: readonly FloatMarket[];
  /** Multiplies all error bounds: 1. */
  readonly caution: number;
}

/** What has to be made of a state. */
export interface SweepTask extends SweepSources {
  /** Margins that stand, but for the slots that were touched and for the holders of moved markets; null: none do. */
  readonly old: Margins | null;
  /** The margins that stand are a copy that is nobody else's, to be written into. */
  readonly mayWriteOld?: boolean;
  readonly touched: readonly number[];
  /** Numbers of the markets whose price moved. */
  readonly moved: readonly number[];
  /** Those that stand. */
  readonly members: ReadonlyMap<string, Members>;
  /** Queues that stand but for the slots that were touched. */
  readonly patched: ReadonlyMap<string, OldQueue>;
  /** Keys of the queues that stand if nobody in them holds a market that moved. */
  readonly standing: readonly string[];
  /** All other queues are made as well. */
  readonly isEager: boolean;
}

/** A queue, and the sum of the hashes of all accounts that hold a position in it. */
export interface RankedQueue {
  readonly queue: Queue;
  readonly hash: Uint32Array;
}

export interface Swept {
  readonly margins: Margins;
  readonly members: ReadonlyMap<string, Members>;
  /** Keys of the queues that stand. */
  readonly standing: readonly string[];
  readonly made: ReadonlyMap<string, RankedQueue>;
}

/** Margins of all accounts, and the queues that are wanted. */
export function sweep(task: SweepTask): Swept {
  const { circumstances, columns, isEager } = task;
  const needsMembers = isEager || task.moved.length > 0;
  const members = needsMembers ? completedMembers(task, task.members) : task.members;
  const { margins, fallen } = screened(task, members);
  const standing = task.standing.filter((key) => !fallen.has(key));
  const made = new Map<string, RankedQueue>();
  const stands = new Set(standing);
  for (const marketId of columns.names.markets.filter((id) => circumstances.markets.has(id))) {
    for (const side of SIDES) {
      const key = queueKey(marketId, side);
      const old = task.patched.get(key);
      if (stands.has(key) || (!isEager && old === undefined)) continue;
      made.set(key, rankQueue(task, margins, listed(members, key), marketId, old));
    }
  }
  return { margins, members, standing, made };
}

/** Touched accounts that are marked, and put in their places, before another thread has been told of them. */
const FEW = 2000;

/** Whether a sweep has so little to make that no other thread need be asked. */
export function isLight({
  old,
  touched,
  moved,
  members,
  standing,
  patched,
  isEager,
  columns,
  heads,
}: SweepTask): boolean {
  const queues = columns.names.markets.length * SIDES.length;
  const isWhole = !isEager || (standing.length + patched.size === queues && members.size === queues);
  return old !== null && heads.count - old.status.length + touched.length <= FEW && moved.length === 0 && isWhole;
}

/** One walk makes the lists of all markets; those that are there already say the same. */
export function completedMembers(
  { columns, heads }: Pick<SweepSources, 'columns' | 'heads'>,
  known: ReadonlyMap<string, Members>,
): ReadonlyMap<string, Members> {
  if (known.size === columns.names.markets.length * SIDES.length) return known;
  return new Map([...membersOfAll(columns, heads), ...known]);
}

/** What is kept of a queue. */
export function listed<T>(lists: ReadonlyMap<string, T>, key: string): T {
  const found = lists.get(key);
  if (found === undefined) throw new Error(`nothing is listed of ${key}`);
  return found;
}

/** `old`: the queue before the touched slots of the task changed. */
export function rankQueue(
  sources: SweepSources & Partial<Pick<SweepTask, 'touched'>>,
  margins: Margins,
  members: Members,
  marketId: string,
  old?: OldQueue,
): RankedQueue {
  const { columns, heads, floats, caution, circumstances } = sources;
  const policy = circumstances.markets.get(marketId)?.policy;
  if (policy === undefined) throw new Error(`no market ${marketId}`);
  const of: QueueSources = {
    ...{ columns, heads, margins, members, caution, markets: floats },
    marketNumber: columns.names.markets.indexOf(marketId),
    scoreName: policy.score,
    exactScore: (slot) => {
      const { valuation, account } = exactMargin(sources, slot);
      if (valuation === null) throw new Error(`${account.id} cannot be valued`);
      return score(policy.score, valuation, marketId).value;
    },
  };
  const queue = old === undefined ? makeQueue(of) : patchQueue(of, old, sources.touched ?? []);
  const hash = new Uint32Array(HASH_LANES);
  for (const slot of members.slots) addHash(hash, columns.arrays.hashes, at(heads.rows, slot) * HASH_LANES);
  return { queue, hash };
}

/** Margins of all, and the keys of the queues that hold an account whose margin was made anew for a moved price. */
function screened(task: SweepTask, members: ReadonlyMap<string, Members>): { margins: Margins; fallen: Set<string> } {
  const { columns, heads, floats, circumstances, lastCodes, caution, old, touched, moved } = task;
  if (old?.status.length === heads.count && touched.length + moved.length === 0)
    return { margins: old, fallen: new Set() };
  const screen = new Screen({
    ...{ columns, heads, caution, lastCodes },
    markets: floats,
    venue: circumstances.venue,
    decide: (slot) => {
      const { status, held } = exactMargin(task, slot);
      return { status: statusCode(status), held: held ? 1 : 0 };
    },
  });
  const isOurs = task.mayWriteOld === true && old?.status.length === heads.count;
  const margins = old === null ? emptyMargins(heads.count) : isOurs ? old : copyMargins(old, heads.count);
  if (old === null) {
    for (let slot = 0; slot < heads.count; slot++) screen.mark(slot, margins);
    return { margins, fallen: new Set(task.standing) };
  }
  for (const slot of touched) screen.mark(slot, margins);
  const holders = holdersOf(task, members);
  for (let slot = 0; slot < heads.count; slot++) if (at(holders, slot) === 1) screen.mark(slot, margins);
  return { margins, fallen: queuesWith(task, members, holders) };
}

/** 1 in the slot of everybody who holds a market that moved. */
function holdersOf({ columns, heads, moved }: SweepTask, members: ReadonlyMap<string, Members>): Uint8Array {
  const holders = new Uint8Array(heads.count);
  for (const market of moved) {
    for (const side of SIDES) {
      const { slots } = listed(members, queueKey(columns.names.markets[market] ?? '', side));
      for (const slot of slots) holders[slot] = 1;
    }
  }
  return holders;
}

function queuesWith(task: SweepTask, members: ReadonlyMap<string, Members>, holders: Uint8Array): Set<string> {
  const isIn = ({ slots }: Members): boolean => slots.some((slot) => at(holders, slot) === 1);
  return new Set(task.standing.filter((key) => isIn(listed(members, key))));
}

/** What `risk` says of the account in a slot. */
export function exactMargin({ circumstances, columns, heads, lastCodes }: ExactSources, slot: number): AccountMargin {
  const account = columns.account(slot, at(heads.rows, slot));
  return valuedMargin(circumstances, account, recordedStatus(lastCodes, slot));
}
