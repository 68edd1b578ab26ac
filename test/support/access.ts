import { SCOPES } from '../../src/access/caller.js';
import { mintToken, type Wish } from '../../src/access/mint.js';
import { USUAL_ALGORITHMS, type AccessSettings } from '../../src/access/settings.js';

export const TEST_SECRET = 'a-secret-of-the-tests-0123456789abcdef';

export const TEST_ACCESS: AccessSettings = {
  secrets: [{ kid: undefined, text: TEST_SECRET }],
  jwksUrl: undefined,
  jwksAlgorithms: USUAL_ALGORITHMS,
  issuer: 'backstop',
  audience: 'backstop',
};

/** An Authorization header; of somebody who may do everything, unless said otherwise. */
export async function bearer(wish: Partial<Wish> = {}, settings: AccessSettings = TEST_ACCESS): Promise<string> {
  return `Bearer ${await mintToken(settings, { subject: 'tester', scopes: SCOPES, ttlSeconds: 86_400, ...wish })}`;
}
