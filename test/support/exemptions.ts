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

/** Past the service and its clock: as two persons would have done it at that time. */
export async function exemptAsOf(sql: Sql, accountId: string, grantedAt: string, until: string | null): Promise<void> {
  await sql.begin(async (tx) => {
    const [change] = await tx<{ id: string; digest: string }[]>`
      insert into change (kind, target_type, target_id, payload, reason, proposed_by, expires_at)
      values ('EXEMPTION_GRANT', 'Account', ${accountId}, '{"version": 1}', 'a test', 'ann', now() + interval '1 day')
      returning id, digest`;
    if (change === undefined) throw new Error('no change');
    await tx`
      insert into exemption (account_id, version, until, changed_by, reason, change_id, first_lap, granted_at)
      values (${accountId}, 1, ${until}, 'ann', 'a test', ${change.id}, 1, ${grantedAt})`;
    await tx`
      insert into change_decision (change_id, decision, digest, decided_by) values (${change.id}, 'APPROVE', ${change.digest}, 'ben')`;
  });
}
