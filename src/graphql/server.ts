import { ApolloServer } from '@apollo/server';
import { ApolloServerPluginCacheControlDisabled } from '@apollo/server/plugin/disabled';
import { ApolloServerPluginDrainHttpServer } from '@apollo/server/plugin/drainHttpServer';
import { fastifyApolloHandler } from '@as-integrations/fastify';
import { ApolloArmor } from '@escape.tech/graphql-armor';
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
import { pageLimit } from './page-limit.js';
import { loadSchema } from './schema.js';

export interface ApiServer {
  /** For tests that want no port: `app.inject`. */
  readonly app: FastifyInstance;
  /** Resolves to the URL of the API. Rejects when the port is taken. */
  listen(options: { readonly port: number; readonly host: string }): Promise<string>;
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

export async function createServer(parts: ApiParts): Promise<ApiServer> {
  const app = Fastify({ bodyLimit: BODY_LIMIT_BYTES, forceCloseConnections: 'idle', return503OnClosing: true });
  allowOrigins(app, parts.corsOrigins);
  const apollo = makeApollo(parts, app);
  await apollo.start();
  app.route({
    url: '/graphql',
    method: ['GET', 'POST', 'OPTIONS'],
    handler: fastifyApolloHandler(apollo, {
      context: async ({ headers }) => {
        const caller = await callerOf(parts.verify, headers.authorization);
        return makeContext(parts, caller, actorOf(caller, headers));
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
    async stop() {
      await apollo.stop();
      await app.close();
    },
  };
}

function makeApollo(parts: ApiParts, app: FastifyInstance): ApolloServer<Context> {
  const armor = new ApolloArmor({
    maxDepth: { n: DEEPEST, flattenFragments: true },
    maxAliases: { n: MOST_ALIASES },
    maxDirectives: { n: MOST_DIRECTIVES },
    costLimit: { enabled: false },
    blockFieldSuggestion: { enabled: false },
  }).protect();
  return new ApolloServer<Context>({
    schema: loadSchema(),
    introspection: true,
    csrfPrevention: true,
    cache: 'bounded',
    includeStacktraceInErrorResponses: false,
    stopOnTerminationSignals: false,
    parseOptions: { maxLexicalTokens: MOST_TOKENS },
    validationRules: armor.validationRules,
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
