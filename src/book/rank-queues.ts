import { score } from '../risk/ranking.js';
import { exactMargin, type ExactSources } from './account-margin.js';
import type { ColumnReader } from './column-reader.js';
import { listed, queueKeys, type Members } from './members.js';
import { patchQueue, type OldQueue } from './patch-queue.js';
import { makeQueue, type Queue } from './queue.js';
import { draftAll, draftOf, type QueueSources } from './queue-draft.js';
import type { FloatMarket, Margins } from './screen.js';

export interface SweepSources extends ExactSources {
  readonly floats: readonly FloatMarket[];
  /** Multiplies all error bounds: 1. */
  readonly caution: number;
}

/** Queues that stood before some slots were touched. */
export interface StandingQueues {
  readonly patched: ReadonlyMap<string, OldQueue>;
  readonly touched: readonly number[];
}

const NONE: StandingQueues = { patched: new Map(), touched: [] };

/** Keys of the queues of all markets that the state knows. */
export function keysOfAll({ columns, circumstances }: SweepSources): string[] {
  return queueKeys(columns).filter((_key, list) => circumstances.markets.has(marketOf(columns, list)));
}

function marketOf({ names }: ColumnReader, list: number): string {
  return names.markets[list >> 1] ?? '';
}

/** So many walks along members cost as much as one along all accounts. */
const FEW_QUEUES = 2;

/** The queues that have these keys; those that stood but for touched slots are patched. */
export function rankQueues(
  sources: SweepSources,
  of: { readonly margins: Margins; readonly members: ReadonlyMap<string, Members> },
  keys: readonly string[],
  { patched, touched }: StandingQueues = NONE,
): Map<string, Queue> {
  const lists = queueKeys(sources.columns);
  const made = new Map<string, Queue>();
  const fresh = new Map<string, QueueSources>();
  for (const key of keys) {
    const queue = queueSources(sources, of, lists.indexOf(key), key);
    const old = patched.get(key);
    if (old === undefined) fresh.set(key, queue);
    else made.set(key, patchQueue(queue, old, touched));
  }
  const wanted = lists.map((key) => fresh.get(key));
  const drafts = fresh.size > FEW_QUEUES ? draftAll({ ...sources, margins: of.margins }, wanted) : [];
  for (const [list, queue] of wanted.entries())
    if (queue !== undefined) made.set(lists[list] ?? '', makeQueue(queue, drafts[list] ?? draftOf(queue)));
  return made;
}

function queueSources(
  sources: SweepSources,
  { margins, members }: Parameters<typeof rankQueues>[1],
  list: number,
  key: string,
): QueueSources {
  const { columns, heads, floats, caution, circumstances } = sources;
  const marketId = marketOf(columns, list);
  const policy = circumstances.markets.get(marketId)?.policy;
  if (policy === undefined) throw new Error(`no market of the queue ${key}`);
  return {
    ...{ columns, heads, margins, members: listed(members, key), caution, markets: floats, marketNumber: list >> 1 },
    scoreName: policy.score,
    exactScore: (slot) => {
      const { valuation, account } = exactMargin(sources, slot);
      if (valuation === null) throw new Error(`${account.id} cannot be valued`);
      return score(policy.score, valuation, marketId).value;
    },
  };
}
