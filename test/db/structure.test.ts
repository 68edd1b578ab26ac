import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { describeStructure } from '../../src/db/structure.js';
import { createTestDatabase } from '../support/database.js';
import type { TestDatabase } from '../support/database.js';

const STATEMENTS = `
  create type side as enum ('LONG', 'SHORT');
  create domain amount as numeric(38, 18) not null check (value >= 0);
  create domain name as text collate "C" default 'x';
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
    expect(await describeStructure(db.sql)).toBe(EXPECTED);
  });

  it('is empty for an empty schema', async () => {
    const empty = await createTestDatabase({ migrated: false });
    expect(await describeStructure(empty.sql)).toBe('');
    await empty.drop();
  });
});

const EXPECTED = `-- types

domain amount numeric(38,18) not null CHECK ((VALUE >= (0)::numeric))
domain name text collate "C" default 'x'::text
enum side ('LONG', 'SHORT')

-- tables

table account
  id text collate "C" not null
  held amount
  at timestamp with time zone not null default now()
  twice numeric generated always as (((held)::numeric * (2)::numeric)) stored

table position
  id bigint not null generated always as identity
  account_id text collate "C" not null
  side side


-- constraints

account.account_id_check CHECK ((id <> ''::text))
account.account_pkey PRIMARY KEY (id)
position.position_account_id_fkey FOREIGN KEY (account_id) REFERENCES account(id)
position.position_account_id_side_key UNIQUE (account_id, side)
position.position_pkey PRIMARY KEY (id)

-- indexes

CREATE INDEX position_long ON public."position" USING btree (account_id) WHERE (side = 'LONG'::side)

-- views

view rich as
 SELECT id
   FROM account
  WHERE ((held)::numeric > (100)::numeric);


-- functions

CREATE OR REPLACE FUNCTION public.refuse()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$begin raise exception 'no'; end$function$


-- triggers

CREATE TRIGGER account_kept BEFORE DELETE ON public.account FOR EACH ROW EXECUTE FUNCTION refuse()

-- grants

select on rich to public

-- comments

account.held: in units of the asset
account: who holds
refuse(): append only
rich: more than 100
`;
