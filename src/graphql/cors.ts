import type { FastifyInstance } from 'fastify';

/** How long a browser may remember what it was told. */
const MAX_AGE_SECONDS = 600;

/** Lets pages of these sites ask. Tokens come in a header, never in a cookie, so credentials are not allowed. */
export function allowOrigins(app: FastifyInstance, origins: readonly string[]): void {
  if (origins.length === 0) return;
  const allowed = new Set(origins);
  app.addHook('onRequest', async (request, reply) => {
    // The answer differs by it, for caches on the way too.
    reply.header('vary', 'origin');
    const { origin } = request.headers;
    if (origin === undefined || !allowed.has(origin)) return;
    reply.header('access-control-allow-origin', origin);
    if (request.method !== 'OPTIONS' || request.headers['access-control-request-method'] === undefined) return;
    await reply
      .code(204)
      .headers({
        'access-control-allow-methods': 'GET, POST',
        'access-control-allow-headers': 'authorization, content-type, apollo-require-preflight',
        'access-control-max-age': String(MAX_AGE_SECONDS),
      })
      .send();
  });
}
