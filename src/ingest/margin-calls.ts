import { BackstopError } from '../errors.js';
import type { Sql } from '../db/connect.js';
import { announce } from '../db/record-notice.js';
import { inTransaction } from '../db/transaction.js';
import { extendCall, lockMarginCall } from '../db/venue.js';
import { readChange, type ChangeInput } from './market-terms.js';
import { openRow, readInstant, refuse } from './parse.js';

export interface MarginCallExtendInput extends ChangeInput {
  readonly marginCallId: string;
  /** The new deadline: later than the present one, at most the call's latest. */
  readonly deadline: string;
}

const CALL_ID = /^[1-9]\d{0,17}$/;

export async function extendMarginCall(sql: Sql, input: MarginCallExtendInput): Promise<void> {
  const row = openRow(input, ['marginCallId', 'deadline', 'changedBy', 'reason']);
  const id = row.values['marginCallId'];
  if (typeof id !== 'string' || !CALL_ID.test(id)) refuse(row, 'marginCallId', 'is no id of a margin call');
  const deadline = readInstant(row, 'deadline') ?? refuse(row, 'deadline', 'is missing');
  const change = readChange(row);
  await inTransaction(sql, { isolation: 'read committed' }, async (tx) => {
    const call = await lockMarginCall(tx, id);
    if (call === undefined) refuse(row, 'marginCallId', `no margin call ${id}`, 'NOT_FOUND');
    if (call.status !== 'OPEN')
      throw new BackstopError('CONFLICT', `marginCallId: the call is ${call.status}`, { field: 'marginCallId' });
    if (deadline <= call.deadline)
      refuse(row, 'deadline', `must be later than the present one, ${call.deadline}`, 'CONFLICT');
    if (deadline > call.latestDeadline)
      refuse(row, 'deadline', `at most ${call.latestDeadline} is allowed`, 'CONFLICT');
    await extendCall(tx, { marginCallId: id, before: call.deadline, after: deadline, ...change });
    await announce(tx, 'venue');
  });
}
