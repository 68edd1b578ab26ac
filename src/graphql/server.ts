import { ApolloServer } from '@apollo/server';
import { ApolloServerPluginCacheControlDisabled } from '@apollo/server/plugin/disabled';
import { ApolloServerPluginDrainHttpServer } from '@apollo/server/plugin/drainHttpServer';
import type { GraphQLSchema } from 'graphql';
import Fastify, { type FastifyInstance } from 'fastify';
import { serveOperations } from '../operations/operations-routes.js';
import { findDifference, findTroubles, judge, type Readiness, type Reason } from '../operations/readiness.js';
import { bookAgeMs, type ApiParts, type Context } from './context.js';
import { allowOrigins } from './cors.js';
import { costLimit } from './cost-limit.js';
import { logFaults, maskFaults } from './errors.js';
import { BOOK_LIMIT_MS } from './freshness.js';
import { serveGraphiql } from './graphiql.js';
import { serveGraphql } from './graphql-route.js';
import { mutationsToPrimary } from './mutations-to-primary.js';
import { Pulse } from './live/pulse.js';
import { SocketServer } from './live/socket.js';
import { noteOutcome, observeRequests } from './outcome.js';
import { createRateLimiter } from './rate-limit.js';
import { refuseByCode, refuseSocket } from './refused-requests.js';
import { requestIdOf } from './request-id.js';
import { PARSE_OPTIONS, validationRules } from './request-limits.js';
import { loadSchema } from './schema.js';
import { streamsBySocket } from './streams-by-socket.js';

export interface ApiServer {
  /** For tests that want no port: `app.inject`. */
  readonly app: FastifyInstance;
  /** Resolves to the URL of the API. Rejects when the port is taken. */
  listen(options: { readonly port: number; readonly host: string }): Promise<string>;
  /** Open WebSockets. */
  connections(): number;
  /** Takes no new requests, lets those under way end, within some seconds. */
  stop(): Promise<void>;
}

/** A batch of 1,000 rows comes through variables and fits well. */
const BODY_LIMIT_BYTES = 4 * 1024 * 1024;
const DRAIN_MS = 10_000;
/** Freshness ends without anything coming. */
const PULSE_MS = 1000;
/** How often Node looks for requests that do not come to their end. */
const LATE_CHECK_MS = 1000;

export async function createServer(parts: ApiParts): Promise<ApiServer> {
  const app = openHttp(parts);
  observeRequests(app, parts.metrics, parts.log);
  refuseByCode(app, parts.log);
  allowOrigins(app, parts.corsOrigins);
  const schema = loadSchema();
  const pulse = new Pulse(PULSE_MS);
  const unfollow = parts.book.onBook(() => {
    pulse.beat();
  });
  const served = { ...parts, pulse };
  const apollo = makeApollo(parts, app, schema);
  await apollo.start();
  const { rate } = parts.limits;
  const limiter = rate === null ? null : createRateLimiter(rate);
  serveGraphql(app, apollo, served, limiter);
  // An editor is of no use where the contract is not shown.
  if (parts.limits.introspection) serveGraphiql(app);
  const sockets = new SocketServer({ parts: served, schema, limiter });
  sockets.listenOn(app.server);
  serveOperations(app, {
    alive: () => ({ role: parts.role }),
    readiness: () => readinessOf(parts),
    metrics: parts.metrics,
    metricsToken: parts.metricsToken,
  });
  parts.metrics.onCollect(({ bookAge, selfCheckDifferences }) => {
    bookAge.set(bookAgeMs(parts.book.current()) / 1000);
    selfCheckDifferences.set(parts.selfCheck.status().differences);
  });
  return {
    app,
    async listen({ port, host }) {
      const url = await app.listen({ port, host });
      return `${url}/graphql`;
    },
    connections: () => sockets.connections,
    async stop() {
      unfollow();
      pulse.stop();
      await sockets.stop();
      await apollo.stop();
      await app.close();
    },
  };
}

function openHttp({ limits }: ApiParts): FastifyInstance {
  const app = Fastify({
    bodyLimit: BODY_LIMIT_BYTES,
    requestTimeout: limits.requestTimeoutMs,
    // Node takes the longer of the two for the body, and 60 s for the headers unless told.
    http: { headersTimeout: limits.requestTimeoutMs, connectionsCheckingInterval: LATE_CHECK_MS },
    trustProxy: [...limits.trustedProxies],
    forceCloseConnections: 'idle',
    return503OnClosing: true,
    genReqId: ({ headers }) => requestIdOf(headers),
    clientErrorHandler: refuseSocket,
  });
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id);
  });
  return app;
}

function makeApollo({ limits, log }: ApiParts, app: FastifyInstance, schema: GraphQLSchema): ApolloServer<Context> {
  return new ApolloServer<Context>({
    schema,
    // The rule that forbids it stands with the others.
    introspection: true,
    hideSchemaDetailsFromClientErrors: !limits.introspection,
    csrfPrevention: true,
    allowBatchedHttpRequests: false,
    persistedQueries: false,
    cache: 'bounded',
    includeStacktraceInErrorResponses: false,
    stopOnTerminationSignals: false,
    parseOptions: PARSE_OPTIONS,
    validationRules: validationRules(limits),
    formatError: maskFaults,
    logger: log,
    plugins: [
      streamsBySocket,
      costLimit,
      mutationsToPrimary,
      logFaults,
      noteOutcome,
      ApolloServerPluginCacheControlDisabled(),
      ApolloServerPluginDrainHttpServer({ httpServer: app.server, stopGracePeriodMillis: DRAIN_MS }),
    ],
  });
}

/**
 * Without the database, or with an old book, it cannot answer truly, and another process may. With the others nobody
 * could answer better, and facts must still come in.
 */
async function readinessOf({ sql, book, selfCheck }: ApiParts): Promise<Readiness & { readonly selfCheck: object }> {
  const age = bookAgeMs(book.current());
  const status = selfCheck.status();
  const reasons: (Reason | null)[] = [
    ...(await findTroubles(sql)),
    age > BOOK_LIMIT_MS ? { code: 'BOOK_AGE', message: `the book is ${age} ms old` } : null,
    findDifference(status.differences),
  ];
  return { ...judge(reasons, ['DATABASE', 'BOOK_AGE']), selfCheck: status };
}
