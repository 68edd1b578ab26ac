import { readFileSync } from 'node:fs';
import path from 'node:path';
import { ApolloServer } from '@apollo/server';
import { ApolloServerPluginCacheControlDisabled } from '@apollo/server/plugin/disabled';
import { ApolloServerPluginDrainHttpServer } from '@apollo/server/plugin/drainHttpServer';
import { fastifyApolloHandler } from '@as-integrations/fastify';
import { ApolloArmor } from '@escape.tech/graphql-armor';
import { makeExecutableSchema } from '@graphql-tools/schema';
import Fastify, { type FastifyInstance } from 'fastify';
import type { GraphQLSchema } from 'graphql';
import { packageRoot } from '../config.js';
import { messageOf } from '../errors.js';
import { bookAgeMs, makeContext, type ApiParts, type Context } from './context.js';
import { makeFormatError } from './errors.js';
import { BOOK_LIMIT_MS } from './freshness.js';
import { resolvers } from './resolvers.js';

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

export function loadSchema(): GraphQLSchema {
  const typeDefs = readFileSync(path.join(packageRoot, 'schema.graphql'), 'utf8');
  return makeExecutableSchema({
    typeDefs,
    resolvers,
    resolverValidationOptions: { requireResolversToMatchSchema: 'error' },
  });
}

export async function createServer(parts: ApiParts): Promise<ApiServer> {
  const app = Fastify({ bodyLimit: BODY_LIMIT_BYTES, forceCloseConnections: 'idle', return503OnClosing: true });
  const apollo = makeApollo(parts, app);
  await apollo.start();
  app.route({
    url: '/graphql',
    method: ['GET', 'POST', 'OPTIONS'],
    handler: fastifyApolloHandler(apollo, { context: () => Promise.resolve(makeContext(parts)) }),
  });
  app.get('/healthz', async (_request, reply) => {
    const problem = await findProblem(parts);
    return reply.code(problem === null ? 200 : 503).send(problem === null ? { ok: true } : { ok: false, problem });
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
    parseOptions: { maxTokens: MOST_TOKENS },
    validationRules: armor.validationRules,
    formatError: makeFormatError(parts.log),
    logger: parts.log,
    plugins: [
      ApolloServerPluginCacheControlDisabled(),
      ApolloServerPluginDrainHttpServer({ httpServer: app.server, stopGracePeriodMillis: DRAIN_MS }),
    ],
  });
}

/** Why this process cannot answer truly now; null: it can. */
async function findProblem({ sql, book }: ApiParts): Promise<string | null> {
  try {
    await sql`select 1`;
    const age = bookAgeMs(book.current());
    return age > BOOK_LIMIT_MS ? `the book is ${age} ms old` : null;
  } catch (error) {
    return messageOf(error);
  }
}
