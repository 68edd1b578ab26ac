import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { CHAINS, sealChains, verifyChain, type Chain, type ChainHead } from '../../src/db/chains.js';
import { findingOf, writeChainedHistory, type Finding } from '../support/chained-history.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

const TABLES = { AUDIT_LOG: 'audit_entry', FUND_LEDGER: 'ledger_entry', DELEVERAGE: 'deleverage_event' } as const;

let db: TestDatabase;
/** Ids of the rows of each chain, in its order. */
const ids: Record<Chain, string[]> = { AUDIT_LOG: [], FUND_LEDGER: [], DELEVERAGE: [] };

beforeAll(async () => {
  db = await createTestDatabase();
  await writeChainedHistory(db.sql);
  await sealChains(db.sql);
  for (const chain of CHAINS) {
    const links = await db.sql<{ id: string }[]>`
      select row_id as id from chain_link where chain = ${chain} order by sequence`;
    ids[chain] = links.map(({ id }) => id);
  }
});
afterAll(() => db.drop());

const found = (chain: Chain, statements: string, head?: ChainHead): Promise<Finding> =>
  findingOf(db.sql, chain, statements, head);

describe.each(CHAINS)('the chain %s', (chain) => {
  const table = TABLES[chain];
  const row = (sequence: number): string => ids[chain][sequence - 1] ?? 'null';
  const link = `chain_link where chain = '${chain}' and sequence`;

  it('is whole as it was written', async () => {
    expect(ids[chain].length).toBeGreaterThanOrEqual(6);
    expect(await verifyChain(db.sql, chain)).toMatchObject({
      ...{ chain, links: String(ids[chain].length), headSequence: String(ids[chain].length) },
      ...{ pending: '0', pendingSince: null, badSequence: null, badRow: null, reason: null },
    });
    expect(await found(chain, '')).toEqual([null, null]);
  });

  it('misses a row that was removed', async () => {
    expect(await found(chain, `delete from ${table} where id = ${row(4)}`)).toEqual(['4', 'ROW_REMOVED']);
    expect(await found(chain, `delete from ${table} where id in (${row(6)}, ${row(2)})`)).toEqual(['2', 'ROW_REMOVED']);
  });

  it('finds a row that was put in, wherever', async () => {
    const copy = (id: string): string => `
      alter table ${table} alter column id drop identity;
      create temporary table copied on commit drop as select * from ${table} where id = ${row(3)};
      update copied set id = ${id}; insert into ${table} select * from copied`;
    // Past the unique constraints as well.
    const loose = `
      do $$ declare name text; begin
        for name in select conname from pg_constraint where conrelid = '${table}'::regclass and contype = 'u'
        loop execute format('alter table ${table} drop constraint %I cascade', name); end loop;
      end $$;`;
    const last = ids[chain].length;
    expect(await found(chain, loose + copy('-1'))).toEqual(['1', 'ROW_INSERTED']);
    expect(await found(chain, loose + copy(`${row(last)} + 1000`))).toEqual([String(last + 1), 'ROW_INSERTED']);
  });

  it('finds rows that changed places', async () => {
    const swap = `
      alter table ${table} alter column id drop identity;
      update ${table} set id = -1 where id = ${row(3)};
      update ${table} set id = ${row(3)} where id = ${row(5)};
      update ${table} set id = ${row(5)} where id = -1`;
    expect(await found(chain, swap)).toEqual(['3', 'ROW_ALTERED']);
  });

  it('finds links that changed places', async () => {
    const swap = `
      update ${link} = 3`.replace('where', 'set sequence = 999 where');
    const statements = [
      swap,
      `update ${link} = 4`.replace('where', 'set sequence = 3 where'),
      `update ${link} = 999`.replace('where', 'set sequence = 4 where'),
    ].join(';');
    expect(await found(chain, statements)).toEqual(['3', 'REORDERED']);
  });

  it('finds a link that was removed, and one that was put in', async () => {
    expect(await found(chain, `delete from ${link} = 3`)).toEqual(['3', 'GAP']);
    expect(await found(chain, `delete from ${link} = 1`)).toEqual(['1', 'GAP']);
    const forged = `
      insert into chain_link select chain, sequence + 1, -7, row_hash, hash, repeat('a', 64), sealed_at
      from chain_head join chain_link using (chain, sequence, hash, sealed_at) where chain = '${chain}'`;
    expect(await found(chain, forged)).toEqual([String(ids[chain].length + 1), 'LINK_ALTERED']);
  });

  it.each([
    ['row_id', '-5'],
    ['row_hash', "repeat('b', 64)"],
    ['previous_hash', "repeat('b', 64)"],
    ['hash', "repeat('b', 64)"],
    ['sealed_at', "sealed_at + interval '1 microsecond'"],
  ])('finds an altered %s of a link', async (column, value) => {
    expect(
      await found(chain, `update chain_link set ${column} = ${value} where chain = '${chain}' and sequence = 3`),
    ).toEqual(['3', 'LINK_ALTERED']);
  });

  it('finds a row that was sealed anew after a change, by the link behind it', async () => {
    const statements = `
      update ${table} set at = at + interval '1 day' where id = ${row(3)};
      update chain_link set row_hash = chain_row_hash(chain, row_id) where chain = '${chain}' and sequence = 3;
      update chain_link set hash = chain_link_hash(chain, sequence, row_id, row_hash, previous_hash, sealed_at)
      where chain = '${chain}' and sequence = 3`;
    expect(await found(chain, statements)).toEqual(['4', 'LINK_ALTERED']);
  });

  it('misses a tail that was cut off, and a history that was made anew, by a head kept elsewhere', async () => {
    const [kept] = await db.sql<ChainHead[]>`select chain, sequence, hash from chain_head where chain = ${chain}`;
    const last = Number(kept?.sequence);
    const gone = `(${row(last - 1)}, ${row(last)})`;
    const parts = ['deleverage_leg', 'deleverage_skip'].map((part) => `delete from ${part} where event_id in ${gone};`);
    const cut = `delete from ${link} >= ${last - 1}; delete from ${table} where id in ${gone};
      ${chain === 'DELEVERAGE' ? parts.join('') : ''}`;
    expect(await found(chain, cut)).toEqual([null, null]);
    expect(await found(chain, cut, kept)).toEqual([String(last - 1), 'TAIL_CUT']);
    const anew = `
      update ${table} set at = at + interval '1 day' where id = ${row(last)};
      update chain_link set row_hash = chain_row_hash(chain, row_id) where chain = '${chain}' and sequence = ${last};
      update chain_link set hash = chain_link_hash(chain, sequence, row_id, row_hash, previous_hash, sealed_at)
      where chain = '${chain}' and sequence = ${last}`;
    expect(await found(chain, anew)).toEqual([null, null]);
    expect(await found(chain, anew, kept)).toEqual([String(last), 'OTHER_HEAD']);
    expect(await found(chain, '', kept)).toEqual([null, null]);
  });

  it('misses a row that was removed while it waited', async () => {
    const statements = `
      insert into chain_due (chain, row_id) values ('${chain}', 987654321);
      select seal_chain('${chain}', 10)`;
    expect(await found(chain, statements)).toEqual([String(ids[chain].length + 1), 'ROW_REMOVED']);
  });
});

/** What says something else than `column`, by its type. */
const OTHER: Readonly<Record<string, (column: string) => string>> = {
  text: (column) => `coalesce(${column}, '') || 'x'`,
  'text[]': (column) => `array_append(${column}, 'x')`,
  numeric: (column) => `coalesce(${column}, 0) + 0.000000000000000001`,
  bigint: (column) => `coalesce(${column}, 0) + 5000`,
  integer: (column) => `coalesce(${column}, 0) + 5000`,
  smallint: (column) => `coalesce(${column}, 0) + 1`,
  boolean: (column) => `not ${column}`,
  jsonb: (column) => `coalesce(${column}, '{}') || '{"x": null}'`,
  'timestamp with time zone': (column) => `coalesce(${column}, '2025-01-01Z') + interval '1 microsecond'`,
};

describe('what is sealed', () => {
  const SEALED = [
    ['AUDIT_LOG', 'audit_entry', 3],
    ['FUND_LEDGER', 'ledger_entry', 3],
    ['DELEVERAGE', 'deleverage_event', 3],
    ['DELEVERAGE', 'deleverage_leg', 3],
    ['DELEVERAGE', 'deleverage_skip', 3],
    ['DELEVERAGE', 'ranking', 1],
  ] as const;

  it.each(SEALED)('is every column: %s, %s', async (chain, table, sequence) => {
    const columns = await db.sql<{ name: string; type: string }[]>`
      select a.attname as name,
        case when t.typtype = 'd' then t.typbasetype::regtype::text else format_type(t.oid, null) end as type
      from pg_attribute a join pg_type t on t.oid = a.atttypid
      where a.attrelid = ${table}::regclass and a.attnum > 0 and a.attidentity = '' and not a.attisdropped`;
    expect(columns.length).toBeGreaterThan(6);
    const key = table === 'deleverage_leg' || table === 'deleverage_skip' ? 'event_id' : 'id';
    const id =
      table === 'ranking'
        ? '(select ranking_id from deleverage_event order by id limit 1)'
        : (ids[chain][sequence - 1] ?? '');
    const free = `
      do $$ declare name text; begin
        for name in select conname from pg_constraint where conrelid = '${table}'::regclass and contype = 'c'
        loop execute format('alter table ${table} drop constraint %I', name); end loop;
      end $$;`;
    for (const { name, type } of columns) {
      const other = OTHER[type]?.(name) ?? `no other value of ${type}`;
      const [badSequence, reason] = await found(
        chain,
        `${free} update ${table} set ${name} = ${other} where ctid = (select ctid from ${table} where ${key} = ${id} limit 1)`,
      );
      const isElsewhere = table === 'ledger_entry' && name === 'account_id';
      expect([name, badSequence, reason]).toEqual([
        name,
        String(sequence),
        isElsewhere ? 'ROW_REMOVED' : 'ROW_ALTERED',
      ]);
    }
  });

  it('tells null from an empty text', async () => {
    const id = ids.AUDIT_LOG[5] ?? '';
    expect(await found('AUDIT_LOG', `update audit_entry set reason = '' where id = ${id}`)).toEqual([
      '6',
      'ROW_ALTERED',
    ]);
  });

  it.each([
    ['delete from deleverage_leg where event_id = %s and ordinal = 2', 'ROW_ALTERED'],
    ['delete from deleverage_skip where event_id = %s', 'ROW_ALTERED'],
    ['update deleverage_leg set ordinal = 3 - ordinal + 10 where event_id = %s', 'ROW_ALTERED'],
    ['delete from deleverage_event where id = %s; delete from chain_link where row_id = %s', 'GAP'],
  ])('is an event with its legs and skips: %s', async (statement, reason) => {
    expect(await found('DELEVERAGE', statement.replaceAll('%s', ids.DELEVERAGE[2] ?? ''))).toEqual(['3', reason]);
  });

  it('is every leg: those of no event are told', async () => {
    const statement = `
      alter table deleverage_leg alter column id drop identity;
      create temporary table copied on commit drop as select * from deleverage_leg where event_id = ${ids.DELEVERAGE[2] ?? ''} limit 1;
      update copied set id = -1, event_id = -1; insert into deleverage_leg select * from copied`;
    expect(await found('DELEVERAGE', statement)).toEqual(['1', 'ROW_INSERTED']);
  });

  it.each([
    `set local time zone 'Asia/Kathmandu'`,
    `set local datestyle = 'German, DMY'; set local intervalstyle = 'sql_standard'`,
    `set local extra_float_digits = -15; set local bytea_output = 'escape'`,
    `set local client_encoding = 'LATIN1'; set local lc_monetary = 'C'; set local lc_numeric = 'C'`,
    `set local standard_conforming_strings = off; set local xmloption = 'document'`,
    `set local search_path = public, pg_catalog; set local role backstop_reader`,
  ])('reads the same under other settings: %s', async (settings) => {
    for (const chain of CHAINS) expect(await found(chain, settings)).toEqual([null, null]);
  });
});

it('a chain that there is not is refused by what there is', async () => {
  await expect(db.sql`select * from verify_chain('FOO')`).rejects.toThrow(
    'value for domain chain_name violates check constraint "a chain is AUDIT_LOG, FUND_LEDGER or DELEVERAGE"',
  );
});

describe('the guards', () => {
  const refusalOf = async (statement: string): Promise<string> =>
    db.sql.unsafe(statement).then(
      () => 'taken',
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    );

  it('keep a row waiting until a link seals it', async () => {
    await db.sql`insert into chain_due (chain, row_id) values ('AUDIT_LOG', 5555)`;
    try {
      const sentence = (verb: string): string => `A row waits in chain_due until a link seals it (${verb} refused).`;
      expect(await refusalOf('delete from chain_due')).toBe(sentence('delete'));
      expect(await refusalOf('update chain_due set row_id = 1')).toBe(sentence('update'));
      expect(await refusalOf('truncate chain_due')).toBe(sentence('truncate'));
    } finally {
      await db.sql.begin(async (tx) => {
        await tx`set local session_replication_role = replica`;
        await tx`delete from chain_due`;
      });
    }
  });

  it('know no other chain', async () => {
    expect(await refusalOf(`select * from verify_chain('OTHER')`)).toMatch(/violates check constraint/);
    expect(await refusalOf(`select seal_chain('OTHER', 1)`)).toMatch(/violates check constraint/);
  });
});
