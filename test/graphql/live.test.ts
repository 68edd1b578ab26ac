import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createClient, type Client } from 'graphql-ws';
import WebSocket from 'ws';
import type { Scope } from '../../src/access/caller.js';
import { loadSchema } from '../../src/graphql/schema.js';
import { encodeCursor } from '../../src/graphql/connection.js';
import { bearer } from '../support/access.js';
import type { TestVenue } from '../support/venue.js';
import { aliceGoesBankrupt, changeBoth, freshVenue, startApi, tellOfAlice, type TestApi } from './api.js';
import { connectTo, listen, until, type Listened } from '../support/live.js';

/* eslint-disable @typescript-eslint/no-explicit-any, @typescript-eslint/no-unsafe-assignment, @typescript-eslint/no-unsafe-member-access, @typescript-eslint/no-unsafe-return, @typescript-eslint/no-unsafe-call, @typescript-eslint/no-unsafe-argument -- answers are JSON, read by the names just asked for */

const SITE = 'https://app.example.com';
const TRADES =
  'subscription($after: String) { forcedTrades(after: $after) { cursor node { kind side size price account { id } } } }';
const LEGS =
  'subscription($after: String) { deleverageLegs(after: $after) { cursor node { id account { externalId } sizeClosed } } }';
const LIGHTS = `subscription($ids: [String!]) { adlIndicatorChanged(accountIds: $ids) {
  account { externalId } market { symbol } adl { state level freshness { code } } } }`;
const MARGINS = `subscription { marginChanged { externalId margin { status } positions { market { symbol } } } }`;

let api: TestApi;
let url: string;
const clients: Client[] = [];

beforeAll(async () => {
  api = await startApi({ corsOrigins: [SITE] });
  url = await api.server.listen({ host: '127.0.0.1', port: 0 });
});
afterAll(async () => {
  for (const client of clients) await client.dispose();
  await api.stop();
});

async function as(trader: string | null, scopes: readonly Scope[] = ['read:account'], ttlSeconds = 600) {
  const client = connectTo(
    url,
    await bearer({ subject: trader ?? 'desk', scopes, ttlSeconds, traderId: trader ?? undefined }),
  );
  clients.push(client);
  return client;
}

function asNobody(): Client {
  const client = connectTo(url, null);
  clients.push(client);
  return client;
}

/** Errors of what could not begin; what was not even tried ends with them, the rest tells them first. */
async function failureOf(listened: Listened): Promise<any> {
  const ended = await listened.ended;
  return ended ?? (listened.told as any[])[0]?.errors;
}

describe('streams of states', () => {
  let venue: TestVenue;
  beforeAll(async () => {
    venue = await freshVenue(api.sql);
    await tellOfAlice(venue);
    await api.book.refresh();
  });

  it('begin with the current value and go on when level, status or freshness is another, not when a rank moves', async () => {
    const lights = listen(await as('dora'), LIGHTS);
    const first: any = await lights.next();
    expect(first.adlIndicatorChanged).toMatchObject({
      account: { externalId: 'dora' },
      market: { symbol: 'BTCUSDT' },
      adl: { state: 'RANKED', freshness: { code: 'FRESH' } },
    });
    const levels = [first.adlIndicatorChanged.adl.level];
    const level = async (): Promise<number> => {
      await api.book.refresh();
      const indicator = api.book.current().indicator('dora', 'BTCUSDT');
      return indicator?.state === 'RANKED' ? indicator.level : 0;
    };
    for (const price of ['99.99', '99.5', '99.51', '99.2']) {
      await venue.price('BTCUSDT', price);
      const now = await level();
      if (now !== levels.at(-1)) levels.push(now);
    }
    // A deposit as large as that takes her from the front of the queue to its end.
    await venue.deposit('dora', '100000');
    levels.push(await level());
    expect(new Set(levels.slice(-2)).size).toBe(2);
    while (lights.told.length < levels.length) await lights.next();
    expect(lights.told.map((each: any) => each.adlIndicatorChanged.adl.level)).toEqual(levels);
    lights.stop();
  });

  it('tell that a position is exempt, and that it is ranked again', async () => {
    const lights = listen(await as('bob'), LIGHTS);
    const states = [(await lights.next()) as any];
    for (const [mutation, terms] of [
      ['exemptionGrant', { until: null }],
      ['exemptionEnd', {}],
    ] as const) {
      await changeBoth(api, mutation, { accountId: 'bob', reason: 'a test', ...terms });
      states.push(await lights.next());
    }
    expect(states.map(({ adlIndicatorChanged: { adl } }) => [adl.state, adl.level !== null])).toEqual([
      ['RANKED', true],
      ['EXEMPT', false],
      ['RANKED', true],
    ]);
    lights.stop();
  });

  it('tell of an account that its positions are others', async () => {
    const margins = listen(await as('carol'), MARGINS);
    expect(await margins.next()).toMatchObject({
      marginChanged: { externalId: 'carol', positions: [{ market: { symbol: 'BTCUSDT' } }] },
    });
    await venue.price('ETHUSDT', '10');
    await venue.trade('ETHUSDT', 'carol', 'lp-usdt', '0.001', '10');
    await api.book.refresh();
    expect(await margins.next()).toMatchObject({
      marginChanged: { positions: [{ market: { symbol: 'BTCUSDT' } }, { market: { symbol: 'ETHUSDT' } }] },
    });
    await venue.trade('ETHUSDT', 'lp-usdt', 'carol', '0.001', '10');
    await api.book.refresh();
    expect(await margins.next()).toMatchObject({ marginChanged: { positions: [{}] } });
    margins.stop();
  });

  it('tell nobody of others: what is not his own is passed over, and whoever has no accounts is refused', async () => {
    const others = listen(await as('bob'), LIGHTS, { ids: ['alice', 'bob', 'nobody'] });
    expect(await others.next()).toMatchObject({ adlIndicatorChanged: { account: { externalId: 'bob' } } });
    await venue.deposit('alice', '1');
    await api.book.refresh();
    const desk = listen(await as(null, ['read:risk']), LIGHTS, { ids: ['alice'] });
    expect(await desk.next()).toMatchObject({ adlIndicatorChanged: { account: { externalId: 'alice' } } });
    expect(others.told).toHaveLength(1);
    for (const client of [asNobody(), await as('bob', ['read:audit'])]) {
      expect(await failureOf(listen(client, LIGHTS))).toMatchObject([{ extensions: { code: 'FORBIDDEN' } }]);
    }
    expect(await failureOf(listen(await as('bob'), 'subscription { jobRuns { cursor } }'))).toMatchObject([
      { extensions: { code: 'FORBIDDEN' } },
    ]);
  });

  it('tell everybody of a market', async () => {
    const markets = listen(
      asNobody(),
      'subscription { marketAdlChanged(marketSymbols: ["ETHUSDT"]) { symbol status } }',
    );
    expect(await markets.next()).toEqual({ marketAdlChanged: { symbol: 'ETHUSDT', status: 'ACTIVE' } });
    const unknown = listen(asNobody(), 'subscription { marketAdlChanged(marketSymbols: ["NONE"]) { symbol } }');
    expect(await failureOf(unknown)).toMatchObject([{ extensions: { code: 'UNKNOWN_MARKET' } }]);
    markets.stop();
  });
});

describe('streams of events', () => {
  let crashed: TestApi;
  let at: string;
  let live: Listened;
  let cursors: string[];
  beforeAll(async () => {
    crashed = await startApi({ slowReaderMs: 500 });
    at = await crashed.server.listen({ host: '127.0.0.1', port: 0 });
    const client = connectTo(at, null);
    clients.push(client);
    live = listen(client, TRADES);
    await aliceGoesBankrupt(crashed);
    const { forcedTrades } = await crashed.read('{ forcedTrades(first: 50) { edges { cursor } } }');
    cursors = forcedTrades.edges.map(({ cursor }: any) => cursor);
  });
  afterAll(() => crashed.stop());

  const cursorsOf = async (listened: Listened, count: number): Promise<string[]> => {
    const found: string[] = [];
    while (found.length < count) found.push(((await listened.next()) as any).forcedTrades.cursor);
    return found;
  };

  it('tell every entry in its order, once, without a name', async () => {
    expect(cursors.length).toBeGreaterThan(3);
    expect(await cursorsOf(live, cursors.length)).toEqual(cursors);
    expect((live.told as any[]).every(({ forcedTrades }) => forcedTrades.node.account === null)).toBe(true);
  });

  it('go on behind a cursor of theirs or of the list', async () => {
    const client = connectTo(at, null);
    clients.push(client);
    const rest = listen(client, TRADES, { after: cursors[1] });
    expect(await cursorsOf(rest, cursors.length - 2)).toEqual(cursors.slice(2));
    const all = listen(client, TRADES, { after: encodeCursor('forcedTrades', '0') });
    expect(await cursorsOf(all, cursors.length)).toEqual(cursors);
    const wrong = listen(client, TRADES, { after: encodeCursor('liquidations', '1') });
    expect(await failureOf(wrong)).toMatchObject([{ extensions: { code: 'BAD_INPUT' } }]);
  });

  it('tell a trader of his own legs, a desk of all', async () => {
    const after = encodeCursor('viewerLegs', '0');
    const bob = connectTo(at, await bearer({ subject: 'bob', traderId: 'bob', scopes: ['read:account'] }));
    const desk = connectTo(at, await bearer({ subject: 'desk', scopes: ['read:risk'] }));
    clients.push(bob, desk);
    const all = listen(desk, LEGS, { after });
    const names: string[] = [];
    while (names.length < 3) names.push(((await all.next()) as any).deleverageLegs.node.account.externalId);
    expect([...names].sort()).toEqual(['bob', 'carol', 'dora']);
    const own = listen(bob, LEGS, { after });
    expect(await own.next()).toMatchObject({ deleverageLegs: { node: { account: { externalId: 'bob' } } } });
    const runs = listen(desk, 'subscription($after: String) { jobRuns(after: $after) { node { round status } } }', {
      after: encodeCursor('jobRuns', '2025-01-01T00:00:00.000000Z', 'waterfall', '0'),
    });
    expect([await runs.next(), await runs.next()]).toMatchObject(
      ['1', '2'].map((round) => ({ jobRuns: { node: { round, status: 'SUCCEEDED' } } })),
    );
    expect(own.told).toHaveLength(1);
  });

  it('go on when a reader at the same place, who was there before, leaves', async () => {
    const [first, second] = [connectTo(at, null), connectTo(at, null)];
    clients.push(first, second);
    // Each has been told of the last one, and waits: the one who came first looks first.
    // A market of its own name: readers of other tests stand elsewhere.
    const ofMarket = TRADES.replace(
      'forcedTrades(after: $after)',
      'forcedTrades(after: $after, marketSymbols: ["BTCUSDT"])',
    );
    const leaver = listen(first, ofMarket, { after: cursors.at(-2) });
    await leaver.next();
    const stays = listen(second, ofMarket, { after: cursors.at(-2) });
    await stays.next();
    await first.dispose();
    // Two looks that come to nothing, and are shared.
    await new Promise((resolve) => setTimeout(resolve, 2100));
    expect(await Promise.race([stays.ended, Promise.resolve('open')])).toBe('open');
    expect(stays.told).toHaveLength(1);
    stays.stop();
    expect(crashed.logged.filter((line) => line.includes('fault'))).toEqual([]);
  });

  it('close a reader who does not read', async () => {
    await crashed.sql`
      insert into job_run (job_id, round, status, worker, started_at, ended_at, attempts, counts, failure)
      select 'waterfall', 1000 + n, 'FAILED', 'test', now(), now(), 1, '{}', repeat('x', 20000) from generate_series(1, 2000) n`;
    const others = crashed.server.connections();
    const socket = new WebSocket(at.replace(/^http/, 'ws'), 'graphql-transport-ws');
    await new Promise((resolve) => socket.once('open', resolve));
    const authorization = await bearer();
    socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization } }));
    await new Promise((resolve) => socket.once('message', resolve));
    const query = `subscription { jobRuns(after: "${encodeCursor('jobRuns', '2025-01-01T00:00:00.000000Z', 'waterfall', '0')}") { node { failure } } }`;
    socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query } }));
    const closed = new Promise((resolve) => socket.once('close', resolve));
    let received = 0;
    socket.on('message', () => {
      if (received++ === 0) socket.pause();
    });
    await until(() => crashed.server.connections() <= others);
    socket.resume();
    await closed;
    expect(received).toBeLessThan(2000);
  });
});

describe('who may open which stream', () => {
  const [EVERYBODY, HOLDERS, WATCHERS] = [
    ['nobody', 'trader', 'risk', 'audit', 'feed', 'admin'],
    ['trader', 'risk'],
    ['risk', 'audit'],
  ];
  const OPEN_TO: Readonly<Record<string, readonly string[]>> = {
    adlIndicatorChanged: HOLDERS,
    marginChanged: HOLDERS,
    marginCallChanged: HOLDERS,
    deleverageLegs: HOLDERS,
    marketAdlChanged: EVERYBODY,
    deleverageEvents: EVERYBODY,
    forcedTrades: EVERYBODY,
    ledgerEntries: EVERYBODY,
    jobRuns: WATCHERS,
  };
  const SCOPES_OF: Readonly<Record<string, readonly Scope[]>> = {
    trader: ['read:account'],
    risk: ['read:risk'],
    audit: ['read:audit'],
    feed: ['write:feed'],
    admin: ['write:admin', 'approve:admin'],
  };

  it('is said of every stream', () => {
    const fields = Object.keys(loadSchema().getSubscriptionType()?.getFields() ?? {});
    expect(fields.sort()).toEqual(Object.keys(OPEN_TO).sort());
  });

  it.each(EVERYBODY)('is kept for %s', async (role) => {
    const scopes = SCOPES_OF[role];
    const client = scopes === undefined ? asNobody() : await as(role === 'trader' ? 'bob' : null, scopes);
    const streams = Object.keys(OPEN_TO).map((name) => {
      const query = `subscription { ${name} { __typename } }`;
      return [name, listen(client, query)] as const;
    });
    const refused: string[] = [];
    for (const [name, stream] of streams) {
      if (OPEN_TO[name]?.includes(role) === true) continue;
      expect(await failureOf(stream)).toMatchObject([{ extensions: { code: 'FORBIDDEN' } }]);
      refused.push(name);
    }
    // By now the others would have been refused as well.
    await listen(client, 'subscription { marketAdlChanged { symbol } }').next();
    for (const [name, { told }] of streams) {
      if (refused.includes(name)) continue;
      expect(told.filter((each) => (each as { errors?: unknown }).errors !== undefined)).toEqual([]);
    }
  });
});

describe('a connection', () => {
  it('ends with its token', async () => {
    const client = await as('bob', ['read:account'], 1);
    expect(await listen(client, LIGHTS, { ids: [] }).ended).toMatchObject({
      code: 4401,
      reason: 'the token has expired',
    });
  });

  it('takes a token under its name in whatever case, as a request does', async () => {
    const authorization = await bearer({ scopes: ['read:account'], traderId: 'alice' });
    const client = createClient({
      ...{ url: url.replace(/^http/, 'ws'), webSocketImpl: WebSocket, retryAttempts: 0 },
      connectionParams: { Authorization: authorization },
    });
    const stream = listen(client, 'subscription { marginChanged { externalId } }');
    expect(await stream.next()).toMatchObject({ marginChanged: { externalId: 'alice' } });
    stream.stop();
    await client.dispose();
  });

  it('is refused with a token that is not valid', async () => {
    const client = connectTo(url, await bearer({ ttlSeconds: -60 }));
    clients.push(client);
    expect(await listen(client, LIGHTS).ended).toMatchObject({ code: 4403 });
  });

  it('is refused to a page of a site that is not on the list', async () => {
    const tried = async (origin: string): Promise<unknown> => {
      const socket = new WebSocket(url.replace(/^http/, 'ws'), 'graphql-transport-ws', { origin });
      return new Promise((resolve) => {
        socket.once('open', () => {
          resolve('open');
          socket.terminate();
        });
        socket.once('error', ({ message }) => {
          resolve(message);
        });
      });
    };
    expect(await tried('https://evil.example.org')).toContain('403');
    expect(await tried('null')).toContain('403');
    expect(await tried(SITE)).toBe('open');
    expect(await tried(new URL(url).origin)).toBe('open');
  });

  it.each([
    ['a query', '{ assets { symbol } }', 'BAD_REQUEST'],
    ['a mutation', 'mutation { jobRun(input: { name: "waterfall" }) { outcome } }', 'BAD_REQUEST'],
    [
      'two subscriptions without a name',
      'subscription A { jobRuns { cursor } } subscription B { jobRuns { cursor } }',
      'BAD_REQUEST',
    ],
    ['what is no GraphQL', 'subscription {', 'GRAPHQL_PARSE_FAILED'],
    ['what the contract does not know', 'subscription { nothing }', 'GRAPHQL_VALIDATION_FAILED'],
    [
      'too many aliases',
      `subscription { jobRuns { ${Array.from({ length: 40 }, (_, k) => `a${String(k)}: cursor`).join(' ')} } }`,
      'GRAPHQL_VALIDATION_FAILED',
    ],
    ['too many tokens', `subscription { jobRuns { ${'cursor '.repeat(2000)} } }`, 'GRAPHQL_PARSE_FAILED'],
    [
      'too deep a question',
      `subscription { marketAdlChanged { ${'insuranceFund { markets { '.repeat(8)} symbol ${'} } '.repeat(8)} } }`,
      'GRAPHQL_VALIDATION_FAILED',
    ],
    [
      'too large an answer',
      `subscription { ledgerEntries { node { ${'account { ledger(first: 200) { edges { node { '.repeat(2)} id ${'} } } } '.repeat(2)} } } }`,
      'QUERY_TOO_COSTLY',
    ],
    [
      'too many accounts',
      `subscription { marginCallChanged(accountIds: [${Array.from({ length: 201 }, () => '"bob"').join()}]) { id } }`,
      'BAD_INPUT',
    ],
  ])('keeps the limits of requests: %s is refused', async (_what, query, code) => {
    const client = await as(null, ['read:risk', 'write:admin']);
    expect(await failureOf(listen(client, query))).toMatchObject([{ extensions: { code } }]);
  });

  it('has so many streams and no more, and is closed for a message that is too large', async () => {
    const client = await as('bob');
    const streams = Array.from({ length: 20 }, () => listen(client, LIGHTS, { ids: ['bob'] }));
    for (const stream of streams) await stream.next();
    const last = listen(client, LIGHTS, { ids: ['bob'] });
    expect(await failureOf(last)).toMatchObject([{ extensions: { code: 'TOO_MANY_STREAMS' } }]);
    const large = await as('bob');
    expect(await listen(large, `# ${'x'.repeat(70_000)}\n${LIGHTS}`).ended).toMatchObject({ code: 1009 });
  });

  it('is told when the server goes away', async () => {
    const other = await startApi();
    const client = connectTo(await other.server.listen({ host: '127.0.0.1', port: 0 }), null);
    clients.push(client);
    const stream = listen(client, 'subscription { forcedTrades { cursor } }');
    const markets = listen(client, 'subscription { marketAdlChanged { symbol } }');
    await until(() => other.server.connections() === 1);
    await other.stop();
    expect([await stream.ended, await markets.ended]).toMatchObject([{ code: 1001 }, { code: 1001 }]);
  });
});
