import type { AccountMargin } from '../book/account-margin.js';
import { amountRequired, meetsCall } from '../risk/margin-call.js';
import type { CallFact, Lap } from './lap.js';

/**
 * Step 2: opens, meets, lapses and releases margin calls. A held account's calls wait: without a trustworthy price
 * nobody can say whether they are met, nor hold it against the account that they are not.
 */
export function callMargin(lap: Lap): void {
  const moved = new Set(lap.outcome.transitions.map((transition) => transition.accountId));
  for (const accountId of [...new Set([...lap.calls.keys(), ...lap.book.withStatus(['MARGIN_CALL'])])].sort()) {
    const margin = lap.margin(accountId);
    if (margin.held || margin.valuation === null) continue;
    const calls = lap.calls.get(accountId) ?? [];
    for (const call of calls) reviewCall(lap, margin, call);
    if (margin.status === 'MARGIN_CALL' && !isCalledForThis(lap, margin, calls, moved)) openCall(lap, margin);
  }
}

/** One call a stay in MARGIN_CALL: not again while the status that caused the last one still stands. */
function isCalledForThis(
  lap: Lap,
  margin: AccountMargin,
  calls: readonly CallFact[],
  moved: ReadonlySet<string>,
): boolean {
  if (calls.some((call) => call.status === 'OPEN')) return true;
  if (moved.has(margin.account.id)) return false;
  const standing = lap.book.lastStatus(margin.account.id)?.transitionId;
  return calls.some((call) => call.transitionId === standing);
}

function openCall(lap: Lap, { account, valuation }: AccountMargin): void {
  if (valuation === null) return;
  lap.outcome.callsOpened.push({
    accountId: account.id,
    amountRequired: amountRequired(valuation, lap.venue),
    equity: valuation.equity,
    maintenance: valuation.maintenance,
  });
}

function reviewCall(lap: Lap, { account, valuation, status }: AccountMargin, call: CallFact): void {
  if (valuation === null) return;
  const ended = { callId: call.id, accountId: account.id };
  if (call.status === 'LAPSED') {
    if (status === 'HEALTHY') lap.outcome.callsReleased.push(ended);
  } else if (meetsCall(valuation, lap.venue)) {
    lap.outcome.callsEnded.push({ ...ended, status: 'MET', lapseReason: null });
  } else if (status === 'LIQUIDATABLE' || status === 'BANKRUPT') {
    lap.outcome.callsEnded.push({ ...ended, status: 'LAPSED', lapseReason: 'LIQUIDATABLE' });
  } else if (call.deadline <= lap.book.at) {
    lap.outcome.callsEnded.push({ ...ended, status: 'LAPSED', lapseReason: 'DEADLINE' });
  }
}

/** Accounts whose lapsed call is to be liquidated down to the target, though they still hold their maintenance. */
export function isToBeReduced(lap: Lap, accountId: string): boolean {
  const calls = lap.calls.get(accountId)?.filter((call) => call.onLapse === 'LIQUIDATE') ?? [];
  if (calls.length === 0) return false;
  const { callsEnded, callsReleased } = lap.outcome;
  const lapses = (call: CallFact): boolean =>
    call.status === 'LAPSED' || callsEnded.some((end) => end.callId === call.id && end.status === 'LAPSED');
  return calls.some((call) => lapses(call) && !callsReleased.some((end) => end.callId === call.id));
}
