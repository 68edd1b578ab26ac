import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { openFeed, type Feed, type FeedOptions, type Price, type Refusal, type Trade } from '../../examples/feed.js';
import type { RequestFailed } from '../../examples/request.js';
import { bearer } from '../support/access.js';
import { assertInvariants } from '../support/checks.js';
import type { TestVenue } from '../support/venue.js';
import { freshVenue, startApi, type ApiOptions, type TestApi } from '../graphql/api.js';
import { startFaultyProxy, type Fault } from './faulty-proxy.js';

const ending: (() => unknown)[] = [];
let api: TestApi;
let venue: TestVenue;
let url: string;
let token: string;
const refused: { readonly id: string; readonly refusal: Refusal }[] = [];
const retries: { readonly code: string; readonly retryAfterMs: number; readonly waitMs: number }[] = [];

async function start(options: ApiOptions = {}): Promise<void> {
  api = await startApi(options);
  ending.push(() => api.stop());
  venue = await freshVenue(api.sql);
  await venue.account('ann', { deposit: '100000' });
  await venue.account('ben', { deposit: '100000' });
  url = await api.server.listen({ host: '127.0.0.1', port: 0 });
  token = await tokenOf('write:feed');
}
beforeEach(() => {
  refused.length = 0;
  retries.length = 0;
});
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end();
});

async function tokenOf(scope: 'write:feed' | 'read:risk'): Promise<string> {
  return (await bearer({ subject: 'exchange', scopes: [scope] })).replace('Bearer ', '');
}

function open(options: Partial<FeedOptions> = {}): Feed {
  const feed = openFeed({
    url,
    token: () => token,
    onRefused: (row, refusal) => refused.push({ id: row.id, refusal }),
    onRetry: ({ code, retryAfterMs }: RequestFailed, waitMs) => retries.push({ code, retryAfterMs, waitMs }),
    ...options,
  });
  ending.push(() => {
    feed.stop();
  });
  return feed;
}

const trade = (id: string, more: Partial<Trade> = {}): Trade => ({
  ...{ id, marketSymbol: 'BTCUSDT', buyerId: 'ann', sellerId: 'ben', size: '0.001', price: '100', at: venue.at },
  ...more,
});
const price = (id: string, more: Partial<Price> = {}): Price => ({
  ...{ id, marketSymbol: 'BTCUSDT', price: '100', at: venue.at },
  ...more,
});

async function storedTrades(): Promise<string[]> {
  const rows = await api.sql<{ externalId: string }[]>`select external_id as "externalId" from trade order by id`;
  return rows.map(({ externalId }) => externalId);
}

async function sizeOf(accountId: string): Promise<string | undefined> {
  const rows = await api.sql<{ size: string }[]>`select size::text from position where account_id = ${accountId}`;
  return rows[0]?.size;
}

describe('the feed', () => {
  it('stores everything exactly once, in order, whatever is lost on the way', async () => {
    await start();
    const each: Fault[] = ['PASS', 'LOST', 'ANSWER_LOST', '503', '503_AFTER', '429', 'NO_ANSWER', '429_PLAIN'];
    const faults = [...each, ...each];
    const proxy = await startFaultyProxy(url, faults);
    ending.push(() => proxy.close());
    const feed = open({ url: proxy.url, timeoutMs: 2000, batchSize: 50, capacity: 100 });
    const ids = Array.from({ length: 500 }, (_, index) => `t${String(index)}`);
    for (const id of ids) {
      await feed.trades.put(trade(id));
      expect(feed.trades.waiting).toBeLessThanOrEqual(100);
      await feed.prices.put(price(id));
    }
    await feed.drained();
    expect(faults).toEqual([]);
    expect(await storedTrades()).toEqual(ids);
    expect(await api.sql`select external_id from price_mark where market_id = 'BTCUSDT'`).toHaveLength(ids.length);
    expect(await sizeOf('ann')).toMatch(/^0\.50*$/);
    expect(refused).toEqual([]);
    // Those whose answers were lost had been stored when they were sent again.
    expect(feed.trades.recorded + feed.prices.recorded).toBeLessThan(2 * ids.length);
    expect(feed.trades.recorded + feed.trades.duplicates).toBe(ids.length);
    expect(feed.prices.recorded + feed.prices.duplicates).toBe(ids.length);
    expect(new Set(retries.map(({ code }) => code))).toEqual(
      new Set(['NETWORK', 'HTTP_503', 'HTTP_429', 'RATE_LIMITED']),
    );
    for (const { code, retryAfterMs, waitMs } of retries) {
      expect(retryAfterMs).toBe({ RATE_LIMITED: 40, HTTP_429: 1000 }[code] ?? 0);
      expect(waitMs).toBeGreaterThanOrEqual(retryAfterMs);
    }
    await assertInvariants(api.sql);
  });

  it('comes back when the server says so', async () => {
    await start({ limits: { rate: { requests: 1, seconds: 1 } } });
    const feed = open({ batchSize: 2 });
    for (const id of ['a', 'b', 'c', 'd']) await feed.trades.put(trade(id));
    await feed.drained();
    expect(await storedTrades()).toEqual(['a', 'b', 'c', 'd']);
    for (const { code, retryAfterMs } of retries) {
      expect(code).toBe('RATE_LIMITED');
      expect(retryAfterMs).toBeGreaterThan(0);
    }
  });

  it('says which row was refused, does not send it again, and stores those around it', async () => {
    await start();
    const feed = open();
    const rows = [
      trade('first'),
      trade('good'),
      trade('stranger', { buyerId: 'nobody' }),
      trade('self', { sellerId: 'ann' }),
      trade('malformed', { price: '1e5' }),
      trade('between'),
      trade('good', { price: '101' }),
      trade('last'),
    ];
    for (const row of rows) void feed.trades.put(row);
    await feed.drained();
    expect(await storedTrades()).toEqual(['first', 'good', 'between', 'last']);
    expect(new Map(refused.map(({ id, refusal }) => [id, refusal.code]))).toEqual(
      new Map([
        ['stranger', 'UNKNOWN_ACCOUNT'],
        ['self', 'SELF_TRADE'],
        ['malformed', 'BAD_USER_INPUT'],
        ['good', 'ID_REUSED'],
      ]),
    );
    expect(refused).toHaveLength(4);
    expect(refused.find(({ id }) => id === 'stranger')?.refusal).toMatchObject({
      message: expect.stringContaining('nobody'),
      field: ['input', 'trades', expect.any(String), 'buyerId'],
    });
    expect(retries).toEqual([]);
    await assertInvariants(api.sql);
  });

  it('goes on with a new token when the old one is refused', async () => {
    await start();
    const asked: boolean[] = [];
    const feed = open({
      token: (isRefused) => {
        asked.push(isRefused);
        return isRefused ? token : 'stale';
      },
    });
    await feed.prices.put(price('p'));
    await feed.drained();
    expect(asked).toEqual([false, true]);
    expect(feed.prices.recorded).toBe(1);
  });

  it('ends, and says why, when it may not write at all', async () => {
    await start();
    const reader = await tokenOf('read:risk');
    const feed = open({ token: () => reader, capacity: 1 });
    await feed.trades.put(trade('a'));
    await expect(feed.trades.put(trade('b'))).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await expect(feed.drained()).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect(retries).toEqual([]);
    expect(feed.trades.waiting).toBe(1);
    expect(await storedTrades()).toEqual([]);
  });

  it('can be stopped while it waits', async () => {
    await start();
    const feed = open({
      url: 'http://127.0.0.1:1/graphql',
      onRetry: () => {
        feed.stop();
      },
    });
    await feed.trades.put(trade('a'));
    await expect(feed.drained()).rejects.toThrow('the feed was stopped');
    await expect(feed.trades.put(trade('b'))).rejects.toThrow('the feed was stopped');
    expect(feed.trades.waiting).toBe(1);
  });
});
