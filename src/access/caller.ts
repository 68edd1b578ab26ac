/** What a token can allow. */
export const SCOPES = [
  'read:account',
  'read:risk',
  'read:audit',
  'write:feed',
  'write:admin',
  'approve:admin',
] as const;

export type Scope = (typeof SCOPES)[number];

/** Who asks, as a verified token says. */
export interface Caller {
  /** Null: nobody in particular, a request without a token. */
  readonly subject: string | null;
  readonly scopes: ReadonlySet<Scope>;
  /** Whose accounts are the caller's own, by the exchange's id. */
  readonly traderId: string | null;
  /** When the token ends, and with it whatever was begun on it; in seconds since 1970. Null: never, without a token. */
  readonly expiresAt: number | null;
}

export const ANONYMOUS: Caller = { subject: null, scopes: new Set(), traderId: null, expiresAt: null };

export function isScope(text: string): text is Scope {
  return SCOPES.some((scope) => scope === text);
}

export function allows(caller: Caller, scope: Scope): boolean {
  return caller.scopes.has(scope);
}

/** The trader whose accounts are the caller's own and may be read; null: no one's. */
export function ownTrader(caller: Caller): string | null {
  return allows(caller, 'read:account') || allows(caller, 'read:risk') ? caller.traderId : null;
}
