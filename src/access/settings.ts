/** One key of our own. Several are accepted at once, so that they can be changed without a pause. */
export interface Secret {
  /** Name that a token's header may pick it by. Undefined: it is tried in turn. */
  readonly kid: string | undefined;
  readonly text: string;
}

/** By which keys a token is judged, and what it has to say. */
export interface AccessSettings {
  /** HS256. The first one signs. */
  readonly secrets: readonly Secret[];
  /** Public keys of whoever issues tokens; undefined: none. */
  readonly jwksUrl: string | undefined;
  /** What its keys may sign by. */
  readonly jwksAlgorithms: readonly JwksAlgorithm[];
  readonly issuer: string;
  readonly audience: string;
}

/** Public keys verify these and nothing else: a symmetric algorithm would take a public key for a secret. */
export const JWKS_ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'EdDSA',
] as const;
export type JwksAlgorithm = (typeof JWKS_ALGORITHMS)[number];
export const USUAL_ALGORITHMS: readonly JwksAlgorithm[] = ['RS256', 'ES256', 'EdDSA'];

/** HS256 wants a key as long as its digest. */
const SHORTEST_SECRET = 32;
const SECRET = /^(?:([A-Za-z0-9._-]{1,64}):)?([A-Za-z0-9+/=_-]+)$/;

/** `secret` or `kid:secret`, parted by commas. Null: not that, or too short. */
export function parseSecrets(text: string): Secret[] | null {
  const secrets: Secret[] = [];
  for (const part of text.split(',')) {
    const [, kid, secret = ''] = SECRET.exec(part.trim()) ?? [];
    if (secret.length < SHORTEST_SECRET) return null;
    secrets.push({ kid, text: secret });
  }
  return secrets;
}

export function hasKeys({ secrets, jwksUrl }: AccessSettings): boolean {
  return secrets.length > 0 || jwksUrl !== undefined;
}
