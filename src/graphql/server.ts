import { ApolloServer } from '@apollo/server';
import { ApolloServerPluginCacheControlDisabled } from '@apollo/server/plugin/disabled';
import { ApolloServerPluginDrainHttpServer } from '@apollo/server/plugin/drainHttpServer';
import { fastifyApolloHandler } from '@as-integrations/fastify';
import { ApolloArmor } from '@escape.tech/graphql-armor';
import { specifiedRules, type GraphQLSchema, type ValidationRule } from 'graphql';
import Fastify, { type FastifyInstance } from 'fastify';
import { readClock } from '../db/record-notice.js';
import { messageOf } from '../errors.js';
import { findLateJob } from '../jobs/late-job.js';
import { actorOf } from './actor.js';
import { callerOf } from './caller.js';
import { bookAgeMs, makeContext, type ApiParts, type Context } from './context.js';
import { allowOrigins } from './cors.js';
import { makeFormatError } from './errors.js';
import { BOOK_LIMIT_MS } from './freshness.js';
import { mutationsToPrimary } from './mutations-to-primary.js';
import { Pulse } from './live/pulse.js';
import { SocketServer } from './live/socket.js';
import { pageLimit } from './page-limit.js';
import { loadSchema } from './schema.js';

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
/** Of a document; deeper than the deepest sensible question, page after page, from a market to a leg's account. */
const DEEPEST = 12;
const MOST_TOKENS = 1000;
const MOST_ALIASES = 15;
const MOST_DIRECTIVES = 20;
/** Freshness ends without anything coming. */
const PULSE_MS = 1000;

export async function createServer(parts: ApiParts): Promise<ApiServer> {
  const app = Fastify({ bodyLimit: BODY_LIMIT_BYTES, forceCloseConnections: 'idle', return503OnClosing: true });
  allowOrigins(app, parts.corsOrigins);
  const schema = loadSchema();
  const rules = documentRules();
  const pulse = new Pulse(PULSE_MS);
  const unfollow = parts.book.onBook(() => {
    pulse.beat();
  });
  const limits = { mostTokens: MOST_TOKENS, rules: [...specifiedRules, ...rules] };
  const sockets = new SocketServer({ parts, schema, pulse, limits });
  sockets.listenOn(app.server);
  const apollo = makeApollo(parts, app, schema, rules);
  await apollo.start();
  app.route({
    url: '/graphql',
    method: ['GET', 'POST', 'OPTIONS'],
    handler: fastifyApolloHandler(apollo, {
      context: async ({ headers }) => {
        const caller = await callerOf(parts.verify, headers.authorization);
        return makeContext(parts, { caller, actor: actorOf(caller, headers), pulse });
      },
    }),
  });
  app.get('/healthz', async (_request, reply) => {
    const problem = await findProblem(parts);
    const selfCheck = parts.selfCheck.status();
    const health = problem === null ? { ok: true, selfCheck } : { ok: false, problem, selfCheck };
    return reply.code(problem === null ? 200 : 503).send(health);
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

/** What a document must keep beside the language's own rules, whichever way it comes. */
function documentRules(): ValidationRule[] {
  const armor = new ApolloArmor({
    maxDepth: { n: DEEPEST, flattenFragments: true },
    maxAliases: { n: MOST_ALIASES },
    maxDirectives: { n: MOST_DIRECTIVES },
    costLimit: { enabled: false },
    blockFieldSuggestion: { enabled: false },
  }).protect();
  return armor.validationRules;
}

function makeApollo(
  parts: ApiParts,
  app: FastifyInstance,
  schema: GraphQLSchema,
  validationRules: ValidationRule[],
): ApolloServer<Context> {
  return new ApolloServer<Context>({
    schema,
    introspection: true,
    csrfPrevention: true,
    cache: 'bounded',
    includeStacktraceInErrorResponses: false,
    stopOnTerminationSignals: false,
    parseOptions: { maxLexicalTokens: MOST_TOKENS },
    validationRules,
    formatError: makeFormatError(parts.log),
    logger: parts.log,
    plugins: [
      pageLimit,
      mutationsToPrimary,
      ApolloServerPluginCacheControlDisabled(),
      ApolloServerPluginDrainHttpServer({ httpServer: app.server, stopGracePeriodMillis: DRAIN_MS }),
    ],
  });
}

/** Why this process cannot answer truly now; null: it can. */
async function findProblem({ sql, book }: ApiParts): Promise<string | null> {
  try {
    await readClock(sql);
    const age = bookAgeMs(book.current());
    if (age > BOOK_LIMIT_MS) return `the book is ${age} ms old`;
    return await findLateJob(sql);
  } catch (error) {
    return messageOf(error);
  }
}
