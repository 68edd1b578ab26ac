import type { Reader } from './connect.js';

/** What an engine must know to tell whether a lap is its to run. */
export interface JobDuty {
  readonly round: string;
  readonly paused: boolean;
  readonly intervalMs: number;
  /** Below zero: due in so long. */
  readonly overdueMs: number;
  /** The engine at work: the one that did the newest round of any engine; null when that failed, or is long ago. */
  readonly worker: string | null;
  /** Since the newest round ended, whoever did it; null before the first. */
  readonly lastLapAgeMs: number | null;
}

/** Rounds by hand are passed over, but not for ever. */
const ROUNDS_BACK = 10;

/** Takes no lock, so that any number of engines may ask often. `engines` is how the names of engines begin. */
export async function readDuty(reader: Reader, jobId: string, engines: string): Promise<JobDuty> {
  const [row] = await reader<JobDuty[]>`
    select j.round, j.paused, j.interval_ms as "intervalMs",
      floor(extract(epoch from clock_timestamp() - j.due_at) * 1000)::double precision as "overdueMs",
      case when e.status = 'SUCCEEDED' then e.worker end as worker,
      floor(extract(epoch from clock_timestamp() - r.ended_at) * 1000)::double precision as "lastLapAgeMs"
    from job j
    left join job_run r on r.job_id = j.id and r.round = j.round
    left join lateral (
      select worker, status from job_run
      where job_id = j.id and round > j.round - ${ROUNDS_BACK} and starts_with(worker, ${engines})
      order by round desc limit 1) e on true
    where j.id = ${jobId}`;
  if (row === undefined) throw new Error(`no job ${jobId}`);
  return row;
}
