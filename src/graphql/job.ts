import type { JobResolvers, JobRunResolvers } from '../generated/graphql.js';
import { microsecondsBetween } from '../risk/instant.js';
import { keysetOf, parsePage, toConnection } from './connection.js';
import { nodeId } from './node-id.js';

const MICROSECONDS = 1000;

export const jobResolvers: JobResolvers = {
  id: ({ id }) => nodeId('Job', id),
  name: ({ id }) => id,
  runs: async ({ id }, args, { loaders }) => {
    const page = parsePage('runsOfJob', args);
    const rows = await loaders.runsOfJob.load({ parent: id, page: keysetOf(page), filter: null });
    return toConnection('runsOfJob', page, rows, (row) => [row.round]);
  },
};

export const jobRunResolvers: JobRunResolvers = {
  id: ({ jobId, round }) => nodeId('JobRun', jobId, round),
  job: async ({ jobId }, _args, { loaders }) => {
    const job = await loaders.job.load(jobId);
    if (job === null) throw new Error(`no job ${jobId}`);
    return job;
  },
  durationMs: ({ startedAt, endedAt }) => Math.round(microsecondsBetween(startedAt, endedAt) / MICROSECONDS),
  counts: ({ counts }) => toCounts(counts),
};

/** By name, in their order. */
export function toCounts(counts: Readonly<Record<string, number>>): { name: string; count: number }[] {
  return Object.entries(counts)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, count]) => ({ name, count }));
}
