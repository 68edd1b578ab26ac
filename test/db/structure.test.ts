import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { describeStructure } from '../../src/db/structure.js';
import { createTestDatabase } from '../support/database.js';
import type { TestDatabase } from '../support/database.js';

const STATEMENTS = `
  create type side as enum ('LONG', 'SHORT');
  create domain amount as numeric(38, 18) not null check (value >= 0);
  create table account (
    id text collate "C" primary key check (id <> ''),
    held amount,
    at timestamptz not null default now(),
    twice numeric generated always as (held * 2) stored
  );
  create table position (
    id bigint generated always as identity primary key,
    account_id text collate "C" not null references account (id),
    side side,
    unique (account_id, side)
  );
  create index position_long on position (account_id) where side = 'LONG';
  create view rich as select id from account where held > 100;
  create function refuse() returns trigger language plpgsql as 'begin raise exception ''no''; end';
  create trigger account_kept before delete on account for each row execute function refuse();
  grant select on rich to public;
  comment on table account is 'who holds';
  comment on column account.held is 'in units of the asset';
  comment on view rich is 'more than 100';
  comment on function refuse() is 'append only';
`;

describe('the description of a schema', () => {
  let db: TestDatabase;
  beforeAll(async () => {
    db = await createTestDatabase({ migrated: false });
    await db.sql.unsafe(STATEMENTS).simple();
  });
  afterAll(() => db.drop());

  it('names everything that a migration can change', async () => {
    console.log(await describeStructure(db.sql));
  });

  it('is empty for an empty schema', async () => {
    const empty = await createTestDatabase({ migrated: false });
    expect(await describeStructure(empty.sql)).toBe('');
    await empty.drop();
  });
});

const EXPECTED = ``;
