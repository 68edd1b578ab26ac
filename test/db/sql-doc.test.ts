import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { packageRoot } from '../../src/config.js';
import { sealChains } from '../../src/db/chains.js';
import { addSnapshotChunk, finishSnapshot } from '../../src/ingest/reconciliation.js';
import { dec } from '../../src/risk/decimal.js';
import { CRASH_END, playCrash } from '../support/crash.js';
import { createTestDatabase } from '../support/database.js';
import type { TestDatabase } from '../support/database.js';

type Row = Record<string, unknown>;

const text = readFileSync(path.join(packageRoot, 'docs/sql.md'), 'utf8');
const queries = [...text.matchAll(/^### (\d+)\. (.+?)\n[\s\S]*?```sql\n([\s\S]*?)```/gm)].map(
  ([, number = '', title = '', query = '']) => ({ number: Number.parseInt(number, 10), title, query }),
);

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
  await playCrash(db.sql);
});
afterAll(() => db.drop());

/** As an inspector would run it, at the end of the story. */
async function answer(number: number): Promise<Row[]> {
  const query = queries.find((each) => each.number === number)?.query ?? '';
  return db.sql.begin(async (tx) => {
    await tx`select set_config('backstop.now', ${CRASH_END}, true)`;
    await tx`set local role backstop_reader`;
    return [...(await tx.unsafe<Row[]>(query))];
  });
}

const values = (rows: readonly Row[], ...columns: string[]): unknown[][] =>
  rows.map((row) => columns.map((column) => row[column]));
/** Without the zeros that numeric keeps behind the point. */
const plain = (amount: unknown): string => dec(String(amount)).toFixed();

describe('docs/sql.md', () => {
  it('has thirteen numbered queries, and no other', () => {
    expect(queries.map(({ number }) => number)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
    expect([...text.matchAll(/```sql/g)]).toHaveLength(13);
  });

  it('1 and 2 find the account in most trouble', async () => {
    expect(values(await answer(1), 'account_id', 'status', 'margin_ratio')).toEqual([
      ['carl', 'MARGIN_CALL', '0.841666666666666666'],
    ]);
    expect(values(await answer(2), 'market_id', 'side', 'size', 'bankruptcy_price')).toEqual([
      ['XRPUSDT', 'LONG', '1010', '0.976237623762376237'],
    ]);
  });

  it('3 finds who is next', async () => {
    expect(values(await answer(3), 'market_id', 'side', 'account_id')).toEqual([
      ['BTCUSDT', 'SHORT', 'bob'],
      ['XRPUSDT', 'LONG', 'carl'],
      ['XRPUSDT', 'SHORT', 'dora'],
    ]);
  });

  it('4 tells the event and why', async () => {
    const rows = await answer(4);
    expect(values(rows, 'counterparty_id', 'rank', 'size_closed', 'price', 'concession')).toEqual([
      ['ann', 1, '6', '92.5', '15'],
      ['bob', 2, '2', '92.5', '5'],
    ]);
    expect(rows[0]?.['why']).toMatch(/^whale was bankrupt/);
  });

  it('5 works the price out again', async () => {
    const [row = {}] = await answer(5);
    expect(['missing', 'deficit', 'fund_paid', 'fund_ought_to_pay'].map((column) => plain(row[column]))).toEqual([
      '32',
      '32',
      '12',
      '12',
    ]);
    expect(row['legs_are_worth']).toBe(row['legs_ought_to_be_worth']);
  });

  it('6 works the concessions out again', async () => {
    const rows = await answer(6);
    expect(rows.map((row) => plain(row['concession']))).toEqual(['15', '5']);
    expect(rows.map((row) => plain(row['worked_out']))).toEqual(['15', '5']);
  });

  it('7 puts the queue in order again', async () => {
    const rows = await answer(7);
    expect(values(rows, 'rank', 'account_id', 'was_reduced', 'was_skipped')).toEqual([
      [1, 'ann', true, null],
      [2, 'bob', true, null],
    ]);
    expect(rows.map((row) => row['rank_worked_out'])).toEqual(['1', '2']);
    expect(rows.map((row) => row['size_ahead_worked_out'])).toEqual(rows.map((row) => row['size_ahead']));
  });

  it('8 lists what the fund did', async () => {
    expect(values(await answer(8), 'sequence', 'kind', 'amount', 'account_id')).toEqual([
      ['3', 'FUND_PAYMENT', '-12', 'whale'],
      ['2', 'FUND_PAYMENT', '-8', 'whale'],
      ['1', 'TRANSFER', '20', null],
    ]);
  });

  it('9 and 10 find nothing wrong', async () => {
    const [row = {}] = await answer(9);
    expect([row['asset_id'], plain(row['balances']), plain(row['difference'])]).toEqual(['USDT', '1094', '0']);
    expect(await answer(10)).toEqual([]);
  });

  it('11 recomputes the chains, which wait before the first sealing', async () => {
    const columns = ['chain', 'links', 'pending', 'reason'];
    expect(values(await answer(11), ...columns)).toEqual([
      ['AUDIT_LOG', '0', '0', null],
      ['FUND_LEDGER', '0', '3', null],
      ['DELEVERAGE', '0', '1', null],
    ]);
    await sealChains(db.sql);
    expect(values(await answer(11), ...columns)).toEqual([
      ['AUDIT_LOG', '0', '0', null],
      ['FUND_LEDGER', '3', '0', null],
      ['DELEVERAGE', '1', '0', null],
    ]);
  });

  it('12 tells who proposed and who approved', async () => {
    const id = await db.sql<{ id: string; digest: string }[]>`
      insert into change (kind, target_type, target_id, payload, reason, proposed_by, expires_at)
      select 'POLICY_CHANGE', 'Market', 'XRPUSDT', '{"score": "ACCOUNT_RETURN", "version": 2}', 'fairer', 'ann', now() + interval '1 day'
      from generate_series(1, 2) returning id, digest`;
    await db.sql`
      insert into change_decision (change_id, decision, digest, decided_by)
      values (${id[0]?.id ?? ''}::bigint, 'APPROVE', ${id[0]?.digest ?? ''}, 'ben')`;
    expect(values(await answer(12), 'status', 'proposed_by', 'decided_by', 'digest_holds')).toEqual([
      ['PROPOSED', 'ann', null, true],
      ['APPLIED', 'ann', 'ben', true],
    ]);
  });

  it('13 finds where the exchange says something else', async () => {
    const asOf = new Date().toISOString();
    const positions = [{ accountId: 'nobody', marketId: 'BTCUSDT', size: '1' }];
    for (const id of ['s1', 's2']) {
      await addSnapshotChunk(db.sql, 'feed', { id, asOf, chunk: 1, positions, balances: [] });
      await finishSnapshot(db.sql, 'feed', { id, chunks: 1, rows: 1 });
    }
    const rows = await answer(13);
    const columns = [
      'external_id',
      'account_id',
      'subject',
      'theirs',
      'ours',
      'difference',
      'last_fact',
      'last_fact_id',
      'last_change',
    ];
    expect(values(rows, ...columns).map((row) => row.join(' '))).toEqual([
      's2 ann USDT  245 -245 DELEVERAGE  45',
      's2 bob BTCUSDT  -1 1 TRADE halted 1',
      's2 bob USDT  325 -325 TRADE halted 10',
      's2 carl XRPUSDT  1010 -1010 TRADE grows 10',
      's2 carl USDT  24 -24 TRANSFER deposit-carl 24',
      's2 dora XRPUSDT  -1010 1010 TRADE grows -10',
      's2 dora USDT  500 -500 TRANSFER deposit-dora 500',
      's2 lp BTCUSDT  1 -1 TRADE halted -1',
      's2 nobody BTCUSDT 1  1   ',
    ]);
    expect(rows[0]?.['last_at']).toBe('2025-10-10T21:11:01.000000Z');
  });
});
