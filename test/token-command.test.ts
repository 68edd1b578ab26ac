import { describe, expect, it } from '@jest/globals';
import { BackstopError } from '../src/errors.js';
import { parseWish, type TokenOptions } from '../src/token-command.js';

const USUAL: TokenOptions = { scopes: 'read:risk', subject: 'developer', ttl: '1h' };

function refusalOf(options: Partial<TokenOptions>): string {
  try {
    parseWish({ ...USUAL, ...options });
  } catch (error) {
    if (error instanceof BackstopError && error.code === 'BAD_INPUT') return error.message;
    throw error;
  }
  return 'accepted';
}

describe('a token that is asked for', () => {
  it('is for some scopes, somebody and some time', () => {
    expect(parseWish(USUAL)).toEqual({ subject: 'developer', scopes: ['read:risk'], ttlSeconds: 3600 });
    const own = { scopes: 'read:account, write:feed', trader: 't-1', subject: 'alice', ttl: '30d' };
    expect(parseWish(own)).toEqual({
      subject: 'alice',
      scopes: ['read:account', 'write:feed'],
      traderId: 't-1',
      ttlSeconds: 2_592_000,
    });
    expect(['45s', '15m', '7d'].map((ttl) => parseWish({ ...USUAL, ttl }).ttlSeconds)).toEqual([45, 900, 604_800]);
  });

  it.each<[Partial<TokenOptions>, string]>([
    [
      { scopes: 'read:all' },
      'There is no scope read:all; there is: read:account, read:risk, read:audit, write:feed, write:admin, approve:admin.',
    ],
    [{ scopes: 'read:account' }, 'read:account is for the accounts of one trader: name it with --trader.'],
    ...['31d', '0s', '1', '1w', '-1h', '1.5h'].map((ttl): [Partial<TokenOptions>, string] => [
      { ttl },
      `--ttl must be such as 15m, 12h or 7d, and at most 30d, not ${ttl}.`,
    ]),
  ])('is refused: %j', (options, reason) => {
    expect(refusalOf(options)).toBe(reason);
  });
});
