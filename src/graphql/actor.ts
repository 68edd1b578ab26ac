import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { Caller } from '../access/caller.js';
import type { Actor } from '../db/record-audit.js';

const REQUEST_ID = /^[\w.:/+=-]{1,128}$/;

/** The caller as the audit log names him, with the id of the request. */
export function actorOf({ subject, scopes }: Caller, headers: IncomingHttpHeaders): Actor {
  const given = headers['x-request-id'];
  const requestId = typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID();
  return { subject: subject ?? 'anonymous', scopes: [...scopes], requestId };
}
