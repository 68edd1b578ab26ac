import { BackstopError } from '../errors.js';
import type { Sql, Tx } from '../db/connect.js';
import {
  insertAuditEntry,
  lockTarget,
  nameOf,
  readTarget,
  toJson,
  type Actor,
  type AdminAction,
} from '../db/record-audit.js';
import { findDoneRequest, lockRequestKey, type DoneRequest } from '../db/request-keys.js';
import { inTransaction, withAround } from '../db/transaction.js';

/**
 * Does an action of an administrator, with its entry in the audit log: an accepted one in the transaction that `work`
 * makes with the client that it is given, a refused one in a transaction of its own.
 */
export async function audited<T>(sql: Sql, action: AdminAction, work: (sql: Sql) => Promise<T>): Promise<T> {
  let isRecorded = false;
  const recording = withAround(sql, async (tx, change) => {
    const answer = await recordAround(tx, action, change);
    isRecorded = true;
    return answer;
  });
  return recordingRefusals(sql, action, async () => {
    const answer = await work(recording);
    if (!isRecorded) throw new Error(`${action.name} changed something past the audit log, or nothing`);
    return answer;
  });
}

/** An accepted action with its entry: the target as it was and as `change` leaves it. */
export async function recordAround<T>(tx: Tx, action: AdminAction, change: (tx: Tx) => Promise<T>): Promise<T> {
  const { target } = action;
  await refuseRepeat(tx, action.actor);
  const before = target === null ? null : await lockTarget(tx, target);
  const answer = await change(tx);
  const after = target === null ? toJson(answer) : await readTarget(tx, target);
  await insertAuditEntry(tx, action, { before, after });
  return answer;
}

/** Where `work` records its own acceptance. */
export async function recordingRefusals<T>(sql: Sql, action: AdminAction, work: () => Promise<T>): Promise<T> {
  try {
    checkKey(action.actor);
    return await work();
  } catch (error) {
    // Nothing was done and nothing refused: what was done then has its entry.
    if (error instanceof DoneBefore) throw error;
    await recordRefusal(sql, action, error);
    throw error;
  }
}

/** Of a fault only that it was one: what it says is for the log. A record that cannot be made is a fault too. */
export async function recordRefusal(sql: Sql, action: AdminAction, refusal: unknown): Promise<void> {
  const isRefusal = refusal instanceof BackstopError;
  const code = isRefusal ? refusal.code : 'INTERNAL';
  const message = isRefusal ? refusal.message : 'Backstop met a fault; its log has it whole';
  try {
    await inTransaction(sql, { isolation: 'read committed' }, (tx) => insertAuditEntry(tx, action, { code, message }));
  } catch (error) {
    throw new AggregateError([refusal, error], `the audit log could not record that ${action.name} was refused`, {
      cause: error,
    });
  }
}

/** What ends the work of a request that was done before: it is answered from what was done then. */
export class DoneBefore extends Error {
  readonly done: DoneRequest;

  constructor(done: DoneRequest) {
    super('this request was done before');
    this.name = 'DoneBefore';
    this.done = done;
  }
}

const KEY = /^[!-~]{1,255}$/;
const AT_KEY = { field: 'idempotencyKey' };

function checkKey({ key }: Actor): void {
  if (key !== undefined && !KEY.test(key.key))
    throw new BackstopError('BAD_INPUT', 'idempotencyKey: must be 1 to 255 visible ASCII characters', AT_KEY);
}

/** First in a transaction: whoever is at work on the same request is waited for. */
export async function refuseRepeat(tx: Tx, actor: Actor): Promise<void> {
  if (actor.key === undefined) return;
  await lockRequestKey(tx, nameOf(actor.subject), actor.key.key);
  await refuseDone(tx, actor);
}

/** Throws what was done with this key; with another content the key is refused. */
export async function refuseDone(tx: Tx, { subject, key }: Actor): Promise<void> {
  if (key === undefined) return;
  const done = await findDoneRequest(tx, nameOf(subject), key.key);
  if (done === null) return;
  if (done.contentDigest === key.contentDigest) throw new DoneBefore(done);
  throw new BackstopError('IDEMPOTENCY_KEY_REUSED', 'idempotencyKey: the key was used for another request', AT_KEY);
}
