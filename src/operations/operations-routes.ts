import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Metrics } from './metrics.js';
import type { Readiness } from './readiness.js';

export interface OperationsOptions {
  /** Told by a process that is alive, without asking anybody. */
  readonly alive: () => object;
  readonly readiness: () => Promise<Readiness>;
  readonly metrics: Metrics;
  /** Whoever reads metrics has it; undefined: whoever is on this machine. */
  readonly metricsToken: string | undefined;
}

/** For those who look after the process: whether to restart it, whether to send it anything, and its figures. */
export function serveOperations(app: FastifyInstance, options: OperationsOptions): void {
  app.get('/healthz', () => ({ ok: true, ...options.alive() }));
  const readiness = shared(options.readiness);
  app.get('/readyz', async (_request, reply) => {
    const told = await readiness();
    return reply.code(told.ready ? 200 : 503).send(told);
  });
  const text = shared(() => options.metrics.text());
  app.get('/metrics', async (request, reply) => {
    const refused = refuseMetrics(request, options.metricsToken);
    if (refused !== null) return reply.code(refused.status).send(refused.body);
    return reply.header('content-type', options.metrics.contentType).send(await text());
  });
}

/** Those who ask at the same time get the same answer: many askers are one to the database. */
function shared<T>(work: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined;
  return () =>
    (running ??= work().finally(() => {
      running = undefined;
    }));
}

const LOOPBACK = /^(::1|(::ffff:)?127\.\d+\.\d+\.\d+)$/;

function refuseMetrics({ headers, socket }: FastifyRequest, token: string | undefined) {
  if (token !== undefined) {
    const given = /^Bearer +(.+)$/i.exec(headers.authorization ?? '')?.[1];
    return given !== undefined && isSame(given, token)
      ? null
      : refused(401, 'UNAUTHENTICATED', 'metrics need METRICS_TOKEN');
  }
  // Through a proxy on this machine everybody comes from here.
  const isForwarded = headers['x-forwarded-for'] !== undefined || headers.forwarded !== undefined;
  const isHere = LOOPBACK.test(socket.remoteAddress ?? '') && !isForwarded;
  return isHere ? null : refused(403, 'FORBIDDEN', 'metrics are for this machine, unless METRICS_TOKEN is set');
}

function refused(status: number, code: 'UNAUTHENTICATED' | 'FORBIDDEN', message: string) {
  return { status, body: { errors: [{ message, extensions: { code } }] } };
}

/** In time that tells nothing of the token. */
function isSame(one: string, other: string): boolean {
  const [a, b] = [one, other].map((text) => createHash('sha256').update(text).digest());
  return a !== undefined && b !== undefined && timingSafeEqual(a, b);
}
