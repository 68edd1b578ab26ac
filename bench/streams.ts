import { performance } from 'node:perf_hooks';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import type { Sql } from '../src/db/connect.js';
import { bearer } from '../test/support/access.js';
import type { Served } from '../test/support/serve.js';
import { summarize, type Times } from './timing.js';

const SOCKETS = 1000;
const ROUNDS = 10;
const RUNS = 'subscription { jobRuns { node { round } } }';

export interface FanOut {
  readonly sockets: number;
  /** A round committed: until the last of the sockets has been told of it. */
  readonly times: Times;
}

/** So many sockets, each of them told of every round of the job. */
export async function measureFanOut(sql: Sql, served: Served): Promise<FanOut> {
  const authorization = await bearer({ scopes: ['read:risk'] });
  const url = `${served.origin.replace(/^http/, 'ws')}/graphql`;
  /** By round: how many have been told of it, and when the last one was. */
  const told = new Map<string, { count: number; lastMs: number }>();
  const clients = [];
  for (let i = 0; i < SOCKETS; i++) {
    const client = createClient({
      url,
      webSocketImpl: WebSocket,
      lazy: false,
      retryAttempts: 0,
      connectionParams: { authorization },
    });
    client.subscribe<{ jobRuns: { node: { round: string } } }>(
      { query: RUNS },
      {
        next: ({ data }) => {
          const round = data?.jobRuns.node.round ?? '';
          told.set(round, { count: (told.get(round)?.count ?? 0) + 1, lastMs: performance.now() });
        },
        error: (error) => {
          throw error instanceof Error ? error : new Error(JSON.stringify(error));
        },
        complete: () => undefined,
      },
    );
    clients.push(client);
  }
  const taken: number[] = [];
  while ([...told.values()].every(({ count }) => count < SOCKETS)) await pause(100);
  for (let i = 0; i < ROUNDS; i++) {
    const { round, seenMs } = await nextRound(sql);
    const deadline = performance.now() + 60_000;
    while (told.get(round)?.count !== SOCKETS) {
      if (performance.now() > deadline)
        throw new Error(`round ${round} reached ${String(told.get(round)?.count)} sockets`);
      await pause(5);
    }
    taken.push(Math.max(0, (told.get(round)?.lastMs ?? 0) - seenMs));
  }
  for (const client of clients) await client.dispose();
  return { sockets: SOCKETS, times: summarize(taken) };
}

/** Waits for a new round, and says when it was first seen. */
async function nextRound(sql: Sql): Promise<{ round: string; seenMs: number }> {
  const newest = async (): Promise<string> =>
    (await sql<{ round: string }[]>`select round from job where id = 'waterfall'`)[0]?.round ?? '0';
  const last = await newest();
  for (;;) {
    const round = await newest();
    if (round !== last) return { round, seenMs: performance.now() };
    await pause(1);
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
