import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { bearer, TEST_ACCESS } from '../support/access.js';
import { startApi, type TestApi } from './api.js';

const OTHER = { ...TEST_ACCESS, secrets: [{ kid: undefined, text: 'z'.repeat(40) }] };
const SITE = 'https://app.example.com';

describe('the door', () => {
  let api: TestApi;
  beforeAll(async () => {
    api = await startApi({ corsOrigins: [SITE] });
  });
  afterAll(() => api.stop());

  const post = (headers: Record<string, string>) =>
    api.server.app.inject({ method: 'POST', url: '/graphql', headers, payload: { query: '{ assets { symbol } }' } });

  it('is closed to a token that is not valid, even for what is public, in a word and without a fault in the log', async () => {
    const expired = await bearer({ ttlSeconds: -60 });
    const forged = await bearer({}, OTHER);
    for (const [authorization, word] of [
      [expired, 'expired'],
      [forged, 'invalid'],
      ['Bearer x', 'malformed'],
      ['', 'malformed'],
      ['Basic YTpi', 'malformed'],
    ] as const) {
      const answer = await post({ authorization });
      expect([answer.statusCode, answer.json()]).toEqual([
        401,
        { errors: [{ message: `the token is ${word}`, extensions: { code: 'UNAUTHENTICATED' } }] },
      ]);
      expect(answer.headers['www-authenticate']).toBe('Bearer error="invalid_token"');
    }
    expect(api.logged).toEqual([]);
    expect((await post({})).statusCode).toBe(200);
    expect((await post({ authorization: await bearer() })).statusCode).toBe(200);
  });

  it('is opened to pages of the sites that were named, and to no others', async () => {
    const preflight = (origin: string) =>
      api.server.app.inject({
        method: 'OPTIONS',
        url: '/graphql',
        headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization' },
      });
    const allowed = await preflight(SITE);
    expect(allowed.statusCode).toBe(204);
    expect(allowed.headers).toMatchObject({
      'access-control-allow-origin': SITE,
      'access-control-allow-methods': 'GET, POST',
      'access-control-allow-headers': 'authorization, content-type, apollo-require-preflight',
      vary: 'origin',
    });
    expect(allowed.headers['access-control-allow-credentials']).toBeUndefined();
    expect((await post({ origin: SITE })).headers['access-control-allow-origin']).toBe(SITE);
    for (const origin of ['https://app.example.com.evil.org', 'http://app.example.com', 'null']) {
      for (const answer of [await preflight(origin), await post({ origin })]) {
        expect(answer.headers['access-control-allow-origin']).toBeUndefined();
      }
    }
  });

  it('names no site unless told to', async () => {
    const closed = await startApi();
    try {
      const answer = await closed.server.app.inject({ url: '/healthz', headers: { origin: SITE } });
      expect([answer.statusCode, answer.headers['access-control-allow-origin']]).toEqual([200, undefined]);
    } finally {
      await closed.stop();
    }
  });
});
