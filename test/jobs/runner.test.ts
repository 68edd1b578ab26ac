import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { runLap } from '../../src/engine/run-lap.js';
import { JobRunner } from '../../src/jobs/runner.js';
import { createLog } from '../../src/telemetry.js';
import { assertInvariants } from '../support/checks.js';
import { bundle, type ChildProgram } from '../support/children.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { lapMemory } from '../support/lap-memory.js';
import { openTroubledBook } from '../support/troubled-book.js';

let program: ChildProgram;
let database: TestDatabase;

beforeAll(async () => {
  program = await bundle('test/support/lap-process.ts');
});
afterAll(() => program.remove());
beforeEach(async () => {
  database = await createTestDatabase();
  await openTroubledBook(database.sql);
});
afterEach(() => database.drop());

const runs = async (): Promise<string[]> => {
  const rows = await database.sql<{ status: string; worker: string }[]>`
    select status, worker from job_run where worker <> 'before' order by round`;
  return rows.map(({ status, worker }) => `${status} ${worker}`);
};
const runnerOf = (worker: string): JobRunner =>
  new JobRunner({ sql: database.sql, log: createLog('silent'), worker, pollMs: 20 });

const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await pause(20);
}

describe('the job', () => {
  it('ends the lap that it is in when it is told to stop, and begins no other', async () => {
    const child = program.start({ DATABASE_URL: database.url, JOB: 'yes', MISHAP: 'term', STATEMENT: '12' });
    expect(await child.line()).toMatch(/^stopped after/);
    expect(await child.ended).toBe(0);
    expect(await runs()).toEqual(['SUCCEEDED child']);
    await assertInvariants(database.sql);
  });

  it('is run once an interval, however many processes look after it', async () => {
    await database.sql`update job set interval_ms = 3600000`;
    const [one, two] = [runnerOf('one'), runnerOf('two')];
    one.start();
    two.start();
    await until(async () => (await runs()).length > 0);
    await Promise.all([one.stop(), two.stop()]);
    expect(await runs()).toHaveLength(1);
  });

  it('remembers its last lap in the memory that it was given', async () => {
    const memory = lapMemory();
    const runner = new JobRunner({ sql: database.sql, log: createLog('silent'), worker: 'one', pollMs: 20, memory });
    runner.start();
    await until(() => Promise.resolve(memory.last !== undefined));
    await runner.stop();
    const [job] = await database.sql<{ round: string }[]>`select round from job`;
    expect(memory.last?.round).toBe(job?.round);
  });

  it('is left to the engine at work, until that one lets a lap wait', async () => {
    await database.sql`update job set interval_ms = 3600000`;
    const one = runnerOf('engine/one');
    one.start();
    await until(async () => (await runs()).length === 1);
    const two = runnerOf('engine/two');
    two.start();
    for (let round = 2; round <= 4; round++) {
      two.hint();
      one.hint();
      await until(async () => (await runs()).length === round);
    }
    // Nobody is blamed for what may not have happened.
    two.hint(false);
    await pause(700);
    expect(new Set(await runs())).toEqual(new Set(['SUCCEEDED engine/one']));
    await one.stop();
    two.hint();
    await until(async () => (await runs()).at(-1) === 'SUCCEEDED engine/two');
    await two.stop();
  });

  it('is taken over when it is overdue, and a lap by hand takes nobody’s place', async () => {
    await database.sql`update job set interval_ms = 3600000`;
    const one = runnerOf('engine/one');
    one.start();
    await until(async () => (await runs()).length === 1);
    await one.stop();
    const two = runnerOf('engine/two');
    two.start();
    await runLap(database.sql, { worker: 'hand/one' });
    await pause(100);
    expect(await runs()).toEqual(['SUCCEEDED engine/one', 'SUCCEEDED hand/one']);
    await database.sql`update job set due_at = clock_timestamp()`;
    await until(async () => (await runs()).at(-1) === 'SUCCEEDED engine/two');
    await two.stop();
  });

  it('is anybody’s after a round that failed', async () => {
    await database.sql`alter table lap add constraint no_lap check (id < 0) not valid`;
    const one = runnerOf('engine/one');
    one.start();
    await until(async () => (await runs()).includes('FAILED engine/one'));
    await one.stop();
    await database.sql`alter table lap drop constraint no_lap`;
    const two = runnerOf('engine/two');
    two.start();
    two.hint(false);
    await until(async () => (await runs()).at(-1) === 'SUCCEEDED engine/two');
    await two.stop();
  });

  it('runs on a hint before it is due', async () => {
    await database.sql`update job set interval_ms = 3600000, due_at = clock_timestamp() + interval '1 hour'`;
    const runner = runnerOf('one');
    runner.start();
    runner.hint();
    await until(async () => (await runs()).length === 1);
    runner.hint();
    await until(async () => (await runs()).length === 2);
    await runner.stop();
  });

  it('rests while it is paused', async () => {
    await database.sql`update job set paused = true`;
    const runner = runnerOf('one');
    runner.start();
    runner.hint();
    await pause(200);
    await runner.stop();
    expect(await runs()).toEqual([]);
  });

  it('records a failure, and tries the same again', async () => {
    await database.sql`alter table lap add constraint no_lap check (id < 0) not valid`;
    const runner = runnerOf('one');
    runner.start();
    await until(async () => (await runs()).includes('FAILED one'));
    await database.sql`alter table lap drop constraint no_lap`;
    runner.hint();
    await until(async () => (await runs()).at(-1) === 'SUCCEEDED one');
    await runner.stop();
    const [row] = await database.sql<
      { failure: string }[]
    >`select failure from job_run where status = 'FAILED' limit 1`;
    expect(row?.failure).toContain('no_lap');
    await assertInvariants(database.sql);
  });
});
