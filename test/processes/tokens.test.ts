import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { decodeJwt } from 'jose';
import { createTestDatabase } from '../support/database.js';
import { commands, startServe, type Served } from '../support/serve.js';

interface Said {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function token(environment: Readonly<Record<string, string>>, ...words: string[]): Promise<Said> {
  const env = { ...process.env, DATABASE_URL: '', JWT_SECRETS: '', JWT_JWKS_URL: '', ...environment };
  try {
    return {
      code: 0,
      ...(await promisify(execFile)(process.execPath, [await commands(), 'token', ...words], { env })),
    };
  } catch (error) {
    return error as Said;
  }
}

async function ask(origin: string, query: string, bearer?: string): Promise<{ status: number; body: unknown }> {
  const authorization = bearer === undefined ? {} : { authorization: `Bearer ${bearer}` };
  const answer = await fetch(`${origin}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...authorization },
    body: JSON.stringify({ query }),
  });
  return { status: answer.status, body: await answer.json() };
}

describe('a start on the embedded database, with nothing set', () => {
  let folder: string;
  let served: Served;
  let printed: string;
  beforeAll(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'backstop-tokens-'));
    served = await startServe('api', { DATABASE_URL: '', JWT_SECRETS: '', BACKSTOP_DATA_DIR: folder });
    printed = await served.printed(/approver: /);
  });
  afterAll(async () => {
    served.signal('SIGTERM');
    await served.ended;
    await rm(folder, { recursive: true, force: true });
  });
  const printedToken = (who: string): string => new RegExp(`^  ${who}: (\\S+)$`, 'm').exec(printed)?.[1] ?? '';

  it('prints tokens that work, each for what it is for', async () => {
    const make =
      'mutation { traderUpsert(input: { externalId: "t-1" }) { trader { externalId } userErrors { code } } }';
    expect(await ask(served.origin, make, printedToken('operator'))).toEqual({
      status: 200,
      body: { data: { traderUpsert: { trader: { externalId: 't-1' }, userErrors: [] } } },
    });
    const look = '{ accounts { edges { cursor } } viewer { scopes } }';
    expect(await ask(served.origin, look, printedToken('risk desk'))).toEqual({
      status: 200,
      body: { data: { accounts: { edges: [] }, viewer: { scopes: ['read:risk'] } } },
    });
    expect(await ask(served.origin, make, printedToken('risk desk'))).toMatchObject({
      body: { data: null, errors: [{ extensions: { code: 'FORBIDDEN' } }] },
    });
    expect(await ask(served.origin, '{ markets { symbol } viewer { scopes } }')).toEqual({
      status: 200,
      body: { data: { markets: [], viewer: null } },
    });
  });

  it('prints those of two persons, for what takes two', async () => {
    const stop = 'mutation { engineStop(input: { reason: "a try" }) { userErrors { code } } }';
    await ask(served.origin, stop, printedToken('operator'));
    const start = 'mutation { engineStart(input: { reason: "a try" }) { change { id digest } } }';
    const { body } = await ask(served.origin, start, printedToken('operator'));
    const { id, digest } = (body as { data: { engineStart: { change: { id: string; digest: string } } } }).data
      .engineStart.change;
    const decide = `mutation { changeDecide(input: { changeId: "${id}", digest: "${digest}", decision: APPROVE }) {
      change { status proposedBy decidedBy } userErrors { code } } }`;
    expect(await ask(served.origin, decide, printedToken('approver'))).toEqual({
      status: 200,
      body: {
        data: {
          changeDecide: {
            change: { status: 'APPLIED', proposedBy: 'operator', decidedBy: 'approver' },
            userErrors: [],
          },
        },
      },
    });
  });

  it('has a secret that the command signs with too', async () => {
    const words = ['--scopes', 'read:account', '--trader', 't-1', '--subject', 'alice', '--ttl', '15m'];
    const { code, stdout } = await token({ BACKSTOP_DATA_DIR: folder }, ...words);
    expect(code).toBe(0);
    const claims = decodeJwt(stdout.trim());
    expect(claims).toEqual({
      ...{ sub: 'alice', scope: 'read:account', trader: 't-1', iss: 'backstop', aud: 'backstop' },
      iat: expect.any(Number),
      exp: (claims.iat ?? 0) + 900,
    });
    expect(await ask(served.origin, '{ viewer { trader { externalId } } }', stdout.trim())).toEqual({
      status: 200,
      body: { data: { viewer: { trader: { externalId: 't-1' } } } },
    });
  });
});

describe('a start on a database of somebody’s own, without a key', () => {
  it('answers what is public and nothing else, and says so', async () => {
    const database = await createTestDatabase();
    const served = await startServe('api', { DATABASE_URL: database.url, JWT_SECRETS: '' });
    try {
      expect(await served.printed(/needs a token/)).not.toMatch(/eyJ/);
      expect(served.said()).toContain('no key to judge tokens by');
      expect((await ask(served.origin, '{ markets { symbol } }')).body).toEqual({ data: { markets: [] } });
      const halt = 'mutation { jobRun(input: { name: "waterfall" }) { outcome } }';
      expect((await ask(served.origin, halt)).body).toMatchObject({ errors: [{ extensions: { code: 'FORBIDDEN' } }] });
      const { stdout } = await token({ JWT_SECRETS: 's'.repeat(40) }, '--scopes', 'write:admin');
      expect((await ask(served.origin, halt, stdout.trim())).status).toBe(401);
    } finally {
      served.signal('SIGTERM');
      await served.ended;
      await database.drop();
    }
  });
});

describe('backstop token', () => {
  it('refuses when others make the tokens', async () => {
    const jwks = { JWT_JWKS_URL: 'https://login.example.com/keys', JWT_ISSUER: 'x' };
    expect(await token(jwks, '--scopes', 'read:risk')).toMatchObject({
      code: 1,
      stdout: '',
      stderr: 'There is no secret to sign a token with: set JWT_SECRETS, or ask whoever issues yours.\n',
    });
  });
});
