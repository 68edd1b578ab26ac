import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { performance } from 'node:perf_hooks';
import process from 'node:process';
import { Command, CommanderError } from 'commander';
import { parseConfig, ROLES, type Config, type Role } from './config.js';
import { CHAINS } from './db/chains.js';
import { closeSql, openSql, type Sql } from './db/connect.js';
import { openDatabase, type DatabaseOptions, type OpenDatabase } from './db/open-database.js';
import { replay, REPLAY_DATABASE, REPLAYS } from './demo/replay.js';
import type { AdminAction, AuditTarget } from './db/record-audit.js';
import { runLap, WATERFALL_JOB, type LapCompany, type LapResult } from './engine/run-lap.js';
import { BackstopError, messageOf } from './errors.js';
import { explain } from './explanation/explain.js';
import { generateVenue } from './generate/generate.js';
import type { VenueSize } from './generate/venue.js';
import { hostActor } from './host-actor.js';
import { audited } from './ingest/audited.js';
import { importBook, type ImportProgress } from './ingest/import-book.js';
import { auditedLap, NO_LAP } from './jobs/audited-lap.js';
import { serve } from './main.js';
import { showProgress } from './progress.js';
import { createLog, type Log } from './telemetry.js';
import { defineToken } from './token-command.js';
import { untilStopped } from './until-stopped.js';
import { exportHeads, tellVerified, verifyChains, writeNewFile, type VerifyOptions } from './verify.js';
import { isEqual, tellVerifiedEvent, verifyStoredEvent } from './verify-event.js';

interface Setting {
  readonly config: Config;
  readonly log: Log;
}

/** Runs one command; resolves to the exit code when all is done. Answers go to stdout, everything else to stderr. */
export async function main(words: readonly string[]): Promise<number> {
  const outcome = { code: 0 };
  try {
    const config = parseConfig(process.env);
    const setting = { config, log: createLog(config.logLevel) };
    await commands(setting, outcome).parseAsync([...words], { from: 'user' });
    return outcome.code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode;
    const isKnown = error instanceof BackstopError;
    process.stderr.write(`${isKnown ? error.message : `backstop failed: ${messageOf(error)}`}\n`);
    if (!isKnown && error instanceof Error) process.stderr.write(`${error.stack ?? ''}\n`);
    return 1;
  }
}

function commands(setting: Setting, outcome: { code: number }): Command {
  const program = new Command('backstop')
    .description('Risk state and auto-deleveraging for derivatives exchanges, on PostgreSQL')
    .exitOverride()
    .showHelpAfterError();
  program
    .command('serve')
    .description('serve GraphQL and run the scheduled job, or one of the two, until stopped')
    .option('--role <role>', `${ROLES.join(', ')}; default: BACKSTOP_ROLE, else all`)
    .action(async (options: { role?: string }) => {
      const role = options.role === undefined ? setting.config.role : parseRole(options.role);
      outcome.code = await serve({ ...setting.config, role }, setting.log);
    });
  program
    .command('migrate')
    .description('bring the database to this version, and stop')
    .action(async () => {
      await inDatabase(setting, {}, () => Promise.resolve(process.stdout.write('the database is up to date\n')));
    });
  program
    .command('import')
    .description('load a whole book of NDJSON lines, all or nothing')
    .argument('<file>', 'a file, or - for standard input')
    .action((file: string) => inDatabase(setting, {}, (sql) => importFile(sql, file)));
  program
    .command('generate')
    .description('make a whole venue in an empty database, the same for the same seed')
    .requiredOption('--positions <number>', 'open positions')
    .option('--seed <number>', 'another one makes another venue', '1')
    .action((options: { positions: string; seed: string }) =>
      inDatabase(setting, {}, (sql) =>
        generate(sql, { positions: parseWhole(options.positions), seed: parseWhole(options.seed) }),
      ),
    );
  program
    .command('replay')
    .description('play a recorded crash through all layers, into a database of its own that is kept')
    .argument('<day>', REPLAYS.join(', '))
    .action(async (day: string) => {
      outcome.code = await replayDay(setting, day);
    });
  program
    .command('db')
    .description('start the embedded PostgreSQL if need be, print the URLs for psql, stay until stopped')
    .argument('[database]', 'another database on it, such as that of a replay')
    .action((database: string | undefined) => keepDatabase(setting, database));
  program
    .command('run')
    .description('run a job once, now')
    .argument('<job>', WATERFALL_JOB)
    .option('--dry-run', 'decide the same and store nothing', false)
    .action((job: string, options: { dryRun: boolean }) =>
      inDatabase(setting, {}, (sql) => runJob(sql, job, options.dryRun)),
    );
  program
    .command('explain')
    .description('say why: an ADL event by its number, or an account by its id')
    .argument('<what>', 'event number or account id')
    .option('--verify', 'make the event again from what is stored of its lap; fails where a figure differs', false)
    .option('--database <name>', 'another database on the server, such as that of a replay')
    .action((what: string, options: { verify: boolean; database?: string }) =>
      inDatabase(setting, options, async (sql) => {
        outcome.code = await explainOne(sql, what, options.verify);
      }),
    );
  addVerify(program, setting, outcome);
  defineToken(program.command('token'), setting.config);
  return program;
}

function addVerify(program: Command, setting: Setting, outcome: { code: number }): void {
  program
    .command('verify')
    .description('recompute the chains of audit log, fund ledger and deleverage history; fails where one is broken')
    .option('--chain <name>', `only one of ${CHAINS.join(', ')}`)
    .option('--head <file>', 'hold them against heads that were exported before')
    .option('--export [file]', 'write where they end as JSON, to be kept elsewhere; without a file to stdout')
    .option('--database <name>', 'another database on the server, such as that of a replay')
    .action((options: VerifyCommand) =>
      inDatabase(setting, options, async (sql) => {
        outcome.code = await verify(sql, options);
      }),
    );
}

/** Its exit code. */
async function explainOne(sql: Sql, what: string, isVerified: boolean): Promise<number> {
  if (isVerified && !/^\d+$/.test(what))
    throw new BackstopError('BAD_INPUT', `--verify makes an ADL event again: ${what} is not the number of one.`);
  process.stdout.write(`${await explain(sql, what)}\n`);
  return isVerified ? verifyOneEvent(sql, what) : 0;
}

async function verifyOneEvent(sql: Sql, event: string): Promise<number> {
  const parts = await verifyStoredEvent(sql, event);
  process.stdout.write(tellVerifiedEvent(parts));
  return isEqual(parts) ? 0 : 1;
}

interface VerifyCommand extends VerifyOptions {
  /** True: to stdout. */
  readonly export?: string | true;
  readonly database?: string;
}

async function verify(sql: Sql, options: VerifyCommand): Promise<number> {
  const verified = await verifyChains(sql, options);
  const { export: file } = options;
  const report = file === true ? process.stderr : process.stdout;
  report.write(tellVerified(verified));
  if (file !== undefined) {
    await exportHeads(verified, async (text) =>
      file === true ? process.stdout.write(text) : writeNewFile(file, text),
    );
  }
  return verified.isWhole ? 0 : 1;
}

function commandOf(name: string, input: object, target: AuditTarget | null = null): AdminAction {
  return { actor: hostActor(), name, target, input, reason: null };
}

function parseRole(text: string): Role {
  const role = ROLES.find((known) => known === text);
  if (role === undefined) {
    throw new BackstopError('BAD_INPUT', `There is no role ${text}; there is: ${ROLES.join(', ')}.`);
  }
  return role;
}

async function inDatabase(
  setting: Setting,
  options: Pick<DatabaseOptions, 'database' | 'anew'>,
  work: (sql: Sql, database: OpenDatabase) => Promise<unknown>,
): Promise<void> {
  const database = await openDatabase({ ...setting, ...options });
  const sql = openSql(database.url, { applicationName: 'backstop-cli' });
  try {
    await work(sql, database);
  } finally {
    await closeSql(sql);
    await database.stop();
  }
}

async function importFile(sql: Sql, file: string): Promise<void> {
  const input = file === '-' ? process.stdin : await openFile(file);
  const progress = showProgress('lines');
  try {
    const onProgress = ({ lines }: ImportProgress): void => {
      progress.update(lines);
    };
    const summary = await audited(sql, commandOf('import', { file }), (recording) =>
      importBook(recording, input, { onProgress }),
    );
    process.stdout.write(`${JSON.stringify(summary)}\n`);
  } finally {
    progress.stop();
  }
}

async function generate(sql: Sql, size: VenueSize): Promise<void> {
  const started = performance.now();
  const progress = showProgress('positions', size.positions);
  try {
    const summary = await audited(sql, commandOf('generate', size), (recording) =>
      generateVenue(recording, size, ({ positions }) => {
        progress.update(positions);
      }),
    );
    process.stdout.write(`${JSON.stringify(summary)}\n`);
  } finally {
    progress.stop();
  }
  process.stderr.write(`generated in ${((performance.now() - started) / 1000).toFixed(1)} s\n`);
}

/** Not a number where it is none: refused where the range is known. */
function parseWhole(text: string): number {
  return /^[0-9]{1,10}$/.test(text) ? Number.parseInt(text, 10) : NaN;
}

async function openFile(file: string): Promise<AsyncIterable<Buffer>> {
  const facts = await stat(file).catch((error: unknown) => {
    throw new BackstopError('BAD_INPUT', `${file} cannot be read: ${messageOf(error)}.`, { cause: error });
  });
  if (!facts.isFile()) throw new BackstopError('BAD_INPUT', `${file} is not a file.`);
  return createReadStream(file);
}

async function replayDay(setting: Setting, day: string): Promise<number> {
  if (!REPLAYS.some((known) => known === day)) {
    throw new BackstopError('BAD_INPUT', `There is no replay of ${day}; there is: ${REPLAYS.join(', ')}.`);
  }
  let code = 0;
  await inDatabase(setting, { database: REPLAY_DATABASE, anew: true }, async (sql) => {
    const started = performance.now();
    const progress = showProgress('minutes');
    const { report, faults, endedAt } = await replay(sql, (done) => {
      progress.update(done);
    });
    progress.stop();
    process.stdout.write(report);
    for (const fault of faults) process.stderr.write(`not conserved: ${fault}\n`);
    code = faults.length === 0 ? 0 : 1;
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    process.stderr.write(`played in ${seconds} s and kept: npx backstop db ${REPLAY_DATABASE}\n`);
    process.stderr.write(`its views stand at its end with: set backstop.now = '${endedAt}';\n`);
  });
  return code;
}

async function keepDatabase(setting: Setting, name: string | undefined): Promise<void> {
  await inDatabase(setting, name === undefined ? {} : { database: name }, async (_sql, database) => {
    process.stdout.write(
      `PostgreSQL ${database.version}${database.dataDir === null ? '' : `, data in ${database.dataDir}`}\n`,
    );
    if (database.readerUrl !== null) process.stdout.write(`psql '${database.readerUrl}'\n`);
    await untilStopped();
  });
}

async function runJob(sql: Sql, job: string, dryRun: boolean): Promise<void> {
  if (job !== WATERFALL_JOB)
    throw new BackstopError('BAD_INPUT', `There is no job ${job}; there is: ${WATERFALL_JOB}.`);
  const run = (company?: LapCompany): Promise<LapResult> =>
    runLap(sql, { worker: `cli/${String(process.pid)}`, dryRun, company });
  // A dry run changes nothing, and is no action.
  const result = dryRun
    ? await run()
    : await auditedLap(sql, commandOf('run', { job, dryRun }, { type: 'Job', id: job }), run);
  if (result.kind !== 'RAN') throw new BackstopError('CONFLICT', NO_LAP[result.kind]);
  const { round, at, digest, more, counts } = result;
  process.stdout.write(`${JSON.stringify({ round, dryRun, at, digest, more, counts })}\n`);
}
