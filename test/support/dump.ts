import type { Reader } from '../../src/db/connect.js';

/** Rows of the tables as text, each without the columns in which two runs of the same may differ. */
export type Dump = Readonly<Record<string, readonly string[]>>;

/** Numbers of sequences and transactions, which a rollback does not give back, and instants of the server's own clock. */
const ACCIDENTS = {
  numbers: [
    'id',
    'transition_id',
    'liquidation_id',
    'ranking_id',
    'event_id',
    'leg_id',
    'cause_id',
    'margin_call_id',
    'changed_in',
    'row_id',
  ],
  clocks: [
    ...['created_at', 'received_at', 'started_at', 'ended_at', 'due_at', 'waits_since'],
    ...['proposed_at', 'expires_at', 'decided_at'],
  ],
};
/** Whose id is a name, or the number of the lap itself. */
const NAMED = ['asset', 'trader', 'account', 'market', 'job', 'lap'];
const RUNS = ['job', 'job_run'];

/** Everything that two runs must have in common; the record of the runs themselves apart. */
export async function dumpOf(sql: Reader): Promise<Dump> {
  const tables = await sql<{ name: string }[]>`
    select table_name as name from information_schema.tables
    where table_schema = 'public' and table_type = 'BASE TABLE' order by table_name`;
  const dump: Record<string, string[]> = {};
  for (const { name } of tables) {
    if (RUNS.includes(name)) continue;
    const numbers = NAMED.includes(name) ? ACCIDENTS.numbers.filter((column) => column !== 'id') : ACCIDENTS.numbers;
    const left = [...numbers, ...(name === 'margin_call' ? [] : ACCIDENTS.clocks)];
    const rows = await sql<{ row: string }[]>`
      select (to_jsonb(t) - ${left}::text[])::text as row from ${sql(name)} t
      order by (to_jsonb(t) - ${left}::text[])::text`;
    dump[name] = rows.map(({ row }) => row);
  }
  return dump;
}
