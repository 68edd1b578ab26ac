import { performance } from 'node:perf_hooks';
import type { ApolloServerPlugin } from '@apollo/server';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { AnyCode } from '../errors.js';
import type { Metrics, OperationKind } from '../operations/metrics.js';
import type { Log } from '../telemetry.js';
import type { Context } from './context.js';

/** What became of a request, for those who look after the service. */
export interface Outcome {
  operation: OperationKind;
  code: AnyCode | 'OK';
}

const OUTCOMES = new WeakMap<FastifyRequest, Outcome>();

export function outcomeOf(request: FastifyRequest): Outcome {
  const outcome = OUTCOMES.get(request) ?? { operation: 'none', code: 'OK' };
  OUTCOMES.set(request, outcome);
  return outcome;
}

/** What GraphQL knows of it. An answer that was not whole has the code of its first error. */
export const noteOutcome: ApolloServerPlugin<Context> = {
  requestDidStart: () =>
    Promise.resolve({
      didResolveOperation: ({ operation, contextValue }) => {
        contextValue.outcome.operation = operation?.operation ?? 'none';
        return Promise.resolve();
      },
      willSendResponse: ({ response: { body }, contextValue }) => {
        const errors = body.kind === 'single' ? body.singleResult.errors : undefined;
        const code = errors?.[0]?.extensions?.['code'];
        if (code !== undefined) contextValue.outcome.code = code as AnyCode;
        return Promise.resolve();
      },
    }),
};

/** Counts each request, and has a line for it at level debug: who asked, what kind, how it ended. Never what was asked or with which token. */
export function observeRequests(app: FastifyInstance, metrics: Metrics, log: Log): void {
  const begun = new WeakMap<FastifyRequest, number>();
  app.addHook('onRequest', (request, _reply, done) => {
    begun.set(request, performance.now());
    done();
  });
  app.addHook('onResponse', (request, reply, done) => {
    done();
    if (request.routeOptions.url !== '/graphql' || request.method === 'OPTIONS') return;
    const { operation, code } = outcomeOf(request);
    const durationMs = performance.now() - (begun.get(request) ?? performance.now());
    metrics.answered(operation, code, durationMs / 1000);
    log.debug(
      { requestId: request.id, operation, outcome: code, status: reply.statusCode, durationMs: Math.round(durationMs) },
      'request',
    );
  });
}
