import { BackstopError } from '../errors.js';
import type { Tx } from '../db/connect.js';
import { insertExemption, insertExemptionEnd, lockAccount, type LockedAccount } from '../db/record-exemptions.js';
import { announce } from '../db/record-notice.js';
import type { Change } from '../db/venue.js';
import type { Instant } from '../risk/instant.js';
import { readChange } from './market-terms.js';
import { openRow, readId, readInstant, refuse } from './parse.js';

export interface ParsedEnd {
  readonly accountId: string;
  readonly change: Change;
}

export interface ParsedGrant extends ParsedEnd {
  /** Null: until it is ended. */
  readonly until: Instant | null;
}

export function parseExemptionGrant(input: unknown): ParsedGrant {
  const row = openRow(input, ['accountId', 'until', 'changedBy', 'reason']);
  return { accountId: readId(row, 'accountId'), until: readInstant(row, 'until'), change: readChange(row) };
}

export function parseExemptionEnd(input: unknown): ParsedEnd {
  const row = openRow(input, ['accountId', 'changedBy', 'reason']);
  return { accountId: readId(row, 'accountId'), change: readChange(row) };
}

/** The version that it becomes: the next one of the account. */
export async function grantExemption(
  tx: Tx,
  { accountId, until, change }: ParsedGrant,
  changeId: string,
): Promise<number> {
  const { kind, exempt, version: last } = await lockKnown(tx, accountId);
  if (kind !== 'TRADER') refuseState(`${accountId} is never in a queue: it is no trader's`);
  if (exempt) refuseState(`${accountId} is exempt already`);
  const version = last + 1;
  const isGranted = await insertExemption(tx, { accountId, version, until, ...change, changeId });
  if (!isGranted) refuse({ rowIndex: undefined }, 'until', 'must lie ahead');
  await announce(tx, 'venue');
  return version;
}

/** The version that ends: that of the exemption that stands. */
export async function endExemption(tx: Tx, { accountId, change }: ParsedEnd, changeId: string): Promise<number> {
  const { exempt, version } = await lockKnown(tx, accountId);
  if (!exempt) refuseState(`${accountId} is not exempt`);
  await insertExemptionEnd(tx, { accountId, version, ...change, changeId });
  await announce(tx, 'venue');
  return version;
}

async function lockKnown(tx: Tx, accountId: string): Promise<LockedAccount> {
  const account = await lockAccount(tx, accountId);
  if (account === null) refuse({ rowIndex: undefined }, 'accountId', `no account ${accountId}`, 'UNKNOWN_ACCOUNT');
  return account;
}

function refuseState(message: string): never {
  throw new BackstopError('CONFLICT', `accountId: ${message}`, { field: 'accountId' });
}
