import Fastify, { type FastifyInstance } from 'fastify';
import type { SelfCheck } from '../book/self-check.js';
import type { Sql } from '../db/connect.js';
import type { JobDuty } from '../db/read-duty.js';
import type { Metrics } from '../operations/metrics.js';
import { serveOperations } from '../operations/operations-routes.js';
import { findDifference, findTroubles, judge, type Readiness } from '../operations/readiness.js';
import { lookAtDuty, standsBy } from './duty.js';

/** Of a process that runs the job and serves no GraphQL: whoever looks after it asks here how it is. */
export interface EngineReadiness extends Readiness {
  readonly role: 'engine';
  /** WORKS: the last round was its own, or nobody's; STANDS_BY: another engine is at work, and this one waits. */
  readonly duty?: 'WORKS' | 'STANDS_BY' | 'PAUSED';
  /** The engine at work; null when there is none yet. */
  readonly worker?: string | null;
  readonly round?: string;
  readonly lastLapAgeMs?: number | null;
}

export interface EngineServer {
  /** For tests that want no port: `app.inject`. */
  readonly app: FastifyInstance;
  /** Resolves to the URL of /readyz. Rejects when the port is taken. */
  listen(options: { readonly port: number; readonly host: string }): Promise<string>;
  stop(): Promise<void>;
}

export interface EngineServerOptions {
  readonly sql: Sql;
  readonly name: string;
  readonly selfCheck: Pick<SelfCheck, 'status'>;
  readonly metrics: Metrics;
  readonly metricsToken: string | undefined;
}

export function createEngineServer({ sql, name, selfCheck, metrics, metricsToken }: EngineServerOptions): EngineServer {
  const app = Fastify({ forceCloseConnections: true });
  serveOperations(app, {
    alive: () => ({ role: 'engine' }),
    readiness: () => readinessOf(sql, name, selfCheck.status().differences),
    metrics,
    metricsToken,
  });
  metrics.onCollect(({ selfCheckDifferences }) => {
    selfCheckDifferences.set(selfCheck.status().differences);
  });
  return {
    app,
    async listen({ port, host }) {
      return `${await app.listen({ port, host })}/readyz`;
    },
    stop: () => app.close(),
  };
}

/** The job is all that an engine is for: one whose job is late is of no use. */
async function readinessOf(sql: Sql, name: string, differences: number): Promise<EngineReadiness> {
  const readiness = judge([...(await findTroubles(sql)), findDifference(differences)], ['DATABASE', 'JOB_LATE']);
  if (readiness.reasons.some(({ code }) => code === 'DATABASE')) return { ...readiness, role: 'engine' };
  const duty = await lookAtDuty(sql);
  const { worker, round, lastLapAgeMs } = duty;
  return { ...readiness, role: 'engine', duty: wordOf(duty, name), worker, round, lastLapAgeMs };
}

function wordOf(duty: JobDuty, name: string): 'WORKS' | 'STANDS_BY' | 'PAUSED' {
  if (duty.paused) return 'PAUSED';
  return standsBy(duty, name) ? 'STANDS_BY' : 'WORKS';
}
