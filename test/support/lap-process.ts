/**
 * A process that runs one lap and tells on stdout how it went, or runs the job until it is told to stop. What is to
 * happen to it in the middle comes in the environment: `MISHAP` kill, freeze, wait or term, before statement `AT`.
 */
import { once } from 'node:events';
import { writeSync } from 'node:fs';
import { closeSql, openSql, type Sql, type Tx } from '../../src/db/connect.js';
import { runLap } from '../../src/engine/run-lap.js';
import { JobRunner } from '../../src/jobs/runner.js';
import { messageOf } from '../../src/errors.js';
import { createLog } from '../../src/telemetry.js';
import { counted } from './counted-sql.js';

const {
  DATABASE_URL: url = '',
  AT: lapAt,
  LIMIT_MS: limitMs,
  MISHAP: mishap,
  STATEMENT: statement = '0',
} = process.env;
const { JOB: job, IF_DUE: ifDue } = process.env;
const fatal = Number.parseInt(statement, 10);
let statements = 0;

function tell(line: string): void {
  writeSync(1, `${line}\n`);
}

/** The statement that comes is the one before which it happens: the one before it has been answered. */
function count(): void {
  statements += 1;
  if (statements !== fatal) return;
  if (mishap === 'kill') process.kill(process.pid, 'SIGKILL');
  if (mishap === 'term') process.kill(process.pid, 'SIGTERM');
  if (mishap === 'freeze') {
    tell('frozen');
    process.kill(process.pid, 'SIGSTOP');
  }
}

const sql = openSql(url, { max: 2, applicationName: 'lap-process' });
if (mishap === 'wait') {
  // Holds its lap open until a line comes: the other process must find it so.
  const held = openSql(url, { max: 1 });
  await held.begin('isolation level repeatable read', async (tx) => {
    const pausing = new Proxy(sql, {
      get: (target, key, receiver) =>
        key === 'begin'
          ? async (_mode: string, work: (inner: Tx) => Promise<unknown>) => {
              const answer = await work(tx);
              tell('inside');
              await once(process.stdin, 'data');
              return answer;
            }
          : (Reflect.get(target, key, receiver) as unknown),
    });
    await lapOnce(pausing);
  });
  await closeSql(held);
} else if (job === undefined) await lapOnce(counted(sql, count));
else await runUntilStopped(counted(sql, count));
process.stdin.destroy();
await closeSql(sql);

async function lapOnce(through: Sql): Promise<void> {
  try {
    const limit = limitMs === undefined ? undefined : Number.parseInt(limitMs, 10);
    const result = await runLap(through, {
      worker: 'child',
      at: lapAt,
      limitMs: limit,
      onlyIfDue: ifDue !== undefined,
    });
    tell(result.kind === 'RAN' ? `RAN ${result.digest} after ${statements}` : result.kind);
  } catch (error) {
    tell(`FAILED ${messageOf(error)}`);
  }
}

async function runUntilStopped(through: Sql): Promise<void> {
  const runner = new JobRunner({ sql: through, log: createLog('silent'), worker: 'child' });
  const terminated = once(process, 'SIGTERM');
  runner.start();
  await terminated;
  await runner.stop();
  tell(`stopped after ${statements}`);
}
