import { createHash } from 'node:crypto';
import type { Reader } from '../../src/db/connect.js';

/** One digest over every row of every table: two equal ones say that nothing at all has changed between them. */
export async function fingerprintOf(sql: Reader, except: readonly string[] = []): Promise<string> {
  const tables = await sql<{ name: string }[]>`
    select table_name as name from information_schema.tables
    where table_schema = 'public' and table_type = 'BASE TABLE' and table_name <> all(${[...except]}::text[])
    order by table_name`;
  const hash = createHash('sha256');
  for (const { name } of tables) {
    const rows = await sql<{ row: string }[]>`select t::text as row from ${sql(name)} t order by t::text`;
    hash.update(`${name}\n`);
    for (const { row } of rows) hash.update(`${row}\n`);
  }
  return hash.digest('hex');
}
