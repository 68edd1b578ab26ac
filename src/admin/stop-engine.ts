import type { Sql } from '../db/connect.js';
import type { Actor } from '../db/record-audit.js';
import { setPaused } from '../db/record-changes.js';
import { inTransaction } from '../db/transaction.js';
import { BackstopError } from '../errors.js';
import { audited } from '../ingest/audited.js';
import { openRow, readText } from '../ingest/parse.js';

/**
 * No lap begins from now on, in whatever process, by hand or by itself, until a start is proposed and approved. A lap that
 * is running is waited for. One person is enough: whoever sees something go wrong must not look for a second one.
 */
export async function stopEngine(
  sql: Sql,
  actor: Actor,
  jobId: string,
  input: { readonly reason: string },
): Promise<void> {
  const action = {
    actor,
    name: 'engineStop',
    target: { type: 'Job', id: jobId },
    input,
    reason: input.reason,
  } as const;
  await audited(sql, action, async (recording) => {
    readText(openRow(input, ['reason']), 'reason');
    await inTransaction(recording, { isolation: 'read committed' }, async (tx) => {
      if (!(await setPaused(tx, jobId, true))) throw new BackstopError('CONFLICT', 'The engine is stopped already.');
    });
  });
}
