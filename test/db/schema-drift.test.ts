import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { packageRoot } from '../../src/config.js';
import { describeStructure } from '../../src/db/structure.js';
import { createTestDatabase } from '../support/database.js';
import type { TestDatabase } from '../support/database.js';
import { parseModels } from '../support/prisma-models.js';
import type { Model } from '../support/prisma-models.js';

describe('the schema', () => {
  let db: TestDatabase;
  beforeAll(async () => {
    db = await createTestDatabase();
  });
  afterAll(() => db.drop());

  it('that the migrations make is the one that is committed as text (npm run schema:dump writes it)', async () => {
    const committed = await readFile(path.join(packageRoot, 'prisma/structure.txt'), 'utf8');
    expect(await describeStructure(db.sql)).toBe(committed);
  });

  it('has the tables and columns that the Prisma models say, and no others', async () => {
    const schema = await readFile(path.join(packageRoot, 'prisma/schema.prisma'), 'utf8');
    expect(sorted(parseModels(schema))).toEqual(sorted(await loadTables(db)));
  });
});

/** Prisma knows no domains: a column of one counts as a column of the type below it. */
async function loadTables(db: TestDatabase): Promise<Model[]> {
  return db.sql<Model[]>`
    select c.relname as table,
           json_agg(json_build_object(
             'name', a.attname,
             'type', case t.typtype when 'd' then format_type(t.typbasetype, t.typtypmod) else format_type(t.oid, a.atttypmod) end,
             'nullable', not a.attnotnull and not t.typnotnull)) as columns
    from pg_class c
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    join pg_type t on t.oid = a.atttypid
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and c.relname <> '_prisma_migrations'
    group by c.relname`;
}

function sorted(models: readonly Model[]): Record<string, string[]> {
  const lines = models.map(({ table, columns }): [string, string[]] => [
    table,
    columns.map(({ name, type, nullable }) => `${name} ${type}${nullable ? '' : ' not null'}`).sort(),
  ]);
  return Object.fromEntries(lines.sort(([a], [b]) => (a < b ? -1 : 1)));
}

describe('the reader of Prisma models', () => {
  it('knows names, types, lists and optional fields, and leaves relations out', () => {
    const schema = `
/// Who holds.
model Account {
  id        String     @id
  held      Decimal    @default(0) @db.Decimal(38, 18)
  at        DateTime   @map("opened_at") @db.Timestamptz(6)
  side      Side?
  tags      String[]
  version   Unsupported("xid8")
  positions Position[]

  @@map("account")
}

model Position {
  id        BigInt  @id @default(autoincrement())
  accountId String  @map("account_id")
  account   Account @relation(fields: [accountId], references: [id])

  @@unique([accountId])
}

enum Side {
  LONG
  SHORT

  @@map("side")
}
`;
    expect(sorted(parseModels(schema))).toEqual({
      Position: ['account_id text not null', 'id bigint not null'],
      account: [
        'held numeric(38,18) not null',
        'id text not null',
        'opened_at timestamp with time zone not null',
        'side side',
        'tags text[] not null',
        'version xid8 not null',
      ],
    });
  });
});
