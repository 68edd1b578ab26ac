import type { Reader } from './connect.js';

/** A job that has run before and is not paused, overdue by more than this many seconds; null when there is none. */
export async function readOverdueJob(
  reader: Reader,
  seconds: number,
): Promise<{ id: string; overdueSeconds: number } | null> {
  const [row] = await reader<{ id: string; overdue: number }[]>`
    select id, extract(epoch from clock_timestamp() - due_at)::integer as overdue from job
    where round > 0 and not paused and due_at < clock_timestamp() - ${seconds} * interval '1 second'
    order by due_at limit 1`;
  return row === undefined ? null : { id: row.id, overdueSeconds: row.overdue };
}
