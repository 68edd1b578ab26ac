import Fastify, { type FastifyInstance } from 'fastify';
import type { Sql } from '../db/connect.js';
import type { JobDuty } from '../db/read-duty.js';
import { messageOf } from '../errors.js';
import { lookAtDuty, standsBy } from './duty.js';
import { findLateJob } from './late-job.js';

/** Of a process that runs the job and serves no GraphQL: whoever looks after it asks here how it is. */
export interface EngineHealth {
  readonly ok: boolean;
  readonly role: 'engine';
  /** WORKS: the last round was its own, or nobody's; STANDS_BY: another engine is at work, and this one waits. */
  readonly duty?: 'WORKS' | 'STANDS_BY' | 'PAUSED';
  /** The engine at work; null when there is none yet. */
  readonly worker?: string | null;
  readonly round?: string;
  readonly lastLapAgeMs?: number | null;
  readonly problem?: string;
}

export interface EngineServer {
  /** For tests that want no port: `app.inject`. */
  readonly app: FastifyInstance;
  /** Resolves to the URL of /healthz. Rejects when the port is taken. */
  listen(options: { readonly port: number; readonly host: string }): Promise<string>;
  stop(): Promise<void>;
}

export function createEngineServer(sql: Sql, name: string): EngineServer {
  const app = Fastify({ forceCloseConnections: true });
  app.get('/healthz', async (_request, reply) => {
    const health = await healthOf(sql, name);
    return reply.code(health.ok ? 200 : 503).send(health);
  });
  return {
    app,
    async listen({ port, host }) {
      return `${await app.listen({ port, host })}/healthz`;
    },
    stop: () => app.close(),
  };
}

async function healthOf(sql: Sql, name: string): Promise<EngineHealth> {
  try {
    const [duty, problem] = await Promise.all([lookAtDuty(sql), findLateJob(sql)]);
    const { worker, round, lastLapAgeMs } = duty;
    const told = { role: 'engine', duty: wordOf(duty, name), worker, round, lastLapAgeMs } as const;
    return problem === null ? { ok: true, ...told } : { ok: false, ...told, problem };
  } catch (error) {
    return { ok: false, role: 'engine', problem: messageOf(error) };
  }
}

function wordOf(duty: JobDuty, name: string): 'WORKS' | 'STANDS_BY' | 'PAUSED' {
  if (duty.paused) return 'PAUSED';
  return standsBy(duty, name) ? 'STANDS_BY' : 'WORKS';
}
