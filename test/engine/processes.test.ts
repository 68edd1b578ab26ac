import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { runLap, type LapRan } from '../../src/engine/run-lap.js';
import type { Sql } from '../../src/db/connect.js';
import { assertInvariants } from '../support/checks.js';
import { bundle, type Child, type ChildProgram } from '../support/children.js';
import { counted } from '../support/counted-sql.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { dumpOf, type Dump } from '../support/dump.js';
import { fingerprintOf } from '../support/fingerprint.js';
import { openTroubledBook, TROUBLE } from '../support/troubled-book.js';

const LIMIT_MS = '1500';
const LOOK_EVERY = 10;

let program: ChildProgram;
let database: TestDatabase;
/** What a lap that nothing disturbs leaves, and what it decided. */
let undisturbed: { readonly dump: Dump; readonly digest: string };

const lap = async (sql: Sql, dryRun = false): Promise<LapRan> => {
  const result = await runLap(sql, { worker: 'test', at: TROUBLE, dryRun });
  if (result.kind !== 'RAN') throw new Error(`no lap: ${result.kind}`);
  return result;
};
const start = (environment: Readonly<Record<string, string>> = {}): Child =>
  program.start({ DATABASE_URL: database.url, AT: TROUBLE, ...environment });

beforeAll(async () => {
  program = await bundle('test/support/lap-process.ts');
  const calm = await createTestDatabase();
  await openTroubledBook(calm.sql);
  const { digest, counts } = await lap(calm.sql);
  // The lap does all that a lap can do, or its interruptions would prove little.
  expect(Object.entries(counts).filter(([name, count]) => count === 0 && name !== 'callsMet')).toEqual([]);
  undisturbed = { dump: await dumpOf(calm.sql), digest };
  await calm.drop();
});
afterAll(() => program.remove());
beforeEach(async () => {
  database = await createTestDatabase();
  await openTroubledBook(database.sql);
});
afterEach(() => database.drop());

describe('a process that dies in the middle of a lap', () => {
  it('leaves nothing of it, whatever statement it comes to, and the next lap does it all', async () => {
    const before = await fingerprintOf(database.sql);
    const clone = await createTestDatabase();
    await openTroubledBook(clone.sql);
    const line = await program.start({ DATABASE_URL: clone.url, AT: TROUBLE }).line();
    expect(line).toMatch(`RAN ${undisturbed.digest} after`);
    expect(await dumpOf(clone.sql)).toEqual(undisturbed.dump);
    await clone.drop();

    const statements = Number.parseInt(line?.split(' ').at(-1) ?? '0', 10);
    expect(statements).toBeGreaterThan(30);
    const places = Array.from({ length: statements }, (_, index) => String(index + 1));
    // One that comes while the server has not yet noticed the death of the one before says BUSY, and is sent again.
    const dieAt = async (STATEMENT: string): Promise<void> => {
      for (;;) {
        const child = start({ MISHAP: 'kill', STATEMENT });
        const said = await child.line();
        if ((await child.ended) === 'SIGKILL') return;
        if (said !== 'BUSY') throw new Error(`statement ${STATEMENT}: ${said ?? 'silence'}`);
      }
    };
    for (const [index, place] of places.entries()) {
      await dieAt(place);
      // What one of them had left would stay: it is enough to look now and then, and in the end.
      if (index % LOOK_EVERY !== 0 && index + 1 < places.length) continue;
      expect({ place, found: await fingerprintOf(database.sql) }).toEqual({ place, found: before });
    }
    await waitUntilFree(database.sql);
    expect((await lap(database.sql)).digest).toBe(undisturbed.digest);
    expect(await dumpOf(database.sql)).toEqual(undisturbed.dump);
    await assertInvariants(database.sql);
  });
});

describe('two processes on one database', () => {
  it('run the lap once: the other one says why it does not', async () => {
    await database.sql`update job set interval_ms = 3600000`;
    const first = start({ MISHAP: 'wait' });
    expect(await first.line()).toBe('inside');
    const second = start();
    expect(await second.line()).toBe('BUSY');
    expect(await second.ended).toBe(0);
    first.say('go on');
    expect(await first.line()).toMatch(`RAN ${undisturbed.digest}`);
    expect(await first.ended).toBe(0);
    const third = start({ IF_DUE: 'yes' });
    expect(await third.line()).toBe('NOT_DUE');
    await third.ended;
    expect(await dumpOf(database.sql)).toEqual(undisturbed.dump);
    await assertInvariants(database.sql);
  });
});

describe('a process that freezes in the middle of a lap', () => {
  it('loses its lap to another one, and changes nothing when it wakes', async () => {
    const frozen = start({ MISHAP: 'freeze', STATEMENT: '25', LIMIT_MS });
    expect(await frozen.line()).toBe('frozen');
    expect((await runLap(database.sql, { worker: 'test', at: TROUBLE })).kind).toBe('BUSY');
    await waitUntilFree(database.sql);
    expect((await lap(database.sql)).digest).toBe(undisturbed.digest);
    frozen.signal('SIGCONT');
    expect(await frozen.line()).toMatch(/^FAILED /);
    expect(await frozen.ended).toBe(0);
    expect(await dumpOf(database.sql)).toEqual(undisturbed.dump);
    const runs = await database.sql<{ status: string; worker: string }[]>`
      select status, worker from job_run order by round`;
    expect(runs.map(({ status, worker }) => [status, worker])).toEqual([
      ['SUCCEEDED', 'before'],
      ['SUCCEEDED', 'test'],
      ['FAILED', 'child'],
    ]);
    await assertInvariants(database.sql);
  });
});

describe('a lap that fails', () => {
  it('leaves nothing but the record of its failure, at whatever statement', async () => {
    const records = ['job', 'job_run'];
    const before = await fingerprintOf(database.sql, records);
    let failed = 0;
    for (let fatal = 1; ; fatal++) {
      let statements = 0;
      const failing = counted(database.sql, () => {
        statements += 1;
        if (statements === fatal) throw new Error('failure');
      });
      const lapsed = runLap(failing, { worker: 'test', at: TROUBLE }).then(
        ({ kind }) => kind,
        () => 'FAILED',
      );
      if ((await lapsed) !== 'FAILED') break;
      failed += 1;
      expect({ fatal, found: await fingerprintOf(database.sql, records) }).toEqual({ fatal, found: before });
    }
    expect(failed).toBeGreaterThan(30);
    await assertInvariants(database.sql);
  });
});

describe('a dry run', () => {
  it('decides what the lap would, and leaves no trace in any table', async () => {
    const before = await fingerprintOf(database.sql);
    const dry = await lap(database.sql, true);
    expect(await fingerprintOf(database.sql)).toBe(before);
    const live = await lap(database.sql);
    const { digest, counts, more } = live;
    expect(dry).toMatchObject({ digest, counts, more, round: null, dryRun: true });
    expect(digest).toBe(undisturbed.digest);
    expect(await dumpOf(database.sql)).toEqual(undisturbed.dump);
  });
});

/** Until no lap holds its lock: the server notices within moments that a client is gone, or has frozen. */
async function waitUntilFree(sql: Sql): Promise<void> {
  for (;;) {
    const held = await sql`
      select from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())`;
    if (held.length === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
