import { exactMargin } from './account-margin.js';
import { at } from './column-reader.js';
import { completedMembers, listed, queueKey, queueKeys, type Members } from './members.js';
import type { OldQueue } from './patch-queue.js';
import type { Queue } from './queue.js';
import { keysOfAll, rankQueues, type SweepSources } from './rank-queues.js';
import { copyMargins, emptyMargins, Screen, type Margins } from './screen.js';
import { statusCode } from './status-codes.js';

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

export interface Swept {
  readonly margins: Margins;
  readonly members: ReadonlyMap<string, Members>;
  /** Keys of the queues that stand. */
  readonly standing: readonly string[];
  readonly made: ReadonlyMap<string, Queue>;
}

/** Margins of all accounts, and the queues that are wanted. */
export function sweep(task: SweepTask): Swept {
  const { isEager } = task;
  const needsMembers = isEager || task.moved.length > 0;
  const members = needsMembers ? completedMembers(task, task.members) : task.members;
  const { margins, fallen } = screened(task, members);
  const standing = task.standing.filter((key) => !fallen.has(key));
  const stands = new Set(standing);
  const wanted = keysOfAll(task).filter((key) => !stands.has(key) && (isEager || task.patched.has(key)));
  return { margins, members, standing, made: rankQueues(task, { margins, members }, wanted, task) };
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
  const queues = queueKeys(columns).length;
  const isWhole = !isEager || (standing.length + patched.size === queues && members.size === queues);
  return old !== null && heads.count - old.status.length + touched.length <= FEW && moved.length === 0 && isWhole;
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
    for (const side of ['LONG', 'SHORT'] as const) {
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
