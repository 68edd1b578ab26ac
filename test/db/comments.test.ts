import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createTestDatabase } from '../support/database.js';
import type { TestDatabase } from '../support/database.js';

describe('the comments of the schema', () => {
  let db: TestDatabase;
  beforeAll(async () => {
    db = await createTestDatabase();
  });
  afterAll(() => db.drop());

  it('say what every table, view and column is', async () => {
    const silent = await db.sql<{ name: string }[]>`
      select c.relname || coalesce('.' || a.attname, '') as name
      from pg_class c
      left join lateral (
        select null as attname, 0 as attnum
        union all select attname, attnum from pg_attribute where attrelid = c.oid and attnum > 0 and not attisdropped) a on true
      where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm') and c.relname <> '_prisma_migrations'
        and coalesce(col_description(c.oid, a.attnum), case when a.attnum = 0 then obj_description(c.oid, 'pg_class') end, '') = ''
      order by 1`;
    expect(silent.map(({ name }) => name)).toEqual([]);
  });

  it('say what every function that a reader may call is', async () => {
    const silent = await db.sql<{ name: string }[]>`
      select p.proname as name from pg_proc p
      where p.pronamespace = 'public'::regnamespace and p.prorettype <> 'trigger'::regtype and obj_description(p.oid, 'pg_proc') is null`;
    expect(silent.map(({ name }) => name)).toEqual([]);
  });

  it('say of every column that may be empty what null means', async () => {
    // Views tell through their base columns what is null; of a table, the catalogue knows.
    const silent = await db.sql<{ name: string }[]>`
      select c.relname || '.' || a.attname as name
      from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
      where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and not a.attnotnull
        and c.relname <> '_prisma_migrations' and col_description(c.oid, a.attnum) !~ '[Nn]ull'
      order by 1`;
    expect(silent.map(({ name }) => name)).toEqual([]);
  });
});
