import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { Actor } from '../db/record-audit.js';

const REQUEST_ID = /^[\w.:/+=-]{1,128}$/;

/** Who sends a request. Callers carry nothing yet that would say: each mutation's input does, unproven. */
export function callerOf(headers: IncomingHttpHeaders): Actor {
  const given = headers['x-request-id'];
  const requestId = typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID();
  return { subject: 'anonymous', scopes: [], requestId };
}

/** The caller, under the name that the input of the mutation gives. */
export function actorOf(caller: Actor, input: object): Actor {
  const { changedBy, confirmedBy } = input as { readonly changedBy?: unknown; readonly confirmedBy?: unknown };
  const said = changedBy ?? confirmedBy;
  return typeof said === 'string' && said.trim() !== '' ? { ...caller, subject: said } : caller;
}
