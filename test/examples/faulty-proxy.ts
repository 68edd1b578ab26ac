import { once } from 'node:events';
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect, createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net';

/**
 * What becomes of one request: it is lost on its way, or its answer is; it waits for an answer until the asker gives up; what
 * stands between answers in place of Backstop, without having asked it or after it; it passes.
 */
export type Fault = 'LOST' | 'ANSWER_LOST' | 'NO_ANSWER' | '503' | '503_AFTER' | '429' | '429_PLAIN' | 'PASS';

export interface Proxy {
  readonly url: string;
  close(): Promise<void>;
}

/** Meets one fault a request, in this order; when there are no more, requests pass. */
export async function startFaultyProxy(target: string, faults: Fault[]): Promise<Proxy> {
  const server = createHttpServer((request, response) => {
    answer(target, faults.shift() ?? 'PASS', request, response).catch(() => response.destroy());
  });
  return { url: `${await portOf(server)}/graphql`, close: () => closed(server) };
}

async function answer(target: string, fault: Fault, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const forward = async (): Promise<{ readonly status: number; readonly text: string }> => {
    const { authorization = '' } = request.headers;
    const headers = { authorization, 'content-type': 'application/json' };
    const answered = await fetch(target, { method: 'POST', headers, body: Buffer.concat(chunks) });
    return { status: answered.status, text: await answered.text() };
  };
  if (fault === 'LOST') response.destroy();
  else if (fault === '503') response.writeHead(503, { 'content-type': 'text/html' }).end('<h1>Unavailable</h1>');
  else if (fault === '429_PLAIN') response.writeHead(429, { 'retry-after': '1' }).end();
  else if (fault === '429') {
    const extensions = { code: 'RATE_LIMITED', retryAfterMs: 40 };
    response.writeHead(429).end(JSON.stringify({ errors: [{ message: 'too many requests', extensions }] }));
  } else {
    const { status, text } = await forward();
    if (fault === 'PASS') response.writeHead(status, { 'content-type': 'application/json' }).end(text);
    if (fault === 'ANSWER_LOST') response.destroy();
    if (fault === '503_AFTER') response.writeHead(503).end('null');
    if (fault === 'NO_ANSWER' && !response.closed) await once(response, 'close');
  }
}

/** A line that can be cut; cut, it takes nobody until it is mended. */
export interface Line extends Proxy {
  cut(): void;
  mend(): void;
}

export async function startLine(target: string): Promise<Line> {
  const port = Number(new URL(target).port);
  const sockets = new Set<Socket>();
  let isCut = false;
  const server = createTcpServer((socket) => {
    if (isCut) return socket.destroy();
    const behind = connect(port, '127.0.0.1');
    for (const [one, other] of [
      [socket, behind],
      [behind, socket],
    ] as const) {
      sockets.add(one);
      one.on('error', () => undefined).on('close', () => other.destroy());
      one.pipe(other);
    }
    return undefined;
  });
  return {
    url: `${await portOf(server)}/graphql`,
    cut() {
      isCut = true;
      for (const socket of sockets) socket.destroy();
      sockets.clear();
    },
    mend() {
      isCut = false;
    },
    close() {
      for (const socket of sockets) socket.destroy();
      return closed(server);
    },
  };
}

async function portOf(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function closed(server: Server): Promise<void> {
  const closing = once(server, 'close');
  server.close();
  if ('closeAllConnections' in server) (server as unknown as { closeAllConnections(): void }).closeAllConnections();
  await closing;
}
