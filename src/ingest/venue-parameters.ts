import type { Sql, Tx } from '../db/connect.js';
import { announce } from '../db/record-notice.js';
import { inTransaction } from '../db/transaction.js';
import type { Change } from '../db/venue.js';
import { insertVenueParameters } from '../db/venue-market.js';
import { dec } from '../risk/decimal.js';
import type { VenueParams } from '../risk/margin.js';
import { readChange, type ChangeInput } from './market-terms.js';
import { openRow, readAmountOr, readChoice, readIntegerOr, refuse, type Optional } from './parse.js';

/** Thresholds of the whole venue; what is left out is the default, not the last value. */
export interface VenueParametersInput extends ChangeInput {
  readonly warningRatio?: Optional<string>;
  readonly callRatio?: Optional<string>;
  readonly liquidationTarget?: Optional<string>;
  readonly callDeadlineMs?: Optional<number>;
  readonly callExtensionCapMs?: Optional<number>;
  readonly onCallLapse?: Optional<VenueParams['onCallLapse']>;
  readonly staleShare?: Optional<string>;
  readonly accountsPerLap?: Optional<number>;
}

/** What a new venue gets. */
const DEFAULTS: VenueParams = {
  warningRatio: dec('0.66'),
  callRatio: dec('0.80'),
  liquidationTarget: dec('0.75'),
  callDeadlineMs: 10 * 60 * 1000,
  callExtensionCapMs: 24 * 60 * 60 * 1000,
  onCallLapse: 'REDUCE_ONLY',
  staleShare: dec('0.05'),
  accountsPerLap: 100,
};

const FIELDS = [...Object.keys(DEFAULTS), 'changedBy', 'reason'];

export interface ParsedVenueParameters {
  readonly venue: VenueParams;
  readonly change: Change;
}

export async function setVenueParameters(sql: Sql, input: VenueParametersInput): Promise<{ readonly version: number }> {
  const parsed = parseVenueParameters(input);
  return inTransaction(sql, { isolation: 'read committed' }, (tx) => applyVenueParameters(tx, parsed));
}

export function parseVenueParameters(input: unknown, rowIndex?: number): ParsedVenueParameters {
  const row = openRow(input, FIELDS, rowIndex);
  const venue: VenueParams = {
    warningRatio: readAmountOr(row, 'warningRatio', 'POSITIVE', DEFAULTS.warningRatio),
    callRatio: readAmountOr(row, 'callRatio', 'POSITIVE', DEFAULTS.callRatio),
    liquidationTarget: readAmountOr(row, 'liquidationTarget', 'POSITIVE', DEFAULTS.liquidationTarget),
    callDeadlineMs: readIntegerOr(row, 'callDeadlineMs', 1, DEFAULTS.callDeadlineMs),
    callExtensionCapMs: readIntegerOr(row, 'callExtensionCapMs', 1, DEFAULTS.callExtensionCapMs),
    onCallLapse: readChoice(row, 'onCallLapse', ['REDUCE_ONLY', 'LIQUIDATE'], DEFAULTS.onCallLapse),
    staleShare: readAmountOr(row, 'staleShare', 'NOT_NEGATIVE', DEFAULTS.staleShare),
    accountsPerLap: readIntegerOr(row, 'accountsPerLap', 1, DEFAULTS.accountsPerLap),
  };
  if (venue.warningRatio.gte(venue.callRatio)) refuse(row, 'warningRatio', 'must be below callRatio');
  if (venue.callRatio.gte(1)) refuse(row, 'callRatio', 'must be below 1');
  if (venue.liquidationTarget.gte(venue.callRatio)) refuse(row, 'liquidationTarget', 'must be below callRatio');
  if (venue.staleShare.gte(1)) refuse(row, 'staleShare', 'must be below 1');
  return { venue, change: readChange(row) };
}

export async function applyVenueParameters(
  tx: Tx,
  { venue, change }: ParsedVenueParameters,
): Promise<{ readonly version: number }> {
  const version = await insertVenueParameters(tx, venue, change);
  await announce(tx, 'venue');
  return { version };
}
