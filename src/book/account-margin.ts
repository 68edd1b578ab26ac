import type { Circumstances, LastStatus, MarkFact, MarketState } from '../db/risk-state.js';
import {
  isHeld,
  statusOf,
  valuate,
  type Account,
  type AccountValuation,
  type MarginStatus,
  type VenueParams,
} from '../risk/margin.js';
import { at, type ColumnReader, type Heads } from './column-reader.js';
import { recordedStatus } from './status-codes.js';

/** Held: without a trustworthy price; then `status` is the last known one, null when there never was one. */
export interface AccountMargin {
  readonly account: Account;
  readonly valuation: AccountValuation | null;
  readonly status: MarginStatus | null;
  readonly held: boolean;
}

/** What an account's margin rests on beside the account and what was recorded of it. */
export interface MarginSources {
  readonly venue: VenueParams;
  readonly markets: ReadonlyMap<string, MarketState>;
  readonly marks: ReadonlyMap<string, MarkFact>;
}

/** Of an account as valued; `last`: its last recorded status. */
export function marginOf(
  { venue }: Pick<MarginSources, 'venue'>,
  account: Account,
  valuation: AccountValuation | null,
  last: Omit<LastStatus, 'transitionId'> | undefined,
): AccountMargin {
  if (account.kind !== 'TRADER') return { account, valuation, status: null, held: false };
  if (valuation === null || isHeld(valuation, venue)) {
    // Without a recorded status it was HEALTHY all along, unless a price of it was never received: then nobody knows.
    const unrecorded = valuation === null ? null : 'HEALTHY';
    return { account, valuation, status: last === undefined ? unrecorded : last.status, held: true };
  }
  return { account, valuation, status: statusOf(valuation, venue), held: false };
}

export function valuedMargin(
  sources: MarginSources,
  account: Account,
  last: Omit<LastStatus, 'transitionId'> | undefined,
): AccountMargin {
  return marginOf(sources, account, valuate(account, sources.markets, sources.marks), last);
}

/** What an exact margin is made from. */
export interface ExactSources {
  readonly circumstances: Circumstances;
  readonly columns: ColumnReader;
  readonly heads: Heads;
  /** By slot: the code of the last recorded status, or UNRECORDED. */
  readonly lastCodes: Uint8Array;
}

/** What `risk` says of the account in a slot. */
export function exactMargin({ circumstances, columns, heads, lastCodes }: ExactSources, slot: number): AccountMargin {
  const account = columns.account(slot, at(heads.rows, slot));
  return valuedMargin(circumstances, account, recordedStatus(lastCodes, slot));
}
