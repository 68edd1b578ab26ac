import { HeaderMap } from '@apollo/server';
import { GraphQLError } from 'graphql';
import type { Caller } from '../access/caller.js';
import type { Verify } from '../access/verify.js';

/** Who asks; a token that is not valid ends the request with 401, before anything of it is read. */
export async function callerOf(verify: Verify, authorization: string | undefined): Promise<Caller> {
  const verdict = await verify(authorization);
  if (!('refused' in verdict)) return verdict;
  const headers = new HeaderMap([['www-authenticate', 'Bearer error="invalid_token"']]);
  throw new GraphQLError(`the token is ${verdict.refused}`, {
    extensions: { code: 'UNAUTHENTICATED', http: { status: 401, headers } },
  });
}
