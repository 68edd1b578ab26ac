import type { Reader } from '../db/connect.js';
import { readAccountFacts, readEventFacts } from '../db/explanation-facts.js';
import { BackstopError } from '../errors.js';
import { explainAccount } from './explain-account.js';
import { explainEvent } from './explain-event.js';

const EVENT_NUMBER = /^[1-9]\d{0,17}$/;

/** An ADL event by its number, or an account by its id; a number that is no event may still be an account. */
export async function explain(reader: Reader, what: string): Promise<string> {
  const [event] = EVENT_NUMBER.test(what) ? await readEventFacts(reader, [what]) : [];
  if (event) return explainEvent(event);
  const [account] = await readAccountFacts(reader, [what]);
  if (account) return explainAccount(account);
  throw new BackstopError('NOT_FOUND', `There is no ADL event and no account ${what}.`);
}
