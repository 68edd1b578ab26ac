import { createHash } from 'node:crypto';
import { ColumnBook } from '../book/column-book.js';
import { Columns } from '../book/columns.js';
import { rowOfAccount } from '../db/account-rows.js';
import type { EventInputs, StoredRow } from '../db/read-event-inputs.js';
import { bankruptcyValues } from '../risk/bankruptcy.js';
import { Decimal, dec, isAmountText } from '../risk/decimal.js';
import { positionIn, valuate, type Account } from '../risk/margin.js';
import type { Skip } from '../risk/outcome.js';
import { entriesOf, type PublishedRanking } from '../risk/ranking.js';
import { deleveragePosition } from './deleverage.js';
import { Lap } from './lap.js';

/** A figure that is stored as another than it comes to. Null: there is none. */
export interface Difference {
  /** Such as `rank 3 score`. */
  readonly name: string;
  readonly stored: string | null;
  readonly recomputed: string | null;
}

/** One part of an event, made again. */
export interface VerifiedPart {
  readonly part: 'RANKING' | 'PRICE' | 'LEGS' | 'SKIPS';
  /** Figures that were compared. */
  readonly figures: number;
  /** SHA-256 over the names and values of all figures, as stored and as recomputed. */
  readonly storedDigest: string;
  readonly recomputedDigest: string;
  readonly differences: readonly Difference[];
}

type Figures = Map<string, string | null>;

/**
 * Makes an event again by the code that made it: the ranking from the accounts as the lap began, the price from the bankrupt as
 * it stood, the legs one by one. Taken as stored are the prices of the lap, and what the fund might pay: its caps have no history.
 */
export function verifyEvent(inputs: EventInputs): VerifiedPart[] {
  const { event: stored, circumstances, before, bankrupt } = inputs;
  const lap = new Lap(bookOf(inputs), new Map());
  for (const account of before) lap.beginWith(account);
  const valuation = valuate(bankrupt, circumstances.markets, circumstances.marks);
  const marketId = text(stored, 'market_id');
  const bankruptcyValue = valuation === null ? undefined : bankruptcyValues(valuation).get(marketId);
  // No history leads to this event: it was put in past all guards.
  if (valuation === null || bankruptcyValue === undefined)
    return [compare('PRICE', pick(stored, '', PRICE_COLUMNS), new Map())];
  const allowance = stored['fund_allowance_before'];
  const fund = {
    balance: lap.account(lap.market(marketId).fundId).balance,
    allowance: typeof allowance === 'string' ? dec(allowance) : null,
    mayPay: dec(text(stored, 'fund_may_pay')),
  };
  deleveragePosition(lap, { valuation, position: positionIn(valuation, marketId), bankruptcyValue, fund });
  const [event] = lap.outcome.events;
  if (event === undefined) throw new Error('an event that was not made again');
  const skips = [...event.skips].sort(asStored);
  return [
    compare('RANKING', storedRanking(inputs), rankingOf(event.ranking)),
    compare('PRICE', pick(stored, '', PRICE_COLUMNS), pick(columnsOf(event), '', PRICE_COLUMNS)),
    compare('LEGS', listed(inputs.legs, 'leg', LEG_COLUMNS), listed(event.legs.map(columnsOf), 'leg', LEG_COLUMNS)),
    compare('SKIPS', listed(inputs.skips, 'skip', SKIP_COLUMNS), listed(skips.map(columnsOf), 'skip', SKIP_COLUMNS)),
  ];
}

const RANKING_COLUMNS = 'policy_version queue_length queue_size';
const ENTRY_COLUMNS = 'account_id size size_ahead level score profit_ratio leverage';
const PRICE_COLUMNS = `side price_basis trigger_metric deficit fund_balance_before fund_paid mark mark_value bankruptcy_value bankruptcy_price
  price_value price clamped size_before cost_before equity_before maintenance_before size_deleveraged size_closed_at_mark realized_pnl`;
const LEG_COLUMNS = `stage account_id rank queue_length size_ahead score profit_ratio leverage size_before size_closed size_after cost_before
  cost_after value mark_value price realized_pnl concession equity_before equity_after maintenance_before maintenance_after
  leverage_before leverage_after entry_price_before entry_price_after`;
const SKIP_COLUMNS = 'account_id rank reason size equity maintenance initial';

function bookOf({ circumstances, atStart }: EventInputs): ColumnBook {
  const columns = new Columns();
  columns.names.know(circumstances.markets.values());
  const added = atStart.map((account: Account) => columns.add(rowOfAccount(account)));
  return ColumnBook.empty(columns).advance({ circumstances, added, statuses: new Map() });
}

/** By rank, those without one last, by id. */
function asStored(a: Skip, b: Skip): number {
  if (a.rank !== b.rank) return (a.rank ?? Infinity) - (b.rank ?? Infinity);
  return a.accountId < b.accountId ? -1 : 1;
}

/** Under the names that the table has. */
function columnsOf(values: object): StoredRow {
  const named = Object.entries(values).map(([name, value]): [string, unknown] => [
    name === 'trigger' ? 'trigger_metric' : name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
    value instanceof Decimal ? value.toFixed() : value,
  ]);
  return Object.fromEntries(named) as StoredRow;
}

function pick(row: StoredRow, before: string, columns: string): Figures {
  return new Map(columns.split(/\s+/).map((column) => [`${before}${column}`, plain(row[column])]));
}

/** Amounts without the zeros that a column keeps behind the point. */
function plain(value: StoredRow[string] | undefined): string | null {
  if (value === null || value === undefined) return null;
  const written = String(value);
  return isAmountText(written) ? dec(written).toFixed() : written;
}

function listed(rows: readonly StoredRow[], what: string, columns: string): Figures {
  return new Map([
    [`${what} count`, String(rows.length)],
    ...rows.flatMap((row, k) => [...pick(row, `${what} ${String(k + 1)} `, columns)]),
  ]);
}

function storedRanking({ ranking, entries }: EventInputs): Figures {
  return new Map([
    ['id', text(ranking, 'digest')],
    ...pick(ranking, '', RANKING_COLUMNS),
    ...listed(entries, 'rank', ENTRY_COLUMNS),
  ]);
}

function rankingOf(ranking: PublishedRanking): Figures {
  const { policyVersion, queueLength, queueSize } = ranking;
  const entries = [...entriesOf(ranking)].map(({ score: { value, profitRatio, leverage }, ...entry }) =>
    columnsOf({ ...entry, score: value, profitRatio, leverage }),
  );
  return new Map([
    ['id', ranking.id],
    ...pick(columnsOf({ policyVersion, queueLength, queueSize }), '', RANKING_COLUMNS),
    ...listed(entries, 'rank', ENTRY_COLUMNS),
  ]);
}

function compare(part: VerifiedPart['part'], stored: Figures, recomputed: Figures): VerifiedPart {
  const names = [...new Set([...stored.keys(), ...recomputed.keys()])];
  const differences = names
    .map((name) => ({ name, stored: stored.get(name) ?? null, recomputed: recomputed.get(name) ?? null }))
    .filter((figure) => figure.stored !== figure.recomputed);
  return {
    ...{ part, differences, figures: names.length },
    storedDigest: digestOfFigures(stored),
    recomputedDigest: digestOfFigures(recomputed),
  };
}

function digestOfFigures(figures: Figures): string {
  return createHash('sha256')
    .update(JSON.stringify([...figures]))
    .digest('hex');
}

function text(row: StoredRow, column: string): string {
  const value = row[column];
  if (value === null || value === undefined) throw new Error(`no ${column}`);
  return String(value);
}
