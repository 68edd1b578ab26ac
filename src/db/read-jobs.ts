import type { Instant } from '../risk/instant.js';
import type { Reader } from './connect.js';
import { byId, byParent, startOf, type PageRequest } from './read-page.js';

export interface JobRow {
  readonly id: string;
  readonly intervalMs: number;
  readonly round: string;
  readonly dueAt: Instant;
  readonly paused: boolean;
}

/** All of them, by name. */
export async function readAllJobs(reader: Reader): Promise<JobRow[]> {
  return reader<
    JobRow[]
  >`select id, interval_ms as "intervalMs", round, due_at as "dueAt", paused from job order by id`;
}

/** In the order of `ids`; null where there is none. */
export async function readJobs(reader: Reader, ids: readonly string[]): Promise<(JobRow | null)[]> {
  const rows = await reader<JobRow[]>`
    select id, interval_ms as "intervalMs", round, due_at as "dueAt", paused from job where id = any(${[...ids]}::text[])`;
  return byId(ids, rows, (row) => row.id);
}

export interface JobRunRow {
  readonly jobId: string;
  readonly round: string;
  readonly status: 'SUCCEEDED' | 'FAILED';
  readonly worker: string;
  readonly startedAt: Instant;
  readonly endedAt: Instant;
  readonly attempts: number;
  readonly counts: Readonly<Record<string, number>>;
  readonly failure: string | null;
}

export function readRunColumns(reader: Reader): ReturnType<Reader> {
  return reader`r.job_id as "jobId", r.round, r.status, r.worker, r.started_at as "startedAt", r.ended_at as "endedAt",
    r.attempts, r.counts, r.failure`;
}

/** Newest first, of each job its own page; `after` is the round of the last run seen. */
export async function readRunsOf(reader: Reader, jobIds: readonly string[], page: PageRequest): Promise<JobRunRow[][]> {
  const rows = await reader<JobRunRow[]>`
    select ${readRunColumns(reader)} from unnest(${[...jobIds]}::text[]) as p (id) cross join lateral (
      select * from job_run where job_id = p.id and round < ${startOf(page, 'DOWN')}::bigint
      order by round desc limit ${page.limit}) r
    order by r.job_id, r.round desc`;
  return byParent(jobIds, rows, (row) => row.jobId);
}

/** A run by its job and round; null where there is none. */
export async function readRun(reader: Reader, jobId: string, round: string): Promise<JobRunRow | null> {
  const [row] = await reader<JobRunRow[]>`
    select ${readRunColumns(reader)} from job_run r where r.job_id = ${jobId} and r.round = ${round}::bigint`;
  return row ?? null;
}

export interface RunPlace {
  readonly startedAt: Instant;
  readonly jobId: string;
  readonly round: string;
}

/** Runs of all jobs, newest start first, behind `after`. */
export async function readAllRuns(reader: Reader, after: RunPlace | null, limit: number): Promise<JobRunRow[]> {
  const behind =
    after === null
      ? reader`true`
      : reader`(r.started_at, r.job_id, r.round) < (${after.startedAt}::timestamptz, ${after.jobId}::text collate "C", ${after.round}::bigint)`;
  return reader<JobRunRow[]>`
    select ${readRunColumns(reader)} from job_run r where ${behind}
    order by r.started_at desc, r.job_id desc, r.round desc limit ${limit}`;
}

export interface LapRow {
  readonly number: string;
  readonly at: Instant;
  readonly outcomeDigest: string;
  readonly more: boolean;
}

/** The database's clock, and the newest lap that was stored; null when there was none yet. */
export async function readSystem(reader: Reader): Promise<{ now: Instant; lastLap: LapRow | null }> {
  const [row] = await reader<({ now: Instant } & { [K in keyof LapRow]: LapRow[K] | null })[]>`
    select clock_timestamp() as now, l.id as number, l.at, l.outcome_digest as "outcomeDigest", l.more
    from (values (1)) as one left join lateral (select * from lap order by id desc limit 1) l on true`;
  if (row === undefined) throw new Error('no clock');
  const { now, number, at, outcomeDigest, more } = row;
  const isThere = number !== null && at !== null && outcomeDigest !== null && more !== null;
  return { now, lastLap: isThere ? { number, at, outcomeDigest, more } : null };
}
