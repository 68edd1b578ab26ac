import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { SignJWT } from 'jose';
import { bearer, TEST_ACCESS, TEST_SECRET } from '../support/access.js';
import { startApi, type TestApi } from './api.js';

interface Refusal {
  readonly message: string;
  readonly extensions: Readonly<Record<string, unknown>>;
}

interface Heard {
  readonly status: number;
  readonly headers: Headers;
  readonly errors: readonly Refusal[] | undefined;
}

const JSON_TYPE = { 'content-type': 'application/json' };
const PING = JSON.stringify({ query: '{ __typename }' });

/** Each against a server that really listens; after each it answers. */
describe('abuse', () => {
  let api: TestApi;
  let url: string;
  let logged = 0;
  beforeAll(async () => {
    api = await startApi({ limits: { requestTimeoutMs: 2000 } });
    url = await api.server.listen({ host: '127.0.0.1', port: 0 });
  });
  afterAll(() => api.stop());
  afterEach(async () => {
    expect(await hear({ method: 'POST', headers: JSON_TYPE, body: PING })).toMatchObject({
      status: 200,
      errors: undefined,
    });
    // None of it is a fault of ours, nor fills the log.
    expect(api.logged.slice(logged)).toEqual([]);
    logged = api.logged.length;
  });

  async function hear(init: RequestInit, path = ''): Promise<Heard> {
    const response = await fetch(`${url}${path}`, init);
    const { errors } = (await response.json()) as { errors?: readonly Refusal[] };
    return { status: response.status, headers: response.headers, errors };
  }

  async function codeOf(init: RequestInit, path = ''): Promise<[status: number, code: unknown]> {
    const { status, errors } = await hear(init, path);
    expect(errors?.length).toBeGreaterThan(0);
    expect(JSON.stringify(errors)).not.toMatch(/node_modules|stacktrace|\.ts:|select /);
    return [status, errors?.[0]?.extensions['code']];
  }

  const post = (body: string, headers: Record<string, string> = JSON_TYPE): RequestInit => ({
    method: 'POST',
    headers,
    body,
  });
  const ask = (query: string, authorization?: string): Promise<[number, unknown]> =>
    codeOf(post(JSON.stringify({ query }), { ...JSON_TYPE, ...(authorization !== undefined && { authorization }) }));

  const NOT_VALID = [400, 'GRAPHQL_VALIDATION_FAILED'];

  it.each<[what: string, query: string, answer: (number | string)[]]>([
    ['a flood of aliases', `{ ${Array.from({ length: 100 }, (_, k) => `a${k}: assets { id }`).join(' ')} }`, NOT_VALID],
    ['a flood of directives', `{ assets { id ${'@include(if: true) '.repeat(100)} } }`, NOT_VALID],
    [
      'a deep question',
      `{ account(externalId: "a") ${'{ positions { account '.repeat(50)} { id } ${'} }'.repeat(50)} }`,
      NOT_VALID,
    ],
    ['a deep question in fragments', deepFragments(40), NOT_VALID],
    ['fragments in a circle', '{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }', NOT_VALID],
    ['a fragment in itself', '{ assets { ...a } } fragment a on Asset { id ...a }', NOT_VALID],
    ['ten thousand tokens', `{ ${'__typename '.repeat(10_000)} }`, [400, 'GRAPHQL_PARSE_FAILED']],
    ['brackets without end', '{'.repeat(5000), [400, 'GRAPHQL_PARSE_FAILED']],
    ['no GraphQL', 'select * from account', [400, 'GRAPHQL_PARSE_FAILED']],
    [
      'pages within pages',
      '{ markets { adlQueue(side: LONG, first: 200) { edges { node { account { positions { market { symbol } adl { level } } } } } } } }',
      [400, 'QUERY_TOO_COSTLY'],
    ],
    ['fragments that double', doublingFragments(24), [400, 'QUERY_TOO_COSTLY']],
    [
      'the contract in circles',
      `{ __schema { types ${'{ fields { type '.repeat(8)} { name } ${'} }'.repeat(8)} } }`,
      NOT_VALID,
    ],
    ['a huge page', '{ forcedTrades(first: 2000000000) { edges { cursor } } }', [200, 'BAD_INPUT']],
    ['a number that is none', '{ forcedTrades(first: 99999999999999999999) { edges { cursor } } }', NOT_VALID],
    ['a stream over HTTP', 'subscription { marketAdlChanged { symbol } }', [400, 'BAD_REQUEST']],
    ['nothing', '', [400, 'BAD_REQUEST']],
  ])('by %s is refused', async (_what, query, answer) => {
    expect(await ask(query)).toEqual(answer);
  });

  it('by what is no GraphQL over HTTP is refused', async () => {
    const csrf = { 'apollo-require-preflight': '1' };
    const cases: [init: RequestInit, path: string, answer: [number, string]][] = [
      [post('{"query": "{ __typename }'), '', [400, 'BAD_REQUEST']],
      [post('"text"'), '', [400, 'BAD_REQUEST']],
      [post('null'), '', [400, 'BAD_REQUEST']],
      [post('{"query": 7}'), '', [400, 'BAD_REQUEST']],
      [post('{"__proto__": {"x": 1}, "query": "{ __typename }"}'), '', [400, 'BAD_REQUEST']],
      [post('{"query": "{ __typename }", "variables": "{}"}'), '', [400, 'BAD_REQUEST']],
      [post(`[${PING},${PING}]`), '', [400, 'BAD_REQUEST']],
      [post('[]'), '', [400, 'BAD_REQUEST']],
      [post(PING, { 'content-type': 'text/plain' }), '', [400, 'BAD_REQUEST']],
      [post(PING, { 'content-type': 'application/xml' }), '', [415, 'UNSUPPORTED_MEDIA_TYPE']],
      [post(PING, { 'content-type': 'multipart/form-data; boundary=x' }), '', [415, 'UNSUPPORTED_MEDIA_TYPE']],
      [post(PING, { ...JSON_TYPE, accept: 'text/html' }), '', [406, 'BAD_REQUEST']],
      [{ method: 'GET' }, '?query={__typename}', [400, 'BAD_REQUEST']],
      [
        { method: 'GET', headers: csrf },
        '?query=mutation{jobRun(input:{name:"waterfall"}){outcome}}',
        [405, 'BAD_REQUEST'],
      ],
      [{ method: 'GET', headers: csrf }, '?query={a}&query={b}', [400, 'BAD_REQUEST']],
      [{ method: 'PUT', headers: JSON_TYPE, body: PING }, '', [404, 'NOT_FOUND']],
      [{ method: 'GET' }, '/../nothing', [404, 'NOT_FOUND']],
      [
        post(JSON.stringify({ query: 'query a { __typename } query b { __typename }' })),
        '',
        [400, 'OPERATION_RESOLUTION_FAILURE'],
      ],
      [
        post(JSON.stringify({ query: 'query($id: String!) { account(externalId: $id) { id } }' })),
        '',
        [400, 'BAD_USER_INPUT'],
      ],
      [
        post(JSON.stringify({ extensions: { persistedQuery: { version: 1, sha256Hash: 'x' } } })),
        '',
        [200, 'PERSISTED_QUERY_NOT_SUPPORTED'],
      ],
      [post(JSON.stringify({ query: `#${'x'.repeat(5 * 1024 * 1024)}` })), '', [413, 'REQUEST_TOO_LARGE']],
      [{ method: 'GET', headers: { 'x-long': 'x'.repeat(20_000) } }, '', [431, 'REQUEST_TOO_LARGE']],
    ];
    for (const [k, [init, path, answer]] of cases.entries())
      expect([k, path, ...(await codeOf(init, path))]).toEqual([k, path, ...answer]);
  });

  it('by tokens that are forged, expired or of another algorithm is refused, even for what is public', async () => {
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const now = Math.floor(Date.now() / 1000);
    const claims = { sub: 'x', iss: 'backstop', aud: 'backstop', exp: now + 600, scope: 'read:risk' };
    const signed = await bearer();
    const swapped = await new SignJWT(claims).setProtectedHeader({ alg: 'HS512' }).sign(Buffer.from(TEST_SECRET));
    const tokens = [
      await bearer({}, { ...TEST_ACCESS, secrets: [{ kid: undefined, text: 'z'.repeat(40) }] }),
      await bearer({ ttlSeconds: -60 }),
      `Bearer ${part({ alg: 'none' })}.${part(claims)}.`,
      `Bearer ${part({ alg: 'RS256' })}.${part(claims)}.${'A'.repeat(342)}`,
      `Bearer ${swapped}`,
      `${signed.slice(0, -4)}AAAA`,
      `Bearer ${'x'.repeat(9000)}.x.x`,
      'Bearer',
    ];
    for (const token of tokens) expect(await ask('{ markets { symbol } }', token)).toEqual([401, 'UNAUTHENTICATED']);
  });

  it('by a body that does not come to its end is refused, and so is what is no HTTP', async () => {
    const head = `POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"query"`;
    expect(await say(head)).toMatch(/^HTTP\/1\.1 408 Request Timeout\r\n[^]*"code":"TIMEOUT"/);
    expect(await say('what is this\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n[^]*"code":"BAD_REQUEST"/);
  });

  /** What the server says until it ends the connection. */
  async function say(text: string): Promise<string> {
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    let heard = '';
    socket.on('data', (chunk: Buffer) => (heard += chunk.toString()));
    socket.write(text);
    await once(socket, 'close');
    return heard;
  }
});

function deepFragments(depth: number): string {
  const parts = Array.from(
    { length: depth },
    (_, k) => `fragment f${k} on Account { positions { account { ...f${k + 1} } } }`,
  );
  return `{ account(externalId: "a") { ...f0 } } ${parts.join(' ')} fragment f${depth} on Account { id }`;
}

/** Each spreads the next one twice: two to the power of `times` fields, in a short text. */
function doublingFragments(times: number): string {
  const parts = Array.from(
    { length: times },
    (_, k) => `fragment f${k} on Asset { ...f${k + 1} ... on Asset { ...f${k + 1} } }`,
  );
  return `{ assets { ...f0 } } ${parts.join(' ')} fragment f${times} on Asset { id }`;
}
