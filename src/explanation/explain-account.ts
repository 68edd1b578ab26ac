import type { AccountFacts, CoverFact, TransitionFact } from '../db/explanation-facts.js';
import type { ExemptionFact } from '../db/read-exemptions.js';
import type { MarginCallRow } from '../db/read-accounts.js';
import type { LiquidationRow } from '../db/read-liquidations.js';
import { legLine } from './explain-leg.js';
import { amount, contracts, isNegative, sideWord, time, withoutSign } from './wording.js';

/** Where an account stands and what the waterfall has done to it lately, every number a stored one. */
export function explainAccount(facts: AccountFacts): string {
  const { account, exemptions, transitions, calls, liquidations, eventIds, legs, covers } = facts;
  const asset = account.marginAssetId;
  const history = [
    ...exemptions.map(exemptionLine),
    ...transitions.map((row) => transitionLine(row, asset)),
    ...calls.map((row) => callLine(row, asset)),
    ...liquidations.map((row) => liquidationLine(row, asset)),
    ...eventIds.map(
      ({ id, marketId, at }) =>
        `Deleveraged against others: it was the bankrupt of ADL event ${id} in ${marketId}, ${time(at)}.`,
    ),
    ...legs.map(
      ({ leg, event }) =>
        `Counterparty in ADL event ${event.event.id} in ${event.event.marketId}, ${time(event.event.at)}, leg ${legLine(event, leg)}.`,
    ),
    ...covers.map((row) => coverLine(row, asset)),
  ];
  return [
    whoLine(facts),
    ...standingLines(facts),
    ...positionLines(facts),
    ...(history.length === 0 ? ['The waterfall has never touched it.'] : history),
  ].join('\n');
}

function whoLine({ account, balance, positions }: AccountFacts): string {
  const open = positions.length === 0 ? 'and no open position' : '';
  return (
    `Account ${account.id} of ${account.traderId}, ${account.kind} ${account.mode}: balance ${amount(balance)} ${account.marginAssetId} ${open}`.trimEnd() +
    '.'
  );
}

function standingLines({ standing, account }: AccountFacts): string[] {
  if (standing === null) return [];
  if (standing.equity === null || standing.maintenance === null) {
    return ['Now: HELD, since a price of one of its markets was never received.'];
  }
  const status = standing.held ? 'HELD for want of a trustworthy price' : (standing.status ?? 'unknown');
  const ratio = standing.marginRatio === null ? '' : `, margin ratio ${amount(standing.marginRatio)}`;
  return [
    `Now: ${status}; equity ${amount(standing.equity)} ${account.marginAssetId}, maintenance ${amount(standing.maintenance)}${ratio}.`,
  ];
}

function positionLines({ positions, account, exemptions }: AccountFacts): string[] {
  const isExempt = exemptions.some(({ endedAt }) => endedAt === null);
  return positions.map(({ marketId, size, cost, level, rank, shownAt }) => {
    const queue =
      level === null || rank === null || shownAt === null
        ? isExempt
          ? 'in no ADL queue, since the account is exempt'
          : 'no place in the ADL queue has been published'
        : `level ${String(level)} of 5 in the ADL queue since ${time(shownAt)}, then rank ${String(rank)}`;
    return `Position: ${contracts(size)} ${sideWord(size)} in ${marketId}, cost ${amount(cost)} ${account.marginAssetId}; ${queue}.`;
  });
}

/** Without the reason, which is not for everybody who may read this. */
function exemptionLine({ since, until, changeId, endCause, endedAt, endChangeId }: ExemptionFact): string {
  const bound = until === null ? 'without an end' : `until ${time(until)}`;
  const ended =
    endedAt === null
      ? 'it stands'
      : endCause === 'EXPIRED' || endChangeId === null
        ? `expired in the lap of ${time(endedAt)}`
        : `ended by change ${endChangeId}, ${time(endedAt)}`;
  return `Exempt from auto-deleveraging, ${time(since)}: by change ${changeId}, ${bound}; ${ended}.`;
}

function transitionLine({ from, to, held, equity, maintenance, at }: TransitionFact, asset: string): string {
  const margin =
    equity === null || maintenance === null
      ? 'its margin was not known'
      : `equity ${amount(equity)} ${asset}, maintenance ${amount(maintenance)}`;
  return `Status, ${time(at)}: from ${from ?? 'unknown'} to ${to ?? 'unknown'}${held ? ', held for want of a trustworthy price' : ''}; ${margin}.`;
}

function callLine(call: MarginCallRow, asset: string): string {
  const ended = call.endedAt === null ? '' : ` since ${time(call.endedAt)}`;
  const lapse = call.lapseReason === null ? '' : ` (${call.lapseReason}; the account is put on ${call.onLapse})`;
  return (
    `Margin call, ${time(call.calledAt)}: ${amount(call.amountRequired)} ${asset} required until ${time(call.deadline)}, at equity ` +
    `${amount(call.equity)} and maintenance ${amount(call.maintenance)}; ${call.status}${ended}${lapse}.`
  );
}

function liquidationLine(row: LiquidationRow, asset: string): string {
  const fund = isNegative(row.fundDelta) ? 'paid' : 'earned';
  return (
    `Liquidation (${row.reason}, ${row.kind}), ${time(row.at)}: in ${row.marketId} ${amount(row.closed)} of ${contracts(row.sizeBefore)} ` +
    `${sideWord(row.sizeBefore)}, target ${amount(row.target)}, for ${amount(row.closeValue)} ${asset} at a mark of ${amount(row.markPrice)}; the fund ${fund} ` +
    `${withoutSign(row.fundDelta)}; stopped by ${row.stoppedBy}; equity from ${amount(row.equityBefore)} to ${amount(row.equityAfter)}.`
  );
}

function coverLine({ marketId, fundId, shortfall, fundPaid, badDebt, at }: CoverFact, asset: string): string {
  const payer = fundId === null ? 'no fund was charged' : `the fund ${fundId} paid ${amount(fundPaid)}`;
  const where = marketId === null ? '' : ` in ${marketId}`;
  return `Deficit, ${time(at)}: ${amount(shortfall)} ${asset}${where} were missing; ${payer}, ${amount(badDebt)} became bad debt of the exchange.`;
}
