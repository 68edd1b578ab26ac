import type { Caller } from '../access/caller.js';
import type { Verify } from '../access/verify.js';
import { refusal } from './refusal.js';

/** Who asks; a token that is not valid ends the request with 401, before anything of it is read. */
export async function callerOf(verify: Verify, authorization: string | undefined): Promise<Caller> {
  const verdict = await verify(authorization);
  if (!('refused' in verdict)) return verdict;
  const headers = { 'www-authenticate': 'Bearer error="invalid_token"' };
  throw refusal('UNAUTHENTICATED', `the token is ${verdict.refused}`, { status: 401, headers });
}
