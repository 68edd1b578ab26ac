import type { Socket } from 'node:net';
import { unwrapResolverError } from '@apollo/server/errors';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { GraphQLError } from 'graphql';
import type { AnyCode } from '../errors.js';
import type { Log } from '../telemetry.js';
import { FAULT } from './errors.js';
import { outcomeOf } from './outcome.js';

/** In the shape of a GraphQL answer, so that a client reads one kind of error. */
export function refusalBody(code: AnyCode, message: string, figures: Readonly<Record<string, unknown>> = {}): object {
  return { errors: [{ message, extensions: { code, ...figures } }] };
}

/** What Fastify says of a request before GraphQL sees it, in our words. */
const BY_STATUS: Readonly<Record<number, readonly [code: AnyCode, message: string]>> = {
  400: ['BAD_REQUEST', 'the request is malformed'],
  404: ['NOT_FOUND', 'there is nothing under this path'],
  408: ['TIMEOUT', 'the request took too long to arrive'],
  413: ['REQUEST_TOO_LARGE', 'the body is larger than 4 MiB'],
  414: ['REQUEST_TOO_LARGE', 'the address is too long'],
  415: ['UNSUPPORTED_MEDIA_TYPE', 'the body must be application/json'],
  431: ['REQUEST_TOO_LARGE', 'the headers are too large'],
  503: ['UNAVAILABLE', 'the server is stopping'],
};

/** Every answer of the server that is none of GraphQL's own. */
export function refuseByCode(app: FastifyInstance, log: Log): void {
  app.setNotFoundHandler((_request, reply) => answer(reply, 404));
  app.setErrorHandler((error, request, reply) => {
    const refusal = unwrapResolverError(error);
    if (refusal instanceof GraphQLError) return answerGraphQL(reply, refusal);
    const { statusCode = 500 } = error as { statusCode?: number };
    if (BY_STATUS[statusCode] !== undefined) return answer(reply, statusCode);
    log.error({ err: error, requestId: request.id }, 'a request met a fault');
    return answer(reply, 500);
  });
}

function answer(reply: FastifyReply, status: number): FastifyReply {
  const [code, message] = BY_STATUS[status] ?? ['INTERNAL', FAULT];
  outcomeOf(reply.request).code = code;
  return reply.code(status).send(refusalBody(code, message));
}

function answerGraphQL(reply: FastifyReply, { message, extensions }: GraphQLError): FastifyReply {
  const { code, http, ...figures } = extensions as {
    code: AnyCode;
    http?: { status?: number; headers?: Map<string, string> };
  };
  outcomeOf(reply.request).code = code;
  for (const [name, value] of http?.headers ?? []) reply.header(name, value);
  return reply.code(http?.status ?? 400).send(refusalBody(code, message, figures));
}

const STATUS_OF_SOCKET: Readonly<Record<string, number>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 408,
  HPE_HEADER_OVERFLOW: 431,
};
const REASONS: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  408: 'Request Timeout',
  431: 'Request Header Fields Too Large',
};

/** What never became a request: no HTTP, headers that are too large, or a body that does not come to its end. */
export function refuseSocket(error: Error & { readonly code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  const status = STATUS_OF_SOCKET[error.code ?? ''] ?? 400;
  const [code, message] = BY_STATUS[status] ?? ['BAD_REQUEST', 'the request is malformed'];
  const body = JSON.stringify(refusalBody(code, message));
  const head = `HTTP/1.1 ${status} ${REASONS[status] ?? ''}\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n`;
  if (socket.writable) socket.write(head + body);
  socket.destroySoon();
}
