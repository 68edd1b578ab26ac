import type { Caller } from '../access/caller.js';
import type { Actor } from '../db/record-audit.js';

/** The caller as the audit log names him, with the id of the request. */
export function actorOf({ subject, scopes }: Caller, requestId: string): Actor {
  return { subject: subject ?? 'anonymous', scopes: [...scopes], requestId };
}
