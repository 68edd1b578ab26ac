import { decideChange } from '../../src/admin/decide.js';
import { proposeChange, type Proposal } from '../../src/admin/propose.js';
import type { Sql } from '../../src/db/connect.js';

export const person = (subject: string) => ({ subject, scopes: [], requestId: 'r' });

/** What one proposes and another approves. */
export async function changeByTwo(sql: Sql, proposal: Omit<Proposal, 'reason' | 'input'>): Promise<string> {
  const changeId = await proposeChange(sql, person('ann'), { ...proposal, reason: 'a test', input: {} });
  const [change] = await sql<{ digest: string }[]>`select digest from change where id = ${changeId}`;
  await decideChange(sql, person('ben'), changeId, { changeId, digest: change?.digest ?? '', decision: 'APPROVE' });
  return changeId;
}

export async function exempt(sql: Sql, accountId: string, until: string | null = null): Promise<void> {
  await changeByTwo(sql, { kind: 'EXEMPTION_GRANT', targetId: accountId, terms: { until } });
}

export async function endExemption(sql: Sql, accountId: string): Promise<void> {
  await changeByTwo(sql, { kind: 'EXEMPTION_END', targetId: accountId, terms: {} });
}
