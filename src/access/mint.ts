import { SignJWT } from 'jose';
import { BackstopError } from '../errors.js';
import type { Scope } from './caller.js';
import type { AccessSettings } from './settings.js';
import { keyOf } from './verify.js';

export interface Wish {
  readonly subject: string;
  readonly scopes: readonly Scope[];
  readonly traderId?: string | undefined;
  readonly ttlSeconds: number;
}

/** A token signed with the first secret. */
export async function mintToken({ secrets, issuer, audience }: AccessSettings, wish: Wish): Promise<string> {
  const [secret] = secrets;
  if (secret === undefined) {
    throw new BackstopError(
      'SETUP',
      'There is no secret to sign a token with: set JWT_SECRETS, or ask whoever issues yours.',
    );
  }
  const { subject, scopes, traderId, ttlSeconds } = wish;
  const now = Math.floor(Date.now() / 1000);
  return new SignJWT({ scope: scopes.join(' '), ...(traderId !== undefined && { trader: traderId }) })
    .setProtectedHeader({ alg: 'HS256', ...(secret.kid !== undefined && { kid: secret.kid }) })
    .setSubject(subject)
    .setIssuer(issuer)
    .setAudience(audience)
    .setIssuedAt(now)
    .setExpirationTime(now + ttlSeconds)
    .sign(keyOf(secret.text));
}
