import { createSecretKey, type KeyObject } from 'node:crypto';
import { createRemoteJWKSet, decodeProtectedHeader, errors, jwtVerify, type JWTPayload } from 'jose';
import { ANONYMOUS, isScope, type Caller } from './caller.js';
import { RememberedCallers } from './remembered.js';
import type { AccessSettings, Secret } from './settings.js';

/** Why a request is not let in. No more is told outside, and nothing of it is a fault. */
export interface Refusal {
  readonly refused: 'malformed' | 'invalid' | 'expired';
}

/**
 * What an Authorization header says about who asks. Without one: anonymous. Whatever is no valid token is refused, and never
 * taken for anonymous. Throws when the keys cannot be had, which is a fault of ours and not of the token.
 */
export type Verify = (authorization: string | undefined) => Promise<Caller | Refusal>;

/** How far clocks may differ. */
const TOLERANCE_SECONDS = 5;
const LONGEST_TOKEN = 8192;
const BEARER = /^Bearer +([A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*)$/i;
/** As the exchange's ids are. */
const TRADER_ID = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$/;
const LONGEST_SUBJECT = 200;

/** The claims of a token that some key of this kind has signed. Throws jose's error. */
type Judge = (token: string, kid: string | undefined) => Promise<JWTPayload>;

export function createVerifier(settings: AccessSettings): Verify {
  const bySecret = settings.secrets.length === 0 ? undefined : judgeBySecrets(settings);
  const byJwks = settings.jwksUrl === undefined ? undefined : judgeByJwks(settings, settings.jwksUrl);
  const remembered = new RememberedCallers();
  return async (authorization) => {
    if (authorization === undefined) return ANONYMOUS;
    const token = BEARER.exec(authorization)?.[1];
    if (token === undefined || token.length > LONGEST_TOKEN) return { refused: 'malformed' };
    const known = remembered.find(token);
    if (known !== undefined) return known;
    const header = headerOf(token);
    if (header === undefined) return { refused: 'malformed' };
    // The header only chooses between kinds of keys; each kind has its algorithms, whatever the header says.
    const judge = header.alg === 'HS256' ? bySecret : byJwks;
    if (judge === undefined) return { refused: 'invalid' };
    try {
      const verdict = callerOf(await judge(token, header.kid));
      if (!('refused' in verdict)) remembered.remember(token, verdict);
      return verdict;
    } catch (error) {
      return refusalOf(error);
    }
  };
}

function headerOf(token: string): ReturnType<typeof decodeProtectedHeader> | undefined {
  try {
    return decodeProtectedHeader(token);
  } catch {
    return undefined;
  }
}

/** `aud`, `iss` and `exp` must be there and right. */
function claimsOf({ issuer, audience }: AccessSettings) {
  return { issuer, audience, requiredClaims: ['exp', 'sub'], clockTolerance: TOLERANCE_SECONDS };
}

function judgeBySecrets(settings: AccessSettings): Judge {
  const options = { ...claimsOf(settings), algorithms: ['HS256'] };
  const keys = settings.secrets.map(({ kid, text }) => ({ kid, key: keyOf(text) }));
  return async (token, kid) => {
    const named = keys.filter((one) => kid !== undefined && one.kid === kid);
    let failure: unknown;
    for (const { key } of named.length > 0 ? named : keys) {
      try {
        return (await jwtVerify(token, key, options)).payload;
      } catch (error) {
        if (!isSignatureWrong(error)) throw error;
        failure = error;
      }
    }
    throw failure;
  };
}

function judgeByJwks(settings: AccessSettings, url: string): Judge {
  const options = { ...claimsOf(settings), algorithms: [...settings.jwksAlgorithms] };
  // Kept for some minutes; fetched again, not too often, when a token names a key that is not among them.
  const keys = createRemoteJWKSet(new URL(url));
  return async (token) => (await jwtVerify(token, keys, options)).payload;
}

export function keyOf(secret: Secret['text']): KeyObject {
  return createSecretKey(secret, 'utf8');
}

function callerOf({ sub, exp, scope, trader }: JWTPayload): Caller | Refusal {
  // Two names that look alike would pass for two persons.
  if (sub === undefined || sub === '' || sub.length > LONGEST_SUBJECT || sub !== sub.trim() || exp === undefined)
    return { refused: 'invalid' };
  if (scope !== undefined && typeof scope !== 'string') return { refused: 'invalid' };
  if (trader !== undefined && (typeof trader !== 'string' || !TRADER_ID.test(trader))) return { refused: 'invalid' };
  // A token may be for more services than this one: scopes of theirs mean nothing here.
  const scopes = new Set((scope ?? '').split(' ').filter(isScope));
  return { subject: sub, scopes, traderId: trader ?? null, expiresAt: exp };
}

function isSignatureWrong(error: unknown): boolean {
  return codeOf(error) === errors.JWSSignatureVerificationFailed.code;
}

/** What says that the keys could not be had, rather than that the token is wrong. */
const FAULTS: readonly unknown[] = [errors.JWKSTimeout.code, errors.JWKSInvalid.code, errors.JOSEError.code];

function refusalOf(error: unknown): Refusal {
  const code = codeOf(error);
  if (code === errors.JWTExpired.code) return { refused: 'expired' };
  if (code !== undefined && !FAULTS.includes(code)) return { refused: 'invalid' };
  throw error;
}

function codeOf(error: unknown): string | undefined {
  return error instanceof errors.JOSEError ? error.code : undefined;
}
