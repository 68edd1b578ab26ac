import type { Sql } from '../../src/db/connect.js';
import { verifyChain, type Chain, type ChainHead } from '../../src/db/chains.js';
import { contributeToFund } from '../../src/ingest/accounts.js';
import { playCrash } from './crash.js';

/** A small crash, and then as many rows again as every chain needs to have six of them and more, in this order. */
export async function writeChainedHistory(sql: Sql): Promise<void> {
  await playCrash(sql);
  for (let k = 1; k <= 5; k++) {
    await contributeToFund(sql, { id: `more-${k}`, fundId: 'fund', amount: `${k}.5` });
    await addAuditEntry(sql, `request-${k}`);
    await repeatEvent(sql, 1000 + k);
  }
  await sql`
    insert into audit_entry (actor, scopes, action, input, outcome, request_id, code, message)
    values ('mallory', '{}', 'marketHalt', '{"marketSymbol": "NONE"}', 'REFUSED', 'request-6', 'UNKNOWN_MARKET', 'no market NONE')`;
}

export async function addAuditEntry(sql: Sql, requestId: string): Promise<void> {
  await sql`
    insert into audit_entry (actor, scopes, action, target_type, target_id, input, before, after, reason, request_id, outcome)
    values ('desk', '{write:admin}', 'marketHalt', 'Market', 'BTCUSDT', '{"marketSymbol": "BTCUSDT", "size": 1.50}',
      '{"status": "ACTIVE"}', '{"status": "HALTED"}', 'a test', ${requestId}, 'ACCEPTED')`;
}

/** The event of the story once more, under another lap, with its legs and one that was skipped. */
async function repeatEvent(sql: Sql, lapId: number): Promise<void> {
  await sql.begin(async (tx) => {
    await tx`insert into lap (id, at, outcome_digest, more) values (${lapId}, clock_timestamp(), ${'0'.repeat(64)}, false)`;
    const copy = async (table: string, from: string, changes: Record<string, unknown>): Promise<string> => {
      const columns = await tx<{ name: string }[]>`
        select attname as name from pg_attribute
        where attrelid = ${table}::regclass and attnum > 0 and attidentity = '' and not attisdropped`;
      const names = columns.map(({ name }) => name);
      const [row] = await tx<{ id: string }[]>`
        insert into ${tx(table)} (${tx(names)})
        select ${tx(names)} from jsonb_populate_record(null::${tx(table)},
          (select to_jsonb(t) from ${tx(table)} t where id = ${from}::bigint) || ${JSON.stringify(changes)}::text::jsonb)
        returning id`;
      return row?.id ?? '';
    };
    const [first] = await tx<{ id: string }[]>`select min(id) as id from deleverage_event`;
    const eventId = await copy('deleverage_event', first?.id ?? '', { lap_id: lapId });
    for (const leg of await tx<
      { id: string }[]
    >`select id from deleverage_leg where event_id = ${first?.id ?? ''}::bigint`)
      await copy('deleverage_leg', leg.id, { event_id: eventId });
    await tx`
      insert into deleverage_skip (event_id, account_id, rank, reason, size)
      values (${eventId}::bigint, 'carl', 1, 'HELD', 1)`;
  });
}

export type Finding = readonly [sequence: string | null, reason: string | null];

/** What is found of a chain after a superuser's statements, which get past every trigger and are undone afterwards. */
export async function findingOf(sql: Sql, chain: Chain, statements: string, head?: ChainHead): Promise<Finding> {
  const undone = new Error('undone');
  let finding: Finding = [null, null];
  try {
    await sql.begin(async (tx) => {
      await tx`set local session_replication_role = replica`;
      await tx.unsafe(statements).simple();
      const { badSequence, reason } = await verifyChain(tx, chain, head ?? null);
      finding = [badSequence, reason];
      throw undone;
    });
  } catch (error) {
    if (error !== undone) throw error;
  }
  return finding;
}
