import { BackstopError } from '../errors.js';
import type { Sql, Tx } from '../db/connect.js';
import { lockMarkets } from '../db/locks.js';
import { announce, readClock } from '../db/record-notice.js';
import { loadTradedMarkets } from '../db/record-parties.js';
import { inTransaction } from '../db/transaction.js';
import { changeMarketStatus, type Change } from '../db/venue.js';
import type { Instant } from '../risk/instant.js';
import { readChange, type ChangeInput } from './market-terms.js';
import { openRow, readId, readInstant, refuse, type Optional } from './parse.js';

export interface MarketStatusInput extends ChangeInput {
  readonly marketId: string;
  /** Left out: the database clock. */
  readonly at?: Optional<string>;
}

type Status = 'ACTIVE' | 'HALTED';

export interface ParsedStatusChange {
  readonly marketId: string;
  readonly change: Change;
  readonly at: Instant | null;
}

/** Stops liquidation and deleveraging of a market; its trades are still recorded. */
export async function haltMarket(sql: Sql, input: MarketStatusInput): Promise<void> {
  await changeStatus(sql, input, 'ACTIVE', 'HALTED');
}

export async function resumeMarket(sql: Sql, input: MarketStatusInput): Promise<void> {
  await changeStatus(sql, input, 'HALTED', 'ACTIVE');
}

async function changeStatus(sql: Sql, input: MarketStatusInput, from: Status, to: Status): Promise<void> {
  const parsed = parseStatusChange(input);
  await inTransaction(sql, { isolation: 'read committed' }, (tx) => applyStatusChange(tx, parsed, from, to));
}

export function parseStatusChange(input: unknown): ParsedStatusChange {
  const row = openRow(input, ['marketId', 'changedBy', 'reason', 'at']);
  return { marketId: readId(row, 'marketId'), change: readChange(row), at: readInstant(row, 'at') };
}

export async function applyStatusChange(
  tx: Tx,
  { marketId, change, at }: ParsedStatusChange,
  from: Status,
  to: Status,
): Promise<void> {
  await lockMarkets(tx, [marketId], 'CHANGE');
  const market = (await loadTradedMarkets(tx, [marketId])).get(marketId);
  if (market === undefined) refuse({ rowIndex: undefined }, 'marketId', `no market ${marketId}`, 'UNKNOWN_MARKET');
  if (market.status !== from) {
    throw new BackstopError('CONFLICT', `marketId: ${marketId} is ${market.status}, not ${from}`, {
      field: 'marketId',
    });
  }
  await changeMarketStatus(tx, { marketId, from, to, ...change, at: at ?? (await readClock(tx)) });
  await announce(tx, 'venue');
}
