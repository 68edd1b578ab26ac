import type { AccountRow, MarginCallRow } from '../../db/read-accounts.js';
import { readCallsSince, readMarginCalls } from '../../db/read-accounts.js';
import type { ServedParts } from '../context.js';
import type { Look } from './streams.js';

/**
 * Of the accounts: the calls that stand, and each that ended since the last look once more. Every column of a call is its state.
 * What stands in the whole venue is read once between two beats, for all streams, as a lap does: most of them would read nothing.
 */
export function lookAtCalls(
  { sql, pulse }: Pick<ServedParts, 'sql' | 'pulse'>,
  accounts: readonly AccountRow[],
  newestId: string,
): Look<MarginCallRow> {
  const watched = new Set(accounts.map(({ id }) => id));
  let newest = newestId;
  let stood: readonly string[] = [];
  return async () => {
    const rows = await pulse.shared(`marginCalls ${newest}`, () => readCallsSince(sql, newest));
    const last = rows.at(-1)?.id ?? newest;
    if (BigInt(last) > BigInt(newest)) newest = last;
    const calls = rows.filter(({ accountId }) => watched.has(accountId));
    const there = new Set(calls.map(({ id }) => id));
    const gone = stood.filter((id) => !there.has(id));
    const ended = gone.length === 0 ? [] : await readMarginCalls(sql, gone);
    stood = calls.filter(stands).map(({ id }) => id);
    return [...ended.filter((call) => call !== null), ...calls].map((call) => ({
      ...{ name: call.id, state: JSON.stringify(call), value: call },
    }));
  };
}

function stands({ status, releasedAt }: MarginCallRow): boolean {
  return status === 'OPEN' || (status === 'LAPSED' && releasedAt === null);
}
