import type { IncomingMessage } from 'node:http';
import {
  GraphQLError,
  getOperationAST,
  OperationTypeNode,
  parse,
  specifiedRules,
  validate,
  type DocumentNode,
  type ExecutionArgs,
  type FormattedExecutionResult,
  type GraphQLSchema,
  type ValidationRule,
} from 'graphql';
import { CloseCode, makeServer, type Server, type SubscribePayload } from 'graphql-ws';
import { ANONYMOUS } from '../../access/caller.js';
import { actorOf } from '../actor.js';
import { callerOf } from '../caller.js';
import { RequestContext, type Asker, type ServedParts } from '../context.js';
import { maskFaults } from '../errors.js';
import type { Outcome } from '../outcome.js';
import { rateKeyOf, type RateLimiter } from '../rate-limit.js';
import { refusal } from '../refusal.js';
import { requestIdOf } from '../request-id.js';
import { checkCost, PARSE_OPTIONS, validationRules } from '../request-limits.js';
import { doAt } from './alarm.js';

export interface ProtocolOptions {
  readonly parts: ServedParts;
  readonly schema: GraphQLSchema;
  readonly limiter: RateLimiter | null;
}

/** Of a connection. */
export interface Connection {
  readonly request: IncomingMessage;
  /** Where it comes from, by the same rule as of a request. */
  readonly address: string;
  close(code: number, reason: string): void;
  /** Called when it is closed. */
  onClose(listener: () => void): void;
  /** Once the client has said who it is. */
  asker?: Asker;
  /** Given when the connection is closed. */
  readonly gone: AbortSignal;
}

const MOST_STREAMS = 20;
const HELLO_MS = 5000;

/** The protocol graphql-transport-ws. It passes none of the API's plugins, so every limit of a request is kept here as well. */
export function makeProtocol(options: ProtocolOptions): Server<Connection> {
  const rules = [...specifiedRules, ...validationRules(options.parts.limits)];
  const masked = (errors: readonly GraphQLError[], { asker, gone }: Connection) =>
    errors.map((error) => {
      const told = maskFaults(error.toJSON(), error);
      // Whoever has left is told nothing, and what his leaving broke off is no fault.
      if (told.extensions?.['code'] === 'INTERNAL' && !gone.aborted)
        asker?.log.error({ err: error.originalError }, 'a stream met a fault');
      return told;
    });
  return makeServer<Record<string, unknown>, Connection>({
    schema: options.schema,
    connectionInitWaitTimeout: HELLO_MS,
    onConnect: ({ extra, connectionParams }) => admit(options, extra, connectionParams),
    onSubscribe: ({ extra, subscriptions }, _id, payload) =>
      Object.keys(subscriptions).length > MOST_STREAMS
        ? [refusal('TOO_MANY_STREAMS', `a connection has at most ${String(MOST_STREAMS)} streams`)]
        : begin(options, rules, extra, payload),
    onError: ({ extra }, _id, _payload, errors) => masked(errors, extra),
    onNext: ({ extra }, _id, _payload, _args, { errors, ...result }) =>
      ({ ...result, ...(errors && { errors: masked(errors, extra) }) }) as FormattedExecutionResult,
  });
}

/** Written in whatever case, as in a request: editors pass on the names of their headers as they were typed. */
function authorizationOf(params: unknown): string | undefined {
  for (const [name, value] of Object.entries(params ?? {}))
    if (name.toLowerCase() === 'authorization' && typeof value === 'string') return value;
  return undefined;
}

/** False: the token is not valid, or too many have been tried. All that is begun on the connection ends with its token. */
async function admit({ parts, limiter }: ProtocolOptions, connection: Connection, params: unknown): Promise<boolean> {
  const { address, request } = connection;
  const { headers } = request;
  const given = authorizationOf(params);
  let caller = ANONYMOUS;
  try {
    try {
      caller = await callerOf(parts.verify, given ?? headers.authorization);
    } finally {
      await limiter?.take(rateKeyOf(caller.subject, address));
    }
  } catch {
    return false;
  }
  const requestId = requestIdOf(headers);
  const outcome: Outcome = { operation: 'subscription', code: 'OK' };
  connection.asker = { caller, actor: actorOf(caller, requestId), log: parts.log.child({ requestId }), outcome };
  const { expiresAt } = caller;
  if (expiresAt === null) return true;
  connection.onClose(
    doAt(expiresAt * 1000, () => {
      connection.close(CloseCode.Unauthorized, 'the token has expired');
    }),
  );
  return true;
}

/** Parsed, validated and costed by the rules of requests, and counted like one. */
async function begin(
  { parts, schema, limiter }: ProtocolOptions,
  rules: readonly ValidationRule[],
  { asker, address, gone }: Connection,
  { query, operationName, variables }: SubscribePayload,
): Promise<ExecutionArgs | readonly GraphQLError[]> {
  if (asker === undefined) throw new Error('a stream that nobody asked for');
  try {
    await limiter?.take(rateKeyOf(asker.caller.subject, address));
    const document = parsed(query);
    const operation = getOperationAST(document, operationName);
    if (operation?.operation !== OperationTypeNode.SUBSCRIPTION)
      return [refusal('BAD_REQUEST', 'over a WebSocket only a subscription can be asked for, one at a time')];
    const faults = validate(schema, document, rules);
    if (faults.length > 0) return faults.map(({ message }) => refusal('GRAPHQL_VALIDATION_FAILED', message));
    checkCost(schema, { document, operation, variables: variables ?? {} });
    return {
      ...{ schema, document, contextValue: new RequestContext(parts, asker, gone) },
      operationName: operationName ?? null,
      variableValues: variables ?? null,
    };
  } catch (error) {
    if (error instanceof GraphQLError) return [error];
    throw error;
  }
}

function parsed(query: string): DocumentNode {
  try {
    return parse(query, PARSE_OPTIONS);
  } catch (error) {
    throw refusal('GRAPHQL_PARSE_FAILED', error instanceof Error ? error.message : 'it cannot be parsed');
  }
}
