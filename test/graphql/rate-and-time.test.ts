import { afterEach, describe, expect, it } from '@jest/globals';
import { createRateLimiter, rateKeyOf } from '../../src/graphql/rate-limit.js';
import { bearer } from '../support/access.js';
import { actOn, freshVenue, startApi, type ApiOptions, type TestApi } from './api.js';

/* eslint-disable @typescript-eslint/no-unsafe-assignment, @typescript-eslint/no-unsafe-member-access -- answers are JSON, read by the names just asked for */

const started: TestApi[] = [];
async function start(options: ApiOptions): Promise<TestApi> {
  const api = await startApi(options);
  started.push(api);
  return api;
}
afterEach(async () => {
  for (const api of started.splice(0)) await api.stop();
});

describe('the rate of one caller', () => {
  it('is limited, by subject or else by address, and the answer says when to come back', async () => {
    const api = await start({ limits: { rate: { requests: 2, seconds: 600 }, trustedProxies: ['127.0.0.1'] } });
    const ask = async (headers: Record<string, string>, remoteAddress = '127.0.0.1') => {
      const payload = { query: '{ __typename }' };
      const answer = await api.server.app.inject({ method: 'POST', url: '/graphql', headers, payload, remoteAddress });
      return { status: answer.statusCode, retryAfter: answer.headers['retry-after'], errors: answer.json().errors };
    };
    const [one, other] = [await bearer({ subject: 'one' }), await bearer({ subject: 'other' })];
    for (const authorization of [one, one, other, other]) expect((await ask({ authorization })).status).toBe(200);
    const refused = await ask({ authorization: one });
    expect(refused.status).toBe(429);
    const [{ message, extensions }] = refused.errors;
    expect(extensions).toEqual({ code: 'RATE_LIMITED', retryAfterMs: expect.any(Number) });
    expect(message).toBe(`too many requests; try again in ${String(extensions.retryAfterMs)} ms`);
    expect(refused.retryAfter).toBe(String(Math.ceil(extensions.retryAfterMs / 1000)));
    // Another address, the same person.
    expect((await ask({ authorization: one, 'x-forwarded-for': '192.0.2.9' })).status).toBe(429);
    for (const status of [200, 200, 429]) expect((await ask({ 'x-forwarded-for': '192.0.2.1' })).status).toBe(status);
    expect((await ask({ 'x-forwarded-for': '192.0.2.2' })).status).toBe(200);
    // Who is no trusted proxy can say what he likes.
    for (const [status, said] of [
      [200, '1'],
      [200, '2'],
      [429, '3'],
    ] as const)
      expect((await ask({ 'x-forwarded-for': `192.0.2.10${said}` }, '198.51.100.1')).status).toBe(status);
    // Tries of tokens count by address.
    for (const status of [401, 401, 429]) {
      expect((await ask({ authorization: 'Bearer x', 'x-forwarded-for': '192.0.2.3' })).status).toBe(status);
    }
    expect((await api.server.app.inject('/healthz')).statusCode).toBe(200);
  });

  it('is counted by network where one caller has many addresses', () => {
    const keys = ['2001:db8:1:2::1', '2001:db8:1:2:ffff::9', '2001:db8:1:3::1', '::1', '2001:db8::1'].map((address) =>
      rateKeyOf(null, address),
    );
    expect(keys).toEqual([
      'address 2001:db8:1:2',
      'address 2001:db8:1:2',
      'address 2001:db8:1:3',
      'address 0:0:0:0',
      'address 2001:db8:0:0',
    ]);
    expect(rateKeyOf(null, '192.0.2.1')).toBe('address 192.0.2.1');
    expect(rateKeyOf('192.0.2.1', '::1')).toBe('subject 192.0.2.1');
  });

  it('is open again when its time has passed', async () => {
    const limiter = createRateLimiter({ requests: 1, seconds: 1 });
    await limiter.take('x');
    await expect(limiter.take('x')).rejects.toMatchObject({ extensions: { code: 'RATE_LIMITED' } });
    let isOpen = false;
    while (!isOpen)
      isOpen = await limiter.take('x').then(
        () => true,
        () => false,
      );
    await expect(limiter.take('x')).rejects.toMatchObject({ extensions: { code: 'RATE_LIMITED' } });
  });
});

describe('the time of a request', () => {
  const SLOW = { limits: { requestTimeoutMs: 500 } };
  const isWaiting = async (api: TestApi): Promise<boolean> => {
    const rows = await api.sql`select 1 from pg_stat_activity
      where datname = current_database() and application_name = 'backstop-api' and state <> 'idle'`;
    return rows.length > 0;
  };

  it.each([
    ['trader', '{ accounts { edges { node { trader { externalId } } } } }'],
    ['asset', '{ assets { symbol } }'],
  ])('ends in the database too, where a read of %s waits', async (table, query) => {
    const api = await start(SLOW);
    const venue = await freshVenue(api.sql);
    await venue.account('alice');
    await api.book.refresh();
    await api.sql.begin(async (tx) => {
      await tx`lock table ${tx(table)} in access exclusive mode`;
      const { errors } = await api.ask(query);
      expect(errors[0].extensions).toEqual({ code: 'TIMEOUT' });
      // The lock is still held, and nobody waits for it any more.
      while (await isWaiting(api));
    });
    expect((await api.ask(query)).errors).toBeUndefined();
    expect(api.logged.filter((line) => line.includes('fault'))).toEqual([]);
  });

  it('rolls back a change that was not done by then', async () => {
    const api = await start(SLOW);
    await freshVenue(api.sql);
    await api.sql.begin(async (tx) => {
      await tx`lock table asset in access exclusive mode`;
      const { errors } = await api.ask(
        'mutation { assetCreate(input: { symbol: "LATE" }) { asset { id } userErrors { code } } }',
      );
      expect(errors[0].extensions).toEqual({ code: 'TIMEOUT' });
      while (await isWaiting(api));
    });
    expect(await api.sql`select id from asset where id = 'LATE'`).toEqual([]);
    const again = await actOn(api, 'assetCreate', { symbol: 'LATE' }, 'asset { symbol }');
    expect(again).toEqual({ asset: { symbol: 'LATE' }, userErrors: [] });
  });
});

describe('the contract', () => {
  it('is shown or not, as it was set, and no message gives it away', async () => {
    const api = await start({ limits: { introspection: false } });
    for (const query of ['{ __schema { types { name } } }', '{ __type(name: "Market") { name } }']) {
      const { status, errors } = await api.ask(query);
      expect([status, errors[0].extensions.code]).toEqual([400, 'GRAPHQL_VALIDATION_FAILED']);
    }
    const { errors } = await api.ask('{ market { symbol } marke { symbol } }');
    expect(JSON.stringify(errors)).not.toContain('Did you mean');
    expect((await api.ask('{ __typename }')).data).toEqual({ __typename: 'Query' });
  });
});
