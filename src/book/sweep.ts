import type { Circumstances } from '../db/risk-state.js';
import type { Side } from '../risk/contract.js';
import { score } from '../risk/ranking.js';
import { valuedMargin, type AccountMargin } from './account-margin.js';
import { at, HASH_LANES, type ColumnReader, type Heads } from './column-reader.js';
import { membersOfAll, queueKey, type Members } from './members.js';
import { makeQueue, type Queue } from './queue.js';
import { addHash } from './ranking-id.js';
import { copyMargins, emptyMargins, Screen, type FloatMarket, type Margins } from './screen.js';
import { recordedStatus, statusCode } from './status-codes.js';

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

export interface QueueName {
  readonly marketId: string;
  readonly side: Side;
}

/** What has to be made of a state. */
export interface SweepTask extends SweepSources {
  /** Margins that stand, but for the slots that were touched; null: none do. */
  readonly old: Margins | null;
  readonly touched: readonly number[];
  /** Those that stand. */
  readonly members: ReadonlyMap<string, Members>;
  readonly wanted: readonly QueueName[];
}

/** A queue, and the sum of the hashes of all accounts that hold a position in it. */
export interface RankedQueue {
  readonly queue: Queue;
  readonly hash: Uint32Array;
}

export interface Swept {
  readonly margins: Margins;
  readonly members: ReadonlyMap<string, Members>;
  readonly queues: ReadonlyMap<string, RankedQueue>;
}

/** Margins of all accounts, and the queues that are wanted. */
export function sweep(task: SweepTask): Swept {
  const margins = screened(task);
  if (task.wanted.length === 0) return { margins, members: task.members, queues: new Map() };
  const members = completedMembers(task, task.members);
  const queues = task.wanted.map(({ marketId, side }): [string, RankedQueue] => {
    const key = queueKey(marketId, side);
    return [key, rankQueue(task, margins, membersIn(members, key), marketId)];
  });
  return { margins, members, queues: new Map(queues) };
}

/** One walk makes the lists of all markets; those that are there already say the same. */
export function completedMembers(
  { columns, heads }: Pick<SweepSources, 'columns' | 'heads'>,
  known: ReadonlyMap<string, Members>,
): Map<string, Members> {
  return new Map([...membersOfAll(columns, heads), ...known]);
}

export function membersIn(members: ReadonlyMap<string, Members>, key: string): Members {
  const found = members.get(key);
  if (found === undefined) throw new Error(`no positions are listed of ${key}`);
  return found;
}

export function rankQueue(sources: SweepSources, margins: Margins, members: Members, marketId: string): RankedQueue {
  const { columns, heads, floats, caution, circumstances } = sources;
  const policy = circumstances.markets.get(marketId)?.policy;
  if (policy === undefined) throw new Error(`no market ${marketId}`);
  const queue = makeQueue({
    ...{ columns, heads, margins, members, caution, markets: floats },
    marketNumber: columns.names.markets.indexOf(marketId),
    scoreName: policy.score,
    exactScore: (slot) => {
      const { valuation, account } = exactMargin(sources, slot);
      if (valuation === null) throw new Error(`${account.id} cannot be valued`);
      return score(policy.score, valuation, marketId).value;
    },
  });
  const hash = new Uint32Array(HASH_LANES);
  for (const slot of members.slots) addHash(hash, columns.arrays.hashes, at(heads.rows, slot) * HASH_LANES);
  return { queue, hash };
}

function screened(task: SweepTask): Margins {
  const { columns, heads, floats, circumstances, lastCodes, caution, old, touched } = task;
  if (old !== null && touched.length === 0 && old.status.length === heads.count) return old;
  const screen = new Screen({
    ...{ columns, heads, caution, lastCodes },
    markets: floats,
    venue: circumstances.venue,
    decide: (slot) => {
      const { status, held } = exactMargin(task, slot);
      return { status: statusCode(status), held: held ? 1 : 0 };
    },
  });
  const margins = old === null ? emptyMargins(heads.count) : copyMargins(old, heads.count);
  if (old === null) for (let slot = 0; slot < heads.count; slot++) screen.mark(slot, margins);
  else for (const slot of touched) screen.mark(slot, margins);
  return margins;
}

/** What `risk` says of the account in a slot. */
export function exactMargin({ circumstances, columns, heads, lastCodes }: ExactSources, slot: number): AccountMargin {
  const account = columns.account(slot, at(heads.rows, slot));
  return valuedMargin(circumstances, account, recordedStatus(lastCodes, slot));
}
