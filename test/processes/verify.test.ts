import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { main } from '../../src/cli.js';
import { verifyChains } from '../../src/verify.js';
import { writeChainedHistory } from '../support/chained-history.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

let db: TestDatabase;
let folder: string;
beforeAll(async () => {
  db = await createTestDatabase();
  await writeChainedHistory(db.sql);
  folder = await mkdtemp(path.join(os.tmpdir(), 'backstop-heads-'));
});
afterAll(async () => {
  await db.drop();
  await rm(folder, { recursive: true });
});

const file = (name: string): string => path.join(folder, name);

/** As from a shell, in this process: a start of another one takes seconds. */
async function backstop(...words: string[]): Promise<Ended> {
  const said = { out: '', err: '' };
  const keep = (stream: keyof typeof said) => (chunk: string | Uint8Array) => {
    said[stream] += chunk.toString();
    return true;
  };
  process.env['DATABASE_URL'] = db.url;
  const spies = [
    jest.spyOn(process.stdout, 'write').mockImplementation(keep('out')),
    jest.spyOn(process.stderr, 'write').mockImplementation(keep('err')),
  ];
  try {
    const code = await main(words);
    return { code, ...said };
  } finally {
    for (const spy of spies) spy.mockRestore();
    delete process.env['DATABASE_URL'];
  }
}

async function asSuperuser(statements: string): Promise<void> {
  await db.sql.begin(async (tx) => {
    await tx`set local session_replication_role = replica`;
    await tx.unsafe(statements).simple();
  });
}

describe('backstop verify', () => {
  it('seals what waits, recomputes every chain, and exports where they end', async () => {
    const { code, out, err } = await backstop('verify', '--export', file('heads.json'));
    expect([code, err]).toEqual([0, '']);
    expect(out).toMatch(
      /^AUDIT_LOG whole: 6 links, head 6 [0-9a-f]{64}\nFUND_LEDGER whole: 8 links, head 8 [0-9a-f]{64}\nDELEVERAGE whole: 6 links, head 6 [0-9a-f]{64}\n$/,
    );
    const { at, heads } = JSON.parse(await readFile(file('heads.json'), 'utf8')) as { at: string; heads: unknown };
    expect(at).toMatch(/^20.*Z$/);
    const stored = await db.sql`select chain, sequence, hash from chain_head`;
    expect(heads).toEqual([...stored]);
  });

  it('writes heads to stdout too, and never over others', async () => {
    const { code, out, err } = await backstop('verify', '--chain', 'DELEVERAGE', '--export');
    expect([code, (JSON.parse(out) as { heads: { chain: string }[] }).heads.map(({ chain }) => chain)]).toEqual([
      0,
      ['DELEVERAGE'],
    ]);
    expect(err).toMatch(/^DELEVERAGE whole/);
    const again = await backstop('verify', '--export', file('heads.json'));
    expect([again.code, again.err]).toEqual([1, expect.stringMatching(/heads\.json cannot be written/)]);
  });

  it('fails where a chain is broken, says where, and exports nothing', async () => {
    await asSuperuser(
      `update ledger_entry set amount = amount + 1 where id = (select row_id from chain_link where chain = 'FUND_LEDGER' and sequence = 4)`,
    );
    const { code, out, err } = await backstop('verify', '--head', file('heads.json'), '--export', file('broken.json'));
    expect(code).toBe(1);
    expect(out).toMatch(
      /^AUDIT_LOG whole: .*\nFUND_LEDGER BROKEN at sequence 4: ROW_ALTERED, row \d+; 8 links, head 8 [0-9a-f]{64}\nDELEVERAGE whole/,
    );
    expect(err).toMatch(/heads of a broken chain are not exported/);
    await expect(readFile(file('broken.json'))).rejects.toThrow(/ENOENT/);
    expect((await backstop('verify')).code).toBe(1);
    await asSuperuser(
      `update ledger_entry set amount = amount - 1 where id = (select row_id from chain_link where chain = 'FUND_LEDGER' and sequence = 4)`,
    );
  });

  it('misses a tail that was cut off, by an exported head alone', async () => {
    await asSuperuser(`
      delete from audit_entry where id = (select row_id from chain_link where chain = 'AUDIT_LOG' and sequence = 6);
      delete from chain_link where chain = 'AUDIT_LOG' and sequence = 6`);
    const { chains } = await verifyChains(db.sql, { chain: 'AUDIT_LOG' });
    expect(chains).toMatchObject([{ headSequence: '5', reason: null }]);
    const { code, out } = await backstop('verify', '--head', file('heads.json'));
    expect([code, out]).toEqual([1, expect.stringMatching(/^AUDIT_LOG BROKEN at sequence 6: TAIL_CUT; 5 links/)]);
  });

  it('refuses heads that are none, and chains that there are not', async () => {
    await writeFile(file('odd.json'), '{"at": "now", "heads": [{"chain": "AUDIT_LOG", "sequence": "x", "hash": ""}]}');
    await writeFile(file('few.json'), '{"at": "now", "heads": []}');
    const refusal = (options: Parameters<typeof verifyChains>[1]): Promise<unknown> =>
      verifyChains(db.sql, options).catch((error: unknown) => error);
    expect(await refusal({ head: file('odd.json') })).toMatchObject({
      code: 'BAD_INPUT',
      message: expect.stringMatching(/no export of heads/),
    });
    expect(await refusal({ head: file('few.json') })).toMatchObject({
      message: expect.stringMatching(/has no head of AUDIT_LOG/),
    });
    expect(await refusal({ head: file('none.json') })).toMatchObject({
      message: expect.stringMatching(/cannot be read: ENOENT/),
    });
    expect(await refusal({ chain: 'TRADES' })).toMatchObject({
      message: expect.stringMatching(/There is no chain TRADES/),
    });
  });
});

describe('the commands that administer', () => {
  const newest = async (): Promise<Record<string, unknown>> => {
    const [row] = await db.sql`
      select actor, scopes, action, target_type, target_id, input, after, outcome, code from audit_entry order by id desc limit 1`;
    return row ?? {};
  };

  it('stand in the audit log, with the user and the host', async () => {
    const lines = ['{"type": "asset", "id": "EUR"}', '{"type": "trader", "id": "ann-2"}'];
    await writeFile(file('book.ndjson'), `${lines.join('\n')}\n`);
    expect((await backstop('import', file('book.ndjson'))).code).toBe(0);
    const entry = await newest();
    expect(entry).toMatchObject({
      ...{
        scopes: ['cli'],
        action: 'import',
        target_type: null,
        target_id: null,
        input: { file: file('book.ndjson') },
      },
      ...{ after: { asset: 1, trader: 1, account: 0 }, outcome: 'ACCEPTED', code: null },
    });
    expect(entry['actor']).toMatch(/^cli\/.+@.+$/);

    await writeFile(file('bad.ndjson'), '{"type": "asset", "id": "no id"}\n');
    expect((await backstop('import', file('bad.ndjson'))).code).toBe(1);
    expect(await newest()).toMatchObject({ action: 'import', outcome: 'REFUSED', code: 'BAD_INPUT', after: null });

    const refused = await backstop('generate', '--positions', '1000');
    expect([refused.code, refused.out]).toEqual([1, '']);
    expect(refused.err).not.toMatch(/positions/);
    expect(await newest()).toMatchObject({ action: 'generate', input: { positions: 1000, seed: 1 }, code: 'CONFLICT' });

    expect((await backstop('run', 'waterfall', '--dry-run')).code).toBe(0);
    expect(await newest()).toMatchObject({ action: 'generate' });
    expect((await backstop('run', 'waterfall')).code).toBe(0);
    expect(await newest()).toMatchObject({
      action: 'run',
      target_type: 'Job',
      target_id: 'waterfall',
      outcome: 'ACCEPTED',
    });
  });
});

describe('backstop explain --verify', () => {
  it('makes an event again, and fails where a figure differs', async () => {
    const [event] = await db.sql<{ id: string }[]>`select min(id) as id from deleverage_event`;
    const id = event?.id ?? '';
    const whole = await backstop('explain', id, '--verify');
    expect([whole.code, whole.err]).toEqual([0, '']);
    expect(whole.out.match(/^(RANKING|PRICE|LEGS|SKIPS) equal: \d+ figures, digest [0-9a-f]{64}$/gm)).toHaveLength(4);
    await asSuperuser(`update deleverage_event set price_value = price_value + 0.5 where id = ${id}`);
    const altered = await backstop('explain', id, '--verify');
    expect(altered.code).toBe(1);
    expect(altered.out).toMatch(/^PRICE DIFFERS in 1 of \d+ figures/m);
    expect(altered.out).toMatch(/^ {2}price_value: stored \S+, recomputed \S+$/m);
    // One that was put in, with nothing behind it.
    const [forged] = await db.sql<{ id: string }[]>`select max(id) as id from deleverage_event`;
    const put = await backstop('explain', forged?.id ?? '', '--verify');
    expect([put.code, put.out]).toEqual([
      1,
      expect.stringMatching(/^ {2}size_before: stored \S+, recomputed nothing$/m),
    ]);
    expect((await backstop('explain', '999999', '--verify')).err).toContain('999999');
  });
});
