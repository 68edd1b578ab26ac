import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { getIntrospectionQuery } from 'graphql';
import { startApi, type TestApi } from './api.js';

/* eslint-disable @typescript-eslint/no-unsafe-assignment, @typescript-eslint/no-unsafe-member-access -- answers are JSON, read by the names just asked for */

describe('the server', () => {
  let api: TestApi;
  beforeAll(async () => {
    api = await startApi();
  });
  afterAll(() => api.stop());

  it('shows its contract', async () => {
    const { status, errors } = await api.ask(getIntrospectionQuery());
    expect([status, errors]).toEqual([200, undefined]);
  });

  it('refuses what is too deep, too long, or says one thing too often', async () => {
    const deep = `{ account(externalId: "a") ${'{ positions { account '.repeat(7)} { id } ${'} }'.repeat(7)} }`;
    const long = `{ ${'__typename '.repeat(1001)} }`;
    const often = `{ ${Array.from({ length: 16 }, (_, k) => `a${String(k)}: assets { id }`).join(' ')} }`;
    for (const query of [deep, long, often]) {
      const { status, data, errors } = await api.ask(query);
      expect([status, data, errors.length]).toEqual([400, undefined, 1]);
    }
  });

  it('refuses a page beyond its limit, and a cursor of another list', async () => {
    for (const first of [0, -1, 201]) {
      const { errors } = await api.ask(`{ accounts(first: ${String(first)}) { edges { cursor } } }`);
      expect(errors[0]).toMatchObject({
        message: `first must be 1 to 200, not ${String(first)}`,
        extensions: { code: 'BAD_INPUT' },
        path: ['accounts'],
      });
    }
    const cursor = Buffer.from(JSON.stringify(['liquidations', '1'])).toString('base64url');
    for (const after of [cursor, 'x', '']) {
      const { errors } = await api.ask('query($after: String) { accounts(after: $after) { edges { cursor } } }', {
        after,
      });
      expect(errors[0].extensions.code).toBe('BAD_INPUT');
    }
    const forged = Buffer.from(JSON.stringify(['liquidations', "1' or true"])).toString('base64url');
    expect(
      (await api.ask('query($after: String) { liquidations(after: $after) { edges { cursor } } }', { after: forged }))
        .errors[0].extensions.code,
    ).toBe('BAD_INPUT');
  });

  it('refuses pages within pages that could make too large an answer', async () => {
    const nested = (first: number): string =>
      `query($first: Int) { accounts(first: $first) { edges { node { ...inner } } } }
       fragment inner on Account { ledger(first: ${String(first)}) { edges { node { id } } } }`;
    const { status, errors } = await api.ask(nested(149), { first: 200 });
    expect([status, errors[0].message, errors[0].extensions.code]).toEqual([
      400,
      'the request costs 60201; the limit is 60000: ask for smaller pages, or in several requests',
      'QUERY_TOO_COSTLY',
    ]);
    expect(errors[0].extensions).toEqual({ code: 'QUERY_TOO_COSTLY', cost: 60_201, limit: 60_000 });
    expect((await api.ask(nested(148), { first: 200 })).errors).toBeUndefined();
  });

  it('refuses a request that a foreign page could have made a browser send', async () => {
    const response = await api.server.app.inject({ method: 'GET', url: '/graphql?query={__typename}' });
    expect(response.statusCode).toBe(400);
    const text = await api.server.app.inject({
      method: 'POST',
      url: '/graphql',
      headers: { 'content-type': 'text/plain' },
      payload: '{"query":"{__typename}"}',
    });
    expect(text.statusCode).toBeGreaterThanOrEqual(400);
  });

  it('refuses a body beyond its limit', async () => {
    const response = await api.server.app.inject({
      method: 'POST',
      url: '/graphql',
      payload: { query: `#${'x'.repeat(5 * 1024 * 1024)}` },
    });
    expect(response.statusCode).toBe(413);
  });

  it('masks a fault outside, and logs it whole inside', async () => {
    await api.sql`alter table liquidation rename to hidden`;
    try {
      const { data, errors } = await api.ask('{ liquidations { edges { cursor } } }');
      expect(data).toBeNull();
      expect(errors).toEqual([
        {
          message: 'Backstop met a fault; its log has it whole',
          locations: [{ line: 1, column: 3 }],
          path: ['liquidations'],
          extensions: { code: 'INTERNAL' },
        },
      ]);
      expect(api.logged.join('')).toContain('relation \\"liquidation\\" does not exist');
    } finally {
      await api.sql`alter table hidden rename to liquidation`;
    }
  });

  it('keeps the words of a mistake that is the asker’s', async () => {
    const { errors } = await api.ask('{ nonsense }');
    expect(errors[0]).toMatchObject({
      message: 'Cannot query field "nonsense" on type "Query".',
      extensions: { code: 'GRAPHQL_VALIDATION_FAILED' },
    });
    expect(errors[0].extensions.stacktrace).toBeUndefined();
  });

  it('asks for what is refused in a preview', async () => {
    const { errors } = await api.ask(
      '{ deleveragePreview(input: { marketSymbol: "NONE", side: LONG, size: "1" }) { unfilled } }',
    );
    expect(errors[0]).toMatchObject({
      message: 'marketSymbol: no market NONE',
      extensions: { code: 'UNKNOWN_MARKET' },
    });
  });
});
