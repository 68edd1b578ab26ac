import { afterEach, expect, it } from '@jest/globals';
import { createClient, type Client } from 'graphql-ws';
import WebSocket from 'ws';
import { listen } from '../../support/live.js';
import { startApi, type TestApi } from '../api.js';

let api: TestApi;
const clients: Client[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) await client.dispose();
  await api.stop();
});

const MARKETS = 'subscription { marketAdlChanged { symbol } }';

/** Asks for a stream on a connection of its own, by way of a proxy on this machine; the code that it is closed with, if it is. */
async function ask(url: string, forwardedFor: string): Promise<number | undefined> {
  const webSocketImpl = class extends WebSocket {
    constructor(address: string, protocols: string) {
      super(address, protocols, { headers: { 'x-forwarded-for': forwardedFor } });
    }
  };
  const client = createClient({ url: url.replace(/^http/, 'ws'), webSocketImpl, retryAttempts: 0 });
  clients.push(client);
  const closed = new Promise<number>((resolve) => {
    client.on('closed', (event) => {
      resolve((event as CloseEvent).code);
    });
  });
  const opened = new Promise<undefined>((resolve) => {
    client.on('connected', () => {
      resolve(undefined);
    });
  });
  listen(client, MARKETS);
  return Promise.race([closed, opened]);
}

interface CloseEvent {
  readonly code: number;
}

async function start(trustedProxies: string[]): Promise<string> {
  // Each connection is one, and its stream another one.
  api = await startApi({ limits: { rate: { requests: 2, seconds: 600 }, trustedProxies } });
  return api.server.listen({ port: 0, host: '127.0.0.1' });
}

it('streams are counted by the address that a trusted proxy names', async () => {
  const url = await start(['127.0.0.1']);
  expect(await ask(url, '192.0.2.1')).toBeUndefined();
  expect(await ask(url, '192.0.2.2')).toBeUndefined();
  expect(await ask(url, '198.51.100.7, 192.0.2.3')).toBeUndefined();
  // What a client put there itself stands before what the proxy saw.
  expect(await ask(url, '198.51.100.8, 192.0.2.3')).toBe(4403);
  expect(await ask(url, '192.0.2.1')).toBe(4403);
});

it('and by that of the proxy where it is not trusted', async () => {
  const url = await start([]);
  expect(await ask(url, '192.0.2.1')).toBeUndefined();
  expect(await ask(url, '192.0.2.2')).toBe(4403);
});
