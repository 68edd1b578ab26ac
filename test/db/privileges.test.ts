import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { packageRoot } from '../../src/config.js';
import { closeSql, openSql, type Sql } from '../../src/db/connect.js';
import { deployMigrations } from '../../src/db/migrate.js';
import { sqlStateOf } from '../../src/db/transaction.js';
import { runLap } from '../../src/engine/run-lap.js';
import { addSnapshotChunk } from '../../src/ingest/reconciliation.js';
import { tellOfAlice } from '../graphql/api.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { createTestVenue } from '../support/venue.js';

/*
 * Who may do what with each relation. There are three: the owner, which is the service's own role; backstop_reader; and whoever
 * else may connect. A table that is missing here fails until somebody has decided what it is.
 */

/** What the owner meets: a guard's refusal (55000), that of a foreign key (23503), or nothing. */
type Answer = 'done' | 'GUARD' | 'KEY';
interface Class {
  readonly update: Answer;
  readonly delete: Answer;
  readonly truncate: Answer;
}

const HISTORY: Class = { update: 'GUARD', delete: 'GUARD', truncate: 'GUARD' };
/** A row of theirs moves on, by steps that a guard knows, and stays. */
const RECORD: Class = { update: 'done', delete: 'GUARD', truncate: 'GUARD' };
/** Rows stay because history names them. */
const PARTY: Class = { update: 'done', delete: 'KEY', truncate: 'GUARD' };
/** Comes and goes with trades; all of it at once does not. */
const STATE: Class = { update: 'done', delete: 'done', truncate: 'GUARD' };
const DERIVED: Class = { update: 'done', delete: 'done', truncate: 'done' };

const TABLES: Readonly<Record<string, Class>> = {
  ...{ asset: PARTY, trader: PARTY, insurance_fund: PARTY, market: PARTY, job: PARTY },
  ...{ account: RECORD, balance: RECORD, margin_call: RECORD, position: STATE, adl_level: DERIVED },
  ...{ venue_parameters: HISTORY, bracket_version: HISTORY, bracket: HISTORY, policy_version: HISTORY },
  // Retention removes of these three what nothing needs, and of keys what is a week old.
  ...{ price_mark: HISTORY, depth_snapshot: HISTORY, reconciliation_row: HISTORY, idempotency_key: HISTORY },
  ...{ reconciliation: HISTORY, reconciliation_chunk: HISTORY, reconciliation_result: HISTORY },
  ...{ reconciliation_difference: HISTORY, exemption: HISTORY, exemption_end: HISTORY },
  ...{ trade: HISTORY, transfer: HISTORY, funding: HISTORY, funding_payment: HISTORY, opening_position: HISTORY },
  ...{ job_run: HISTORY, lap: HISTORY, lap_price: HISTORY, market_status_change: HISTORY },
  ...{ margin_status_transition: HISTORY, margin_call_extension: HISTORY },
  ...{ liquidation: HISTORY, liquidation_fill: HISTORY, ranking: HISTORY, ranking_entry: HISTORY },
  ...{ deleverage_event: HISTORY, deleverage_leg: HISTORY, deleverage_skip: HISTORY },
  ...{ deficit_cover: HISTORY, forced_trade: HISTORY, position_change: HISTORY, ledger_entry: HISTORY },
  ...{ audit_entry: HISTORY, change: HISTORY, change_decision: HISTORY, retention_run: HISTORY },
  // The sealer alone takes a row out of chain_due, with its link.
  ...{ chain_due: HISTORY, chain_link: HISTORY },
  // The record of the migrations, in the form of Prisma's own command.
  _prisma_migrations: DERIVED,
};

const VIEWS = [
  ...['adl_queue', 'chain_head', 'chain_row', 'change_status', 'correction_violations', 'current_bracket'],
  ...['current_mark', 'current_policy', 'current_venue_parameters', 'deleverage_history', 'exemption_status'],
  ...['exemption_violations', 'feed_anomalies', 'forced_close_violations', 'insurance_fund_ledger'],
  ...['invariant_violations', 'leg_mark_later', 'margin_status', 'money_violations', 'open_interest'],
  ...['position_margin', 'position_value', 'position_violations', 'ranking_violations', 'reconciliation_fact'],
  ...['reconciliation_status'],
];

/** All of them change nothing: what writes is for the owner, as are the functions of triggers. */
const FUNCTIONS_OF_THE_READER = [
  ...['backstop_now', 'ceil_fraction', 'chain_link_hash', 'chain_row_content', 'chain_row_hash', 'change_digest'],
  ...['clamped_ratio', 'depth_side_is_sound', 'floor_fraction', 'price_of', 'truncated_fraction', 'utc_text'],
  ...['value_at', 'verify_chain'],
];
const FUNCTIONS_OF_THE_OWNER = ['depth_snapshot_is_needed', 'price_mark_is_needed', 'seal_chain'];

const DENIED = '42501';
const OTHERS_RIGHTS = 'insert, update, delete, truncate, references, trigger, maintain';
const PASSWORD = 'of-the-test';

const tag = randomBytes(4).toString('hex');
const [OWNER, STRANGER] = [`owner_${tag}`, `stranger_${tag}`];
let db: TestDatabase;
/** As each of the three. */
let owner: Sql;
let reader: Sql;
let stranger: Sql;

/** Owned and migrated by a role that is no superuser, as on a server of the operator's own. */
beforeAll(async () => {
  db = await createTestDatabase({ migrated: false });
  await db.sql
    .unsafe(
      `create role ${OWNER} login createrole password '${PASSWORD}'; create role ${STRANGER} login password '${PASSWORD}';
       alter database ${db.name} owner to ${OWNER}`,
    )
    .simple();
  await deployMigrations(urlOf(OWNER), path.join(packageRoot, 'prisma/migrations'));
  await db.sql.unsafe(`alter role backstop_reader password '${PASSWORD}'`);
  [owner, reader, stranger] = [OWNER, 'backstop_reader', STRANGER].map((role) => openSql(urlOf(role), { max: 1 })) as [
    Sql,
    Sql,
    Sql,
  ];
  await tell();
});
afterAll(async () => {
  for (const sql of [owner, reader, stranger]) await closeSql(sql);
  await db.drop();
});

function urlOf(role: string): string {
  const url = new URL(db.url);
  [url.username, url.password] = [role, PASSWORD];
  return url.href;
}

/** Something in every table whose guards look at rows. */
async function tell(): Promise<void> {
  const venue = await createTestVenue(owner);
  await tellOfAlice(venue);
  await venue.deposit('fund-usdt', '2');
  await venue.price('BTCUSDT', '99.2');
  await runLap(owner, { worker: 'test', at: venue.at });
  await venue.price('BTCUSDT', '97');
  await venue.depth('BTCUSDT', { bids: '1@98.5', asks: '1@99' });
  await runLap(owner, { worker: 'test', at: venue.at });
  await venue.price('BTCUSDT', '96.5');
  await venue.depth('BTCUSDT', { bids: '1@98', asks: '1@99' });
  const positions = [{ accountId: 'alice', marketId: 'BTCUSDT', size: '1' }];
  await addSnapshotChunk(owner, 'tester', { id: 's', asOf: venue.at, chunk: 1, positions, balances: [] });
  await owner`
    with entry as (
      insert into audit_entry (actor, scopes, action, input, request_id, outcome)
      values ('tester', '{}', 'marketHalt', '{}', 'r', 'ACCEPTED') returning id)
    insert into idempotency_key (caller, key, content_digest, audit_entry_id) select 'tester', 'k', repeat('0', 64), id from entry`;
}

/** What a statement meets, which is taken back. */
async function answerOf(sql: Sql, statement: string): Promise<string> {
  try {
    await sql.begin(async (tx) => {
      await tx.unsafe(statement);
      throw new Error('taken back');
    });
  } catch (error) {
    const state = sqlStateOf(error);
    return state === undefined ? 'done' : ({ '55000': 'GUARD', '23503': 'KEY' }[state] ?? state);
  }
  throw new Error('a transaction that was taken back was kept');
}

async function namesOf(kind: 'r' | 'v' | 'S'): Promise<string[]> {
  const rows = await db.sql<{ name: string }[]>`
    select relname as name from pg_class where relnamespace = 'public'::regnamespace and relkind = ${kind}`;
  return rows.map(({ name }) => name).sort();
}

async function may(role: string, relation: string, rights: string): Promise<boolean> {
  const [row] = await db.sql<{ may: boolean }[]>`select has_table_privilege(${role}, ${relation}, ${rights}) as may`;
  return row?.may === true;
}

describe('each relation', () => {
  it('is classified', async () => {
    expect(await namesOf('r')).toEqual(Object.keys(TABLES).sort());
    expect(await namesOf('v')).toEqual(VIEWS);
    // Of no other kind: a materialized view, a partition or a foreign table would be looked at by nobody here.
    const kinds = await db.sql<{ kind: string }[]>`
      select distinct relkind as kind from pg_class where relnamespace = 'public'::regnamespace order by 1`;
    expect(kinds.map(({ kind }) => kind)).toEqual(['S', 'i', 'r', 'v']);
  });

  it('is read and not written by the reader, and neither by others', async () => {
    for (const name of [...Object.keys(TABLES), ...VIEWS]) {
      const rights = [
        await may('backstop_reader', name, 'select'),
        await may('backstop_reader', name, OTHERS_RIGHTS),
        await may(STRANGER, name, `select, ${OTHERS_RIGHTS}`),
        await may(OWNER, name, 'select'),
      ];
      expect([name, ...rights]).toEqual([name, true, false, false, true]);
    }
    for (const name of Object.keys(TABLES))
      for (const right of ['insert', 'update', 'delete', 'truncate'])
        expect([name, right, await may(OWNER, name, right)]).toEqual([name, right, true]);
    expect(await answerOf(stranger, 'select from asset')).toBe(DENIED);
  });

  it('of numbers is the owner’s alone', async () => {
    const names = await namesOf('S');
    expect(names.length).toBeGreaterThan(10);
    for (const role of ['backstop_reader', STRANGER]) {
      for (const name of names) {
        const [row] = await db.sql<{ may: boolean }[]>`
          select has_sequence_privilege(${role}, ${name}, 'usage, select, update') as may`;
        expect([role, name, row?.may]).toEqual([role, name, false]);
      }
    }
  });
});

describe('the owner', () => {
  it.each(Object.entries(TABLES))('meets the guards of %s', async (name, expected) => {
    const [row] = await db.sql<{ column: string; has_id: boolean }[]>`
      select (select attname from pg_attribute where attrelid = c.oid and attnum > 0 and attidentity = '' and attgenerated = ''
          order by attnum limit 1) as column,
        exists (select from pg_attribute where attrelid = c.oid and attname = 'id') as has_id
      from pg_class c where c.oid = ${name}::regclass`;
    const column = row?.column ?? '';
    // The newest price and order book: a lap refers to older ones, and a foreign key would answer before the guard.
    const newest = ['price_mark', 'depth_snapshot'].includes(name) ? ` where id = (select max(id) from ${name})` : '';
    expect({
      update: await answerOf(owner, `update ${name} set ${column} = ${column}`),
      delete: await answerOf(owner, `delete from ${name}${newest}`),
      truncate: await answerOf(owner, `truncate ${name} cascade`),
    }).toEqual(expected);
  });

  it('removes nothing through a view', async () => {
    for (const name of VIEWS) expect([name, await answerOf(owner, `delete from ${name}`)]).toEqual([name, 'GUARD']);
  });
});

describe('each function', () => {
  it('is for the reader, for the owner or for triggers, and for nobody else', async () => {
    const all = await db.sql<{ name: string; trigger: boolean; volatile: boolean; definer: boolean }[]>`
      select proname as name, prorettype = 'trigger'::regtype as trigger, provolatile = 'v' as volatile, prosecdef as definer
      from pg_proc where pronamespace = 'public'::regnamespace`;
    const callable = all.filter(({ trigger }) => !trigger).map(({ name }) => name);
    expect(callable.sort()).toEqual([...FUNCTIONS_OF_THE_READER, ...FUNCTIONS_OF_THE_OWNER].sort());
    // None runs with rights that its caller does not have.
    expect(all.filter(({ definer }) => definer)).toEqual([]);
    for (const [role, expected] of [
      ['backstop_reader', FUNCTIONS_OF_THE_READER],
      [STRANGER, []],
    ] as const) {
      const rows = await db.sql<{ name: string; volatile: boolean }[]>`
        select proname as name, provolatile = 'v' as volatile from pg_proc
        where pronamespace = 'public'::regnamespace and has_function_privilege(${role}, oid, 'execute') order by 1`;
      expect([role, ...rows.map(({ name }) => name)]).toEqual([role, ...expected]);
      expect(rows.filter(({ volatile }) => volatile)).toEqual([]);
    }
  });

  it('that a later migration makes is not everybody’s', async () => {
    await owner`create function later() returns integer language sql as 'select 1'`;
    expect(await answerOf(reader, 'select later()')).toBe(DENIED);
    expect(await answerOf(stranger, 'select later()')).toBe(DENIED);
    await owner`drop function later()`;
  });
});

describe('secrets', () => {
  it('are out of the reader’s reach: passwords, files, and what others ask', async () => {
    for (const statement of [
      ...['select rolpassword from pg_authid', `select pg_read_file('PG_VERSION')`, `select pg_ls_dir('.')`],
      ...[`copy asset to program 'true'`, `copy asset to '/tmp/x'`, `set role ${OWNER}`],
    ])
      expect([statement, await answerOf(reader, statement)]).toEqual([statement, DENIED]);
    await owner`select 'what the owner asks'`;
    const seen = await reader<{ query: string }[]>`
      select query from pg_stat_activity where usename = ${OWNER}`;
    expect(seen.map(({ query }) => query)).toEqual(['<insufficient privilege>']);
  });

  it('are in no column', async () => {
    const columns = await db.sql<{ name: string }[]>`
      select table_name || '.' || column_name as name from information_schema.columns
      where table_schema = 'public' and column_name ~ '(password|secret|token|authorization|credential)'`;
    expect(columns.map(({ name }) => name)).toEqual([]);
  });
});
