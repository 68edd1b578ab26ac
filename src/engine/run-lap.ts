import type { Book } from '../book/book.js';
import type { BookFollower, Take } from '../book/follower.js';
import { takeBook, type TakenBook } from '../book/take-book.js';
import type { Sql, Tx } from '../db/connect.js';
import {
  claimLap,
  limitTransaction,
  loadDepthLeft,
  loadStandingCalls,
  lockJob,
  lockWriters,
  type JobState,
} from '../db/lap-inputs.js';
import { loadExpiredExemptions } from '../db/record-exemptions.js';
import { readClock } from '../db/record-notice.js';
import { recordRun } from '../db/lap-state.js';
import { inTransaction } from '../db/transaction.js';
import { messageOf } from '../errors.js';
import type { Instant } from '../risk/instant.js';
import { Lap } from './lap.js';
import { countsOf, skipsByReason, storeOutcome, type LapCounts } from './store-outcome.js';
import { act, survey } from './waterfall.js';

/**
 * What a process remembers from its last lap, so that the next one reads only what moved. It never decides anything:
 * a lap without it is the same lap, slower.
 */
export interface LapMemory {
  /** The book that this process has; a lap's book goes on from it. */
  readonly books: Pick<BookFollower, 'inTurn'>;
  last?: {
    readonly round: string;
    /** As the lap ended: its levels are all published. */
    readonly book: Book;
  };
}

export const WATERFALL_JOB = 'waterfall';

/** Tries before the last one, which keeps all writers out and so cannot be disturbed again. */
const DISTURBED_TRIES = 4;
const DEFAULT_LIMIT_MS = 20_000;

/** What goes with a lap that somebody asked for, in its transaction; not with a dry run. */
export interface LapCompany {
  /** Before the snapshot; false: it was run for him before. */
  readonly isDue: (tx: Tx) => Promise<boolean>;
  /** Something more that is stored with it. */
  readonly store: (tx: Tx, ran: LapRan & { readonly round: string }) => Promise<void>;
}

export interface LapOptions {
  /** Who runs it, for the record. */
  readonly worker: string;
  /** Lap time; the database's clock when left out. A replay gives the event's time. */
  readonly at?: Instant | undefined;
  /** The same lap, rolled back: it leaves no trace. */
  readonly dryRun?: boolean | undefined;
  /** Only when the interval has passed since the last run. */
  readonly onlyIfDue?: boolean | undefined;
  /** After so long the server ends the transaction, whatever this process does. */
  readonly limitMs?: number | undefined;
  readonly memory?: LapMemory | undefined;
  readonly company?: LapCompany | undefined;
}

export interface LapRan {
  readonly kind: 'RAN';
  /** Null for a dry run. */
  readonly round: string | null;
  readonly at: Instant;
  readonly digest: string;
  /** Accounts in trouble were left, or levels to publish: the next lap should follow at once. */
  readonly more: boolean;
  readonly counts: LapCounts;
  /** Candidates that its events passed over, by why. */
  readonly skipsByReason: Readonly<Record<string, number>>;
  readonly attempts: number;
  readonly dryRun: boolean;
  /** The state that the lap left. */
  readonly book: Book;
}

export type LapResult =
  | LapRan
  /** Another process is inside a lap. */
  | { readonly kind: 'BUSY' }
  | { readonly kind: 'PAUSED' }
  /** Whoever asks for it has had it. */
  | { readonly kind: 'RAN_BEFORE' }
  | { readonly kind: 'NOT_DUE' };

/**
 * One lap of the waterfall: one transaction, in which everything that it decides is stored, or nothing. A failure is
 * recorded in a second transaction and thrown.
 */
export async function runLap(sql: Sql, options: LapOptions): Promise<LapResult> {
  const startedAt = await readClock(sql);
  let attempts = 0;
  let seen: LapMemory['last'];
  try {
    const result = await inLapTransaction(sql, async (tx, isLastTry) => {
      attempts++;
      return lapIn(tx, options, {
        startedAt,
        attempts,
        isLastTry,
        remember: (last) => {
          seen = last;
        },
      });
    });
    // Only what was committed is remembered.
    if (options.memory !== undefined && result.kind === 'RAN' && seen !== undefined) {
      options.memory.last = seen;
    }
    return result;
  } catch (error) {
    if (error instanceof DryRunEnds) return error.result;
    if (options.dryRun !== true) await recordFailure(sql, options.worker, startedAt, attempts, messageOf(error));
    throw error;
  }
}

/** Thrown to roll a dry run back, with its answer. */
class DryRunEnds extends Error {
  readonly result: LapRan;
  constructor(result: LapRan) {
    super('dry run');
    this.result = result;
  }
}

/**
 * Repeatable read: the lap decides on one snapshot, and whoever changed an account since makes it start anew. Under a
 * steady stream of changes that could go on for ever, so the last try locks the writers out first.
 */
async function inLapTransaction(
  sql: Sql,
  work: (tx: Tx, isLastTry: boolean) => Promise<LapResult>,
): Promise<LapResult> {
  let tries = 0;
  return inTransaction(sql, { isolation: 'repeatable read', attempts: DISTURBED_TRIES + 1 }, (tx) =>
    work(tx, ++tries > DISTURBED_TRIES),
  );
}

interface Try {
  readonly startedAt: Instant;
  readonly attempts: number;
  readonly isLastTry: boolean;
  readonly remember: (last: LapMemory['last']) => void;
}

async function lapIn(
  tx: Tx,
  options: LapOptions,
  { startedAt, attempts, isLastTry, remember }: Try,
): Promise<LapResult> {
  const company = options.dryRun === true ? undefined : options.company;
  if ((await company?.isDue(tx)) === false) return { kind: 'RAN_BEFORE' };
  if (isLastTry) await lockWriters(tx);
  const begun = await inTurn(options, (take) => begin(tx, options, take));
  if (!('taken' in begun)) return begun;
  const { job, at, taken } = begun;
  const lap = await decideLap(tx, taken.book);
  const counts = countsOf(lap);
  const round = (BigInt(job.round) + 1n).toString();
  // A dry run stores too, so that whatever the database would refuse is refused here as well; then all is undone.
  // Only laps publish levels: those of this process's last one stand if no other lap came after it.
  const last = options.memory?.last;
  const published = last?.round === job.round ? last.book : undefined;
  const { digest, after, isPublished } = await storeOutcome(tx, lap, { id: round, at }, published);
  const ran = {
    kind: 'RAN',
    at,
    digest,
    more: lap.outcome.more || !isPublished,
    counts,
    skipsByReason: skipsByReason(lap),
    attempts,
    book: after,
  } as const;
  if (options.dryRun === true) throw new DryRunEnds({ ...ran, round: null, dryRun: true });
  await recordRun(tx, {
    jobId: WATERFALL_JOB,
    round,
    worker: options.worker,
    startedAt,
    attempts,
    counts: { ...counts },
    failure: null,
  });
  const stored = { ...ran, round, dryRun: false };
  await company?.store(tx, stored);
  if (isPublished) remember({ round, book: ran.book });
  return stored;
}

interface Begun {
  readonly job: JobState;
  readonly at: Instant;
  readonly taken: TakenBook;
}

function inTurn<T>({ memory }: LapOptions, work: (take: Take) => Promise<T>): Promise<T> {
  return memory === undefined ? work(takeBook) : memory.books.inTurn(work);
}

/** Claims the lap, which takes the transaction's snapshot, and takes the book of it. */
async function begin(tx: Tx, options: LapOptions, take: Take): Promise<Begun | Exclude<LapResult, LapRan>> {
  if (!(await claimLap(tx))) return { kind: 'BUSY' };
  await limitTransaction(tx, options.limitMs ?? DEFAULT_LIMIT_MS);
  const job = await lockJob(tx, WATERFALL_JOB);
  if (job.paused && options.dryRun !== true) return { kind: 'PAUSED' };
  if (options.onlyIfDue === true && !job.isDue) return { kind: 'NOT_DUE' };
  const at = options.at ?? (await readClock(tx));
  return { job, at, taken: await take(tx, at) };
}

async function decideLap(tx: Tx, book: Book): Promise<Lap> {
  const expired = await loadExpiredExemptions(tx, book.exemptIds(), book.at);
  const lap = new Lap(book, await loadStandingCalls(tx), expired);
  const troubles = survey(lap);
  if (troubles.length > 0) for (const depth of await loadDepthLeft(tx)) lap.setDepth(depth.marketId, depth);
  act(lap, troubles);
  return lap;
}

async function recordFailure(
  sql: Sql,
  worker: string,
  startedAt: Instant,
  attempts: number,
  failure: string,
): Promise<void> {
  await inTransaction(sql, { isolation: 'read committed' }, async (tx) => {
    const job = await lockJob(tx, WATERFALL_JOB);
    const round = (BigInt(job.round) + 1n).toString();
    await recordRun(tx, {
      jobId: WATERFALL_JOB,
      round,
      worker,
      startedAt,
      attempts: Math.max(1, attempts),
      counts: {},
      failure,
    });
  });
}
