import type { EventFacts } from '../db/explanation-facts.js';
import type { DeleverageSkipRow } from '../db/read-deleverage.js';
import { eventSentences } from './event-sentences.js';
import { legLine } from './explain-leg.js';
import { amount, contracts, count } from './wording.js';

/** What happened and why, every number a stored one. Pure: the same rows give the same sentences. */
export function explainEvent(facts: EventFacts): string {
  const { legs, totals, skips } = facts;
  const untold = totals.legCount - legs.length;
  return [
    ...eventSentences(facts, 'ALL'),
    outcomeSentence(facts),
    ...legs.map((leg) => legLine(facts, leg)),
    ...(untold > 0 ? [`… and ${count(untold, 'leg')} more.`] : []),
    ...skips.map(skipLine),
  ].join('\n');
}

function outcomeSentence({ event, market, policy, totals }: EventFacts): string {
  return (
    `Outcome, policy version ${event.policyVersion} (${policy.score}, ${policy.allocation}): ${contracts(event.sizeDeleveraged)} at the price ` +
    `and ${amount(event.sizeClosedAtMark)} at the mark, in ${count(totals.legCount, 'leg')} that conceded ${amount(totals.concession)} ` +
    `${market.settlementAssetId} in all; the bankrupt realized ${amount(event.realizedPnl)}.`
  );
}

const REASONS: Readonly<Record<DeleverageSkipRow['reason'], string>> = {
  NON_OVERLAPPING_BANKRUPTCY: 'the whole leg would have left its equity below zero',
  WOULD_BREACH_MARGIN: 'the leg would have left it short of its margin',
  EXEMPT: 'it was exempt from auto-deleveraging',
  HELD: 'it had no trustworthy price',
};

function skipLine({ accountId, rank, reason, size, equity, maintenance }: DeleverageSkipRow): string {
  const place = rank === null ? 'no rank' : `rank ${rank}`;
  const margin =
    equity === null || maintenance === null ? '' : `, equity ${amount(equity)}, maintenance ${amount(maintenance)}`;
  return `Passed over: ${accountId} (${place}, ${contracts(size)}${margin}): ${reason}, ${REASONS[reason]}.`;
}
