import { HeaderMap, type ApolloServer } from '@apollo/server';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { ANONYMOUS } from '../access/caller.js';
import { actorOf } from './actor.js';
import { callerOf } from './caller.js';
import { RequestContext, type ServedParts, type Asker, type Context } from './context.js';
import { outcomeOf } from './outcome.js';
import { rateKeyOf, type RateLimiter } from './rate-limit.js';
import { refusal } from './refusal.js';

/** Who asks, and how often, is judged before the body is read. */
export function serveGraphql(
  app: FastifyInstance,
  apollo: ApolloServer<Context>,
  parts: ServedParts,
  limiter: RateLimiter | null,
): void {
  const askers = new WeakMap<FastifyRequest, Asker>();
  app.route({
    url: '/graphql',
    method: ['GET', 'POST', 'OPTIONS'],
    onRequest: async (request) => {
      askers.set(request, await admit(request, parts, limiter));
    },
    handler: async (request, reply) => {
      const asker = askers.get(request);
      if (asker === undefined) throw new Error('a request that nobody asked');
      const { status = 200, headers, body } = await answer(apollo, parts, request, asker);
      for (const [name, value] of headers) reply.header(name, value);
      if (body.kind !== 'complete') throw new Error('answers are sent whole');
      return reply.code(status).send(body.string);
    },
  });
}

async function admit(request: FastifyRequest, parts: ServedParts, limiter: RateLimiter | null): Promise<Asker> {
  const { headers, id, ip } = request;
  let caller = ANONYMOUS;
  try {
    caller = await callerOf(parts.verify, headers.authorization);
  } finally {
    // Whoever tries tokens is counted by where he tries them from.
    await limiter?.take(rateKeyOf(caller.subject, ip));
  }
  return { caller, actor: actorOf(caller, id), log: parts.log.child({ requestId: id }), outcome: outcomeOf(request) };
}

async function answer(apollo: ApolloServer<Context>, parts: ServedParts, request: FastifyRequest, asker: Asker) {
  const deadline = new AbortController();
  const context = new RequestContext(parts, asker, deadline.signal);
  const answering = apollo.executeHTTPGraphQLRequest({
    httpGraphQLRequest: {
      method: request.method,
      headers: headerMapOf(request),
      search: new URL(request.url, 'http://any').search,
      body: request.body,
    },
    context: () => Promise.resolve(context),
  });
  return inTime(answering, parts.limits.requestTimeoutMs, () => {
    deadline.abort();
  });
}

function headerMapOf({ headers }: FastifyRequest): HeaderMap {
  const map = new HeaderMap();
  for (const [name, value] of Object.entries(headers))
    if (value !== undefined) map.set(name, Array.isArray(value) ? value.join(', ') : value);
  return map;
}

/** Whoever waits is told in time; the work then meets the deadline at its next statement, or inside of the one it is in. */
async function inTime<T>(work: Promise<T>, limitMs: number, onLate: () => void): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      onLate();
      const message = `not answered within ${limitMs} ms; a mutation may or may not have been done: send it again`;
      reject(refusal('TIMEOUT', message, { status: 504 }));
    }, limitMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
