import { cp, mkdtemp, readdir, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { packageRoot } from '../../src/config.js';
import { CHAINS, sealChains, verifyChain } from '../../src/db/chains.js';
import { closeSql, openSql, type Sql } from '../../src/db/connect.js';
import { deployMigrations } from '../../src/db/migrate.js';
import { contributeToFund, createAsset, createFund } from '../../src/ingest/accounts.js';
import { ChainSealer } from '../../src/jobs/sealer.js';
import { createLog } from '../../src/telemetry.js';
import { addAuditEntry } from '../support/chained-history.js';
import { playCrash } from '../support/crash.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

let db: TestDatabase;
let others: Sql[];
beforeEach(async () => {
  db = await createTestDatabase();
  others = [];
});
afterEach(async () => {
  await Promise.all(others.map(closeSql));
  await db.drop();
});

/** A connection of its own, which a transaction of several steps can stay open on. */
function connect(): Sql {
  const sql = openSql(db.url, { max: 1, applicationName: 'backstop-test' });
  others.push(sql);
  return sql;
}

interface Sealed {
  readonly request: string;
  readonly sequence: string;
}

const sealedRequests = async (): Promise<string[]> => {
  const rows = await db.sql<Sealed[]>`
    select a.request_id as request from chain_link l join audit_entry a on a.id = l.row_id
    where l.chain = 'AUDIT_LOG' order by l.sequence`;
  return rows.map(({ request }) => request);
};

async function expectWhole(links: number): Promise<void> {
  expect(await verifyChain(db.sql, 'AUDIT_LOG')).toMatchObject({ links: String(links), pending: '0', reason: null });
}

describe('the sealer', () => {
  it('seals what is committed, goes on where it ended, and does nothing when nothing waits', async () => {
    expect(await sealChains(db.sql)).toBe(0);
    for (const request of ['a', 'b', 'c']) await addAuditEntry(db.sql, request);
    expect(await sealChains(db.sql, { atMost: 2 })).toBe(3);
    await addAuditEntry(db.sql, 'd');
    expect(await sealChains(db.sql)).toBe(1);
    expect(await sealChains(db.sql)).toBe(0);
    expect(await sealedRequests()).toEqual(['a', 'b', 'c', 'd']);
    await expectWhole(4);
  });

  it('leaves out what is not committed, and seals it later, however old it is', async () => {
    const slow = connect();
    await slow`begin`;
    await addAuditEntry(slow, 'old');
    await addAuditEntry(db.sql, 'young');
    expect(await sealChains(db.sql)).toBe(1);
    expect(await sealedRequests()).toEqual(['young']);
    await expectWhole(1);
    await slow`commit`;
    expect(await verifyChain(db.sql, 'AUDIT_LOG')).toMatchObject({ links: '1', pending: '1', reason: null });
    expect(await sealChains(db.sql)).toBe(1);
    expect(await sealedRequests()).toEqual(['young', 'old']);
    await expectWhole(2);
  });

  it('never sees what was rolled back, as a whole or to a savepoint', async () => {
    const writer = connect();
    await writer`begin`;
    await addAuditEntry(writer, 'kept');
    await writer`savepoint s`;
    await addAuditEntry(writer, 'taken back');
    await writer`rollback to savepoint s`;
    await writer`commit`;
    await writer`begin`;
    await addAuditEntry(writer, 'never');
    await writer`rollback`;
    expect(await sealChains(db.sql)).toBe(1);
    expect(await sealedRequests()).toEqual(['kept']);
    await expectWhole(1);
  });

  it('lets no writer wait, and no second sealer', async () => {
    await addAuditEntry(db.sql, 'a');
    const sealer = connect();
    await sealer`begin`;
    expect(await sealer`select seal_chain('AUDIT_LOG', 10) as sealed`).toEqual([{ sealed: 1 }]);
    await db.sql.begin(async (tx) => {
      await tx`set local lock_timeout = '1s'`;
      await tx`
        insert into audit_entry (actor, scopes, action, input, request_id, outcome)
        values ('desk', '{}', 'run', '{}', 'b', 'ACCEPTED')`;
      expect(await tx`select seal_chain('AUDIT_LOG', 10) as sealed`).toEqual([{ sealed: 0 }]);
    });
    await sealer`commit`;
    expect(await sealChains(db.sql)).toBe(1);
    expect(await sealedRequests()).toEqual(['a', 'b']);
    await expectWhole(2);
  });

  it('that is killed in between leaves whole links only, and the next one goes on', async () => {
    for (let k = 0; k < 7; k++) await addAuditEntry(db.sql, String(k));
    const victim = connect();
    const [own] = await victim<{ pid: number }[]>`select pg_backend_pid() as pid`;
    // Three are sealed and stay; with the next three in its hands it dies.
    expect(await victim`select seal_chain('AUDIT_LOG', 3) as sealed`).toEqual([{ sealed: 3 }]);
    await victim`begin`;
    expect(await victim`select seal_chain('AUDIT_LOG', 3) as sealed`).toEqual([{ sealed: 3 }]);
    await db.sql`select pg_terminate_backend(${own?.pid ?? 0}, 5000)`;
    expect(await verifyChain(db.sql, 'AUDIT_LOG')).toMatchObject({ links: '3', pending: '4', reason: null });
    expect(await sealChains(db.sql)).toBe(4);
    expect(await sealedRequests()).toEqual(['0', '1', '2', '3', '4', '5', '6']);
    await expectWhole(7);
  });

  it('seals the funds of the ledger only, in the order of their own sequence', async () => {
    await createAsset(db.sql, { id: 'USDT' });
    await createFund(db.sql, { id: 'fund', assetId: 'USDT', name: 'Fund' });
    const amounts = Array.from({ length: 12 }, (_, k) => `${k + 1}.000000000000000001`);
    await Promise.all(amounts.map((amount, k) => contributeToFund(db.sql, { id: `c${k}`, fundId: 'fund', amount })));
    await sealChains(db.sql, { atMost: 5 });
    const rows = await db.sql<{ sequence: string }[]>`
      select e.sequence from chain_link l join ledger_entry e on e.id = l.row_id where l.chain = 'FUND_LEDGER' order by l.sequence`;
    expect(rows.map(({ sequence }) => sequence)).toEqual(amounts.map((_, k) => String(k + 1)));
    expect(await verifyChain(db.sql, 'FUND_LEDGER')).toMatchObject({ links: '12', pending: '0', reason: null });
  });

  it('as a job seals by itself, tells a failure once, and that it is over', async () => {
    const said: string[] = [];
    const sink = new Writable({
      write(chunk: Buffer, _encoding, done) {
        said.push(chunk.toString());
        done();
      },
    });
    const log = createLog('info', sink);
    const sealer = new ChainSealer({ sql: db.sql, log, intervalMs: 10 });
    sealer.start();
    await addAuditEntry(db.sql, 'a');
    await until(async () => (await sealedRequests()).length === 1);
    await db.sql`alter table chain_due rename to chain_due_away`;
    await until(() => Promise.resolve(said.length > 0));
    await sleep(50);
    await db.sql`alter table chain_due_away rename to chain_due`;
    await until(() => Promise.resolve(said.length > 1));
    await sealer.stop();
    expect(said.map((line) => (JSON.parse(line) as { msg: string }).msg)).toEqual([
      'the chains could not be sealed; it is tried again',
      'the chains are sealed again',
    ]);
    await expectWhole(1);
  });
});

async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await sleep(5);
}

describe('many writers at once, in long transactions that end either way', () => {
  const WRITERS = 6;
  const ROUNDS = 12;

  it.each([1, 2, 3])('have each committed row sealed once, after what it could know of (seed %s)', async (seed) => {
    let state = seed;
    /** 0 to n − 1, the same for the same seed. */
    const draw = (n: number): number => {
      state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
      return Math.floor((state / 2_147_483_648) * n);
    };
    const plans = Array.from({ length: WRITERS }, () =>
      Array.from({ length: ROUNDS }, () => ({ rows: 1 + draw(3), isKept: draw(3) > 0, pauses: draw(8) })),
    );
    const committed: string[] = [];
    /** What was committed before each row was written. */
    const known = new Map<string, number>();
    const write = async (plan: (typeof plans)[number], writer: number): Promise<void> => {
      const sql = connect();
      for (const [round, { rows, isKept, pauses }] of plan.entries()) {
        await sql`begin`;
        const own: string[] = [];
        for (let k = 0; k < rows; k++) {
          const request = `${writer}/${round}/${k}`;
          known.set(request, committed.length);
          await addAuditEntry(sql, request);
          own.push(request);
          await sleep(pauses);
        }
        if (isKept) await sql`commit`;
        else await sql`rollback`;
        if (isKept) committed.push(...own);
      }
    };
    const writing = Promise.all(plans.map(write));
    let isOver = false;
    const sealing = [1, 4].map(async (atMost) => {
      while (!isOver) {
        await sealChains(db.sql, { atMost });
        expect(await verifyChain(db.sql, 'AUDIT_LOG')).toMatchObject({ reason: null });
      }
    });
    await writing;
    isOver = true;
    await Promise.all(sealing);
    await sealChains(db.sql);

    const sealed = await sealedRequests();
    expect([...sealed].sort()).toEqual([...committed].sort());
    await expectWhole(committed.length);
    const place = new Map(sealed.map((request, k) => [request, k]));
    const early = sealed.filter((request) =>
      committed.slice(0, known.get(request)).some((before) => (place.get(before) ?? 0) > (place.get(request) ?? 0)),
    );
    expect(early).toEqual([]);
    for (const chain of CHAINS) expect((await verifyChain(db.sql, chain)).reason).toBeNull();
  });
});

describe('a database from before there were chains', () => {
  it('has its funds and events sealed first', async () => {
    const old = await createTestDatabase({ migrated: false });
    const folder = await mkdtemp(path.join(os.tmpdir(), 'backstop-migrations-'));
    try {
      const all = path.join(packageRoot, 'prisma/migrations');
      const before = (await readdir(all)).filter((name) => /^\d/.test(name) && name < '20261126000010');
      for (const name of before) await cp(path.join(all, name), path.join(folder, name), { recursive: true });
      await deployMigrations(old.url, folder);
      // What the service of today reads and writes, and that of then did not.
      await old.sql`alter table account add column exempt boolean not null default false`;
      await old.sql`alter table trade add column corrects text`;
      await playCrash(old.sql);
      await old.sql`alter table account drop column exempt`;
      await old.sql`alter table trade drop column corrects`;
      expect(await deployMigrations(old.url, all)).toContain('20261126000010_chains');
      expect(await verifyChain(old.sql, 'FUND_LEDGER')).toMatchObject({ links: '0', pending: '3', reason: null });
      await sealChains(old.sql);
      expect(await verifyChain(old.sql, 'FUND_LEDGER')).toMatchObject({ links: '3', pending: '0', reason: null });
      expect(await verifyChain(old.sql, 'DELEVERAGE')).toMatchObject({ links: '1', pending: '0', reason: null });
    } finally {
      await rm(folder, { recursive: true });
      await old.drop();
    }
  });
});
