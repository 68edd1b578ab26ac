import type { IncomingMessage } from 'node:http';
import {
  GraphQLError,
  getOperationAST,
  OperationTypeNode,
  parse,
  validate,
  type DocumentNode,
  type ExecutionArgs,
  type FormattedExecutionResult,
  type GraphQLSchema,
  type ValidationRule,
} from 'graphql';
import { CloseCode, makeServer, type Server, type SubscribePayload } from 'graphql-ws';
import type { Caller } from '../../access/caller.js';
import { actorOf } from '../actor.js';
import { callerOf } from '../caller.js';
import { makeContext, type ApiParts } from '../context.js';
import { makeFormatError } from '../errors.js';
import type { Pulse } from './pulse.js';

/** What a document must keep here as over HTTP. */
export interface DocumentLimits {
  readonly mostTokens: number;
  readonly rules: readonly ValidationRule[];
}

export interface ProtocolOptions {
  readonly parts: ApiParts;
  readonly schema: GraphQLSchema;
  readonly pulse: Pulse;
  readonly limits: DocumentLimits;
}

/** Of a connection. */
export interface Connection {
  readonly request: IncomingMessage;
  close(code: number, reason: string): void;
  /** Called when it is closed. */
  onClose(listener: () => void): void;
  /** Once the client has said who it is. */
  caller?: Caller;
}

const MOST_STREAMS = 20;
const HELLO_MS = 5000;
/** The longest that a timer can be set for. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The protocol graphql-transport-ws. It passes none of the API's plugins, so every limit of a request is kept here as well. */
export function makeProtocol(options: ProtocolOptions): Server<Connection> {
  const format = makeFormatError(options.parts.log);
  const masked = (errors: readonly GraphQLError[]) => errors.map((error) => format(error.toJSON(), error));
  return makeServer<Record<string, unknown>, Connection>({
    schema: options.schema,
    connectionInitWaitTimeout: HELLO_MS,
    onConnect: ({ extra, connectionParams }) => admit(options, extra, connectionParams),
    onSubscribe: ({ extra, subscriptions }, _id, payload) =>
      Object.keys(subscriptions).length > MOST_STREAMS
        ? [refusal('TOO_MANY_STREAMS', `a connection has at most ${String(MOST_STREAMS)} streams`)]
        : begin(options, extra, payload),
    onError: (_ctx, _id, _payload, errors) => masked(errors),
    onNext: (_ctx, _id, _payload, _args, { errors, ...result }) =>
      ({ ...result, ...(errors && { errors: masked(errors) }) }) as FormattedExecutionResult,
  });
}

/** False: the token is not valid. All that is begun on the connection ends with its token. */
async function admit({ parts }: ProtocolOptions, connection: Connection, params: unknown): Promise<boolean> {
  const given = (params as { readonly authorization?: unknown } | undefined)?.authorization;
  const authorization = typeof given === 'string' ? given : connection.request.headers.authorization;
  try {
    connection.caller = await callerOf(parts.verify, authorization);
  } catch {
    return false;
  }
  const { expiresAt } = connection.caller;
  if (expiresAt === null) return true;
  const left = Math.max(0, expiresAt * 1000 - Date.now());
  const timer = setTimeout(
    () => {
      connection.close(CloseCode.Unauthorized, 'the token has expired');
    },
    Math.min(LONGEST_TIMER_MS, left),
  );
  connection.onClose(() => {
    clearTimeout(timer);
  });
  return true;
}

function begin(
  { parts, schema, pulse, limits }: ProtocolOptions,
  { caller, request }: Connection,
  { query, operationName, variables }: SubscribePayload,
): ExecutionArgs | readonly GraphQLError[] {
  if (caller === undefined) throw new Error('a stream without a caller');
  let document: DocumentNode;
  try {
    document = parse(query, { maxTokens: limits.mostTokens });
  } catch (error) {
    return [refusal('GRAPHQL_PARSE_FAILED', error instanceof Error ? error.message : 'it cannot be parsed')];
  }
  if (getOperationAST(document, operationName)?.operation !== OperationTypeNode.SUBSCRIPTION)
    return [refusal('BAD_REQUEST', 'over a WebSocket only a subscription can be asked for, one at a time')];
  const faults = validate(schema, document, limits.rules);
  if (faults.length > 0) return faults.map(({ message }) => refusal('GRAPHQL_VALIDATION_FAILED', message));
  const contextValue = makeContext(parts, { caller, actor: actorOf(caller, request.headers), pulse });
  return {
    ...{ schema, document, contextValue },
    operationName: operationName ?? null,
    variableValues: variables ?? null,
  };
}

function refusal(code: string, message: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code } });
}
