import type { Change } from '../db/venue.js';
import { checkBrackets, type Bracket } from '../risk/brackets.js';
import type { Decimal } from '../risk/decimal.js';
import type { Policy } from '../risk/margin.js';
import { openRow, readAmount, readChoice, readList, readText, refuse, type Optional, type Row } from './parse.js';

export interface BracketInput {
  /** From this notional on, in the settlement asset; the first is 0. */
  readonly floor: string;
  readonly maintenanceRate: string;
  readonly initialRate: string;
}

export interface PolicyInput {
  readonly score?: Optional<Policy['score']>;
  readonly allocation?: Optional<Policy['allocation']>;
  readonly priceBasis?: Optional<Policy['priceBasis']>;
  readonly trigger?: Optional<Policy['trigger']>;
}

export interface ChangeInput {
  readonly changedBy: string;
  readonly reason: string;
}

export type PolicyTerms = Omit<Policy, 'version'>;

/** More steps than any venue has published. */
const MAX_BRACKETS = 100;

export const POLICY_FIELDS = ['score', 'allocation', 'priceBasis', 'trigger'];

export function readPolicy(row: Row): PolicyTerms {
  return {
    score: readChoice(row, 'score', ['LEVERAGED_RETURN', 'ACCOUNT_RETURN'], 'LEVERAGED_RETURN'),
    allocation: readChoice(row, 'allocation', ['QUEUE', 'PRO_RATA'], 'QUEUE'),
    priceBasis: readChoice(row, 'priceBasis', ['BANKRUPTCY', 'MARK'], 'BANKRUPTCY'),
    trigger: readChoice(row, 'trigger', ['FUND_EXHAUSTED'], 'FUND_EXHAUSTED'),
  };
}

export function readBrackets(row: Row): Bracket[] {
  const brackets = readList(row, 'brackets', MAX_BRACKETS).map((each) => {
    const bracket = openRow(each, ['floor', 'maintenanceRate', 'initialRate'], row.rowIndex);
    return {
      floor: readAmount(bracket, 'floor', 'NOT_NEGATIVE'),
      maintenanceRate: readAmount(bracket, 'maintenanceRate', 'NOT_NEGATIVE'),
      initialRate: readAmount(bracket, 'initialRate', 'NOT_NEGATIVE'),
    };
  });
  refuseIf(row, 'brackets', checkBrackets(brackets));
  return brackets;
}

export function readChange(row: Row): Change {
  return { changedBy: readText(row, 'changedBy'), reason: readText(row, 'reason') };
}

export function refuseIf(row: Row, field: string, refusal: { readonly message: string } | null): void {
  if (refusal !== null) refuse(row, field, refusal.message);
}

/** A fee at or above the lowest rate could cost an account more than its maintenance: the close would bankrupt it. */
export function checkFee(
  row: Pick<Row, 'rowIndex'>,
  field: string,
  maxFeeRate: Decimal,
  brackets: readonly Bracket[],
): void {
  const lowest = brackets[0]?.maintenanceRate;
  if (lowest !== undefined && maxFeeRate.gte(lowest)) {
    refuse(
      row,
      field,
      `maxFeeRate ${maxFeeRate.toFixed()} must be below the lowest maintenance rate ${lowest.toFixed()}`,
    );
  }
}
