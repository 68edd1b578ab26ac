import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import proxyAddr from '@fastify/proxy-addr';
import { CloseCode, GRAPHQL_TRANSPORT_WS_PROTOCOL } from 'graphql-ws';
import { WebSocketServer, type WebSocket } from 'ws';
import { messageOf } from '../../errors.js';
import { makeProtocol, type Connection, type ProtocolOptions } from './protocol.js';

const PATH = '/graphql';
const LARGEST_MESSAGE_BYTES = 64 * 1024;
const MOST_CONNECTIONS = 10_000;
/** A reader to whom nothing could be sent between two looks, or who has not answered a ping, is closed. */
const LOOK_MS = 15_000;
const GOING_AWAY = 1001;
const FAREWELL_MS = 1000;

/** Streams over WebSockets at the address of the API. */
export class SocketServer {
  readonly #options: ProtocolOptions;
  readonly #sockets: WebSocketServer;
  readonly #protocol: ReturnType<typeof makeProtocol>;
  /** What Fastify makes of the same list for requests; a socket passes it by. */
  readonly #isTrusted: ReturnType<typeof proxyAddr.compile>;
  readonly #timer: NodeJS.Timeout;
  /** Had something to send at the last look, or owe an answer to its ping. */
  readonly #blocked = new WeakSet<WebSocket>();
  readonly #silent = new WeakSet<WebSocket>();

  constructor(options: ProtocolOptions) {
    this.#options = options;
    this.#protocol = makeProtocol(options);
    this.#isTrusted = proxyAddr.compile([...options.parts.limits.trustedProxies]);
    this.#sockets = new WebSocketServer({
      noServer: true,
      maxPayload: LARGEST_MESSAGE_BYTES,
      handleProtocols: (offered) =>
        offered.has(GRAPHQL_TRANSPORT_WS_PROTOCOL) ? GRAPHQL_TRANSPORT_WS_PROTOCOL : false,
    });
    this.#timer = setInterval(() => {
      for (const socket of this.#sockets.clients) this.#look(socket);
    }, options.parts.slowReaderMs ?? LOOK_MS).unref();
  }

  get connections(): number {
    return this.#sockets.clients.size;
  }

  listenOn(server: Server): void {
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      const refused = this.#refusalOf(request);
      if (refused !== null) socket.end(`HTTP/1.1 ${refused}\r\nConnection: close\r\n\r\n`);
      else {
        this.#sockets.handleUpgrade(request, socket, head, (opened) => {
          this.#open(opened, request);
        });
      }
    });
  }

  /** Tells every reader that the server is going away, and waits for them a moment. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    const gone = [...this.#sockets.clients].map((socket) => new Promise((resolve) => socket.once('close', resolve)));
    for (const socket of this.#sockets.clients) socket.close(GOING_AWAY, 'going away');
    const timer = setTimeout(() => {
      for (const socket of this.#sockets.clients) socket.terminate();
    }, FAREWELL_MS);
    await Promise.all(gone);
    clearTimeout(timer);
  }

  #refusalOf(request: IncomingMessage): string | null {
    if (request.url?.split('?')[0] !== PATH) return '404 Not Found';
    if (!this.#isAllowed(request)) return '403 Forbidden';
    return this.connections >= MOST_CONNECTIONS ? '503 Service Unavailable' : null;
  }

  /** A page may connect from this server itself and from the sites on the list, as with requests; what is no page names none. */
  #isAllowed({ headers: { origin, host } }: IncomingMessage): boolean {
    if (origin === undefined || this.#options.parts.corsOrigins.includes(origin)) return true;
    return URL.canParse(origin) && new URL(origin).host === host;
  }

  #open(socket: WebSocket, request: IncomingMessage): void {
    const { log } = this.#options.parts;
    // What a client did wrong in the protocol below ours; the socket closes itself with the code for it.
    socket.on('error', (error) => {
      log.debug({ error: messageOf(error) }, 'a WebSocket met an error');
    });
    socket.on('pong', () => this.#silent.delete(socket));
    const gone = new AbortController();
    const connection: Connection = {
      request,
      address: proxyAddr(request, this.#isTrusted),
      gone: gone.signal,
      close: (code, reason) => {
        socket.close(code, reason);
      },
      onClose: (listener) => socket.once('close', listener),
    };
    const closed = this.#protocol.opened(
      {
        protocol: socket.protocol,
        // A stream is not asked for its next value before this one has left, so a reader costs one value of memory.
        // What could not be sent is told by the socket's end.
        send: (data) =>
          new Promise((resolve) => {
            if (socket.readyState !== socket.OPEN) resolve();
            else
              socket.send(data, () => {
                resolve();
              });
          }),
        close: (code, reason) => {
          socket.close(code, reason);
        },
        onMessage: (handle) => {
          socket.on('message', (data: Buffer) => {
            handle(data.toString()).catch((error: unknown) => {
              log.error({ err: error }, 'a message on a WebSocket met a fault');
              socket.close(CloseCode.InternalServerError, 'Backstop met a fault');
            });
          });
        },
      },
      connection,
    );
    socket.once('close', (code, reason) => {
      gone.abort();
      void closed(code, reason.toString());
    });
  }

  #look(socket: WebSocket): void {
    const isBlocked = socket.bufferedAmount > 0;
    if ((isBlocked && this.#blocked.has(socket)) || this.#silent.has(socket)) {
      // Whoever does not read would not answer to a farewell either.
      socket.terminate();
      return;
    }
    if (isBlocked) this.#blocked.add(socket);
    else this.#blocked.delete(socket);
    this.#silent.add(socket);
    socket.ping();
  }
}
