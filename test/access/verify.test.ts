import { createHmac } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { exportJWK, exportSPKI, generateKeyPair, SignJWT, type GenerateKeyPairResult, type JWTPayload } from 'jose';
import { ANONYMOUS, type Caller } from '../../src/access/caller.js';
import { mintToken } from '../../src/access/mint.js';
import { RememberedCallers } from '../../src/access/remembered.js';
import { USUAL_ALGORITHMS, type AccessSettings } from '../../src/access/settings.js';
import { createVerifier, keyOf } from '../../src/access/verify.js';
import { bearer, TEST_ACCESS, TEST_SECRET } from '../support/access.js';

const OTHER_SECRET = 'another-secret-0123456789abcdefghijkl';
const now = (): number => Math.floor(Date.now() / 1000);
const right = (): JWTPayload => ({
  sub: 'alice',
  iss: 'backstop',
  aud: 'backstop',
  exp: now() + 60,
  scope: 'read:account mail read:risk',
  trader: 't-1',
});

async function signed(claims: JWTPayload, secret = TEST_SECRET, header: object = {}): Promise<string> {
  return `Bearer ${await new SignJWT(claims).setProtectedHeader({ alg: 'HS256', ...header }).sign(keyOf(secret))}`;
}

function without(name: keyof JWTPayload, { ...claims }: JWTPayload): JWTPayload {
  Reflect.deleteProperty(claims, name);
  return claims;
}

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** Signed by hand, as no library would let one. */
function byHand(header: object, claims: JWTPayload, key: string): string {
  const content = `${part(header)}.${part(claims)}`;
  return `Bearer ${content}.${createHmac('sha256', key).update(content).digest('base64url')}`;
}

describe('a token signed with a secret', () => {
  const verify = createVerifier(TEST_ACCESS);

  it('says who asks, for what, for whose accounts and until when; scopes of other services mean nothing', async () => {
    const claims = right();
    expect(await verify(await signed(claims))).toEqual({
      subject: 'alice',
      scopes: new Set(['read:account', 'read:risk']),
      traderId: 't-1',
      expiresAt: claims.exp,
    });
    const { trader, scope, ...bare } = claims;
    expect([trader, scope]).toEqual(['t-1', claims['scope']]);
    expect(await verify(await signed(bare))).toMatchObject({ scopes: new Set(), traderId: null });
  });

  it('is needed to be anybody', async () => {
    expect(await verify(undefined)).toBe(ANONYMOUS);
  });

  it.each([
    '',
    'Bearer',
    'Bearer ',
    'Bearer x',
    'Bearer a.b',
    'Bearer a.b.c',
    'Bearer a.b.c d',
    'Basic YTpi',
    `Bearer ${'a'.repeat(9000)}.a.a`,
    'Bearer eyJhbGciOiJIUzI1NiJ9..',
  ])('is malformed: %.40j', async (header) => {
    expect(await verify(header)).toEqual({ refused: 'malformed' });
  });

  it.each<[string, (claims: JWTPayload) => Promise<string> | string]>([
    ['forged with another secret', (claims) => signed(claims, OTHER_SECRET)],
    ['for another audience', (claims) => signed({ ...claims, aud: 'other' })],
    ['for no audience', (claims) => signed(without('aud', claims))],
    ['of another issuer', (claims) => signed({ ...claims, iss: 'other' })],
    ['of no issuer', (claims) => signed(without('iss', claims))],
    ['without an end', (claims) => signed(without('exp', claims))],
    ['without a subject', (claims) => signed(without('sub', claims))],
    ['of a subject that looks like another', (claims) => signed({ ...claims, sub: `${String(claims.sub)} ` })],
    ['of an empty subject', (claims) => signed({ ...claims, sub: '' })],
    ['not valid yet', (claims) => signed({ ...claims, nbf: now() + 30 })],
    ['of a trader that is no id', (claims) => signed({ ...claims, trader: 'a b' })],
    ['of a trader that is no text', (claims) => signed({ ...claims, trader: ['t-1'] })],
    ['with scopes that are no text', (claims) => signed({ ...claims, scope: ['read:risk'] })],
    ['signed by nothing', (claims) => `Bearer ${part({ alg: 'none' })}.${part(claims)}.`],
    ['signed by nothing, with a signature', (claims) => byHand({ alg: 'none' }, claims, TEST_SECRET)],
    ['of another algorithm by the same secret', (claims) => byHand({ alg: 'HS512' }, claims, TEST_SECRET)],
    ['without an algorithm', (claims) => byHand({}, claims, TEST_SECRET)],
    [
      'changed after it was signed',
      async (claims) => (await signed(claims)).replace(/\..*\./, `.${part({ ...claims, scope: 'write:admin' })}.`),
    ],
  ])('is invalid: %s', async (_name, make) => {
    expect(await verify(await make(right()))).toEqual({ refused: 'invalid' });
  });

  it('ends, with a small tolerance for clocks that differ', async () => {
    expect(await verify(await signed({ ...right(), exp: now() - 2 }))).toMatchObject({ subject: 'alice' });
    expect(await verify(await signed({ ...right(), exp: now() - 30 }))).toEqual({ refused: 'expired' });
    // An end that somebody else wrote is no end: what is wrong with it is not told.
    expect(await verify(await signed({ ...right(), exp: now() - 30 }, OTHER_SECRET))).toEqual({ refused: 'invalid' });
  });

  it('is judged by all secrets in turn, or by the one that it names', async () => {
    const [older, newer] = [
      { kid: undefined, text: TEST_SECRET },
      { kid: 'new', text: OTHER_SECRET },
    ];
    const both = createVerifier({ ...TEST_ACCESS, secrets: [newer, older] });
    expect(await both(await signed(right()))).toMatchObject({ subject: 'alice' });
    expect(await both(await signed(right(), OTHER_SECRET))).toMatchObject({ subject: 'alice' });
    expect(await both(await bearer({}, { ...TEST_ACCESS, secrets: [newer] }))).toMatchObject({ subject: 'tester' });
    expect(await both(await signed(right(), TEST_SECRET, { kid: 'new' }))).toEqual({ refused: 'invalid' });
    const later = createVerifier({ ...TEST_ACCESS, secrets: [newer] });
    expect(await later(await signed(right()))).toEqual({ refused: 'invalid' });
    expect(await later(await signed(right(), OTHER_SECRET, { kid: 'gone' }))).toMatchObject({ subject: 'alice' });
  });

  it('is refused where there is no key at all', async () => {
    const none = createVerifier({ ...TEST_ACCESS, secrets: [] });
    expect(await none(await signed(right()))).toEqual({ refused: 'invalid' });
    expect(await none(undefined)).toBe(ANONYMOUS);
    await expect(
      mintToken({ ...TEST_ACCESS, secrets: [] }, { subject: 'x', scopes: [], ttlSeconds: 1 }),
    ).rejects.toMatchObject({ code: 'SETUP' });
  });
});

describe('a token signed with a key of a JWKS', () => {
  let server: Server;
  let settings: AccessSettings;
  let asked = 0;
  let published: object[] = [];
  let status = 200;
  let one: GenerateKeyPairResult;
  let two: GenerateKeyPairResult;

  async function publish(kid: string, pair: GenerateKeyPairResult, alg = 'ES256'): Promise<object> {
    return { ...(await exportJWK(pair.publicKey)), kid, alg, use: 'sig' };
  }
  const signedBy = async (pair: GenerateKeyPairResult, kid: string, alg = 'ES256'): Promise<string> =>
    `Bearer ${await new SignJWT(right()).setProtectedHeader({ alg, kid }).sign(pair.privateKey)}`;

  beforeAll(async () => {
    [one, two] = [await generateKeyPair('ES256', { extractable: true }), await generateKeyPair('ES256')];
    server = createServer((_request, response) => {
      asked++;
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ keys: published }));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const jwksUrl = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/keys`;
    settings = { ...TEST_ACCESS, secrets: [], jwksUrl, jwksAlgorithms: USUAL_ALGORITHMS };
  });
  afterEach(() => {
    jest.restoreAllMocks();
    status = 200;
    asked = 0;
  });
  afterAll(() => new Promise((resolve) => server.close(resolve)));

  it('is taken, and the keys are fetched once', async () => {
    published = [await publish('one', one)];
    const verify = createVerifier(settings);
    for (let k = 0; k < 3; k++) expect(await verify(await signedBy(one, 'one'))).toMatchObject({ subject: 'alice' });
    expect(await verify(await signedBy(two, 'one'))).toEqual({ refused: 'invalid' });
    expect(asked).toBe(1);
  });

  it('is never one that takes a public key for a secret', async () => {
    const rsa = await generateKeyPair('RS256', { extractable: true });
    published = [await publish('rsa', rsa, 'RS256')];
    const verify = createVerifier(settings);
    expect(await verify(await signedBy(rsa, 'rsa', 'RS256'))).toMatchObject({ subject: 'alice' });
    const texts = [await exportSPKI(rsa.publicKey), JSON.stringify(published[0])];
    const withSecret = createVerifier({ ...settings, secrets: TEST_ACCESS.secrets });
    for (const text of texts) {
      for (const judge of [verify, withSecret]) {
        expect(await judge(byHand({ alg: 'HS256', kid: 'rsa' }, right(), text))).toEqual({ refused: 'invalid' });
      }
    }
    expect(await withSecret(await signed(right()))).toMatchObject({ subject: 'alice' });
  });

  it('is of an algorithm that is allowed', async () => {
    published = [await publish('one', one)];
    const verify = createVerifier({ ...settings, jwksAlgorithms: ['RS256', 'EdDSA'] });
    expect(await verify(await signedBy(one, 'one'))).toEqual({ refused: 'invalid' });
    expect(asked).toBe(0);
  });

  it('may be of a key that came later, and of one that is gone no more', async () => {
    published = [await publish('one', one)];
    const verify = createVerifier(settings);
    expect(await verify(await signedBy(one, 'one'))).toMatchObject({ subject: 'alice' });
    published = [await publish('two', two)];
    // Not at every unknown name: whoever makes names up would have us ask without end.
    expect(await verify(await signedBy(two, 'two'))).toEqual({ refused: 'invalid' });
    expect(asked).toBe(1);
    const later = Date.now() + 31_000;
    jest.spyOn(Date, 'now').mockReturnValue(later);
    expect(await verify(await signedBy(two, 'two'))).toMatchObject({ subject: 'alice' });
    expect(await verify(await signedBy(one, 'one'))).toEqual({ refused: 'invalid' });
    expect(asked).toBe(2);
  });

  it('cannot be judged while the keys cannot be had: a fault, and no refusal of the token', async () => {
    status = 500;
    const verify = createVerifier(settings);
    await expect(verify(await signedBy(one, 'one'))).rejects.toThrow('JSON Web Key Set');
    const nowhere = createVerifier({ ...settings, jwksUrl: 'http://127.0.0.1:1/keys' });
    await expect(nowhere(await signedBy(one, 'one'))).rejects.toThrow();
  });
});

describe('what was verified a moment ago', () => {
  afterEach(() => {
    jest.useRealTimers();
  });

  it('is remembered, until the token ends or a minute has passed', () => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'], now: new Date() });
    const remembered = new RememberedCallers();
    const seconds = Math.floor(Date.now() / 1000);
    const caller = (expiresAt: number): Caller => ({ ...ANONYMOUS, subject: 'ann', expiresAt });
    remembered.remember('long', caller(seconds + 3600));
    remembered.remember('short', caller(seconds + 10));
    expect(remembered.find('long')?.subject).toBe('ann');
    expect(remembered.find('other')).toBeUndefined();
    jest.setSystemTime(Date.now() + 11_000);
    expect(remembered.find('short')).toBeUndefined();
    expect(remembered.find('long')?.subject).toBe('ann');
    jest.setSystemTime(Date.now() + 50_000);
    expect(remembered.find('long')).toBeUndefined();
  });

  it('does not grow without end', () => {
    const remembered = new RememberedCallers();
    for (let i = 0; i < 10_001; i++) remembered.remember(`t${String(i)}`, ANONYMOUS);
    expect(remembered.find('t0')).toBeUndefined();
    expect(remembered.find('t10000')).toBe(ANONYMOUS);
  });
});
