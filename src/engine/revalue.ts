import type { AccountMargin } from '../book/account-margin.js';
import type { Lap } from './lap.js';

/**
 * Step 1: the status of every account at the frozen prices, and what of it is new. The first status ever recorded
 * of an account is compared with HEALTHY, so a quiet account leaves no row.
 */
export function revalue(lap: Lap): void {
  for (const accountId of lap.book.moved()) {
    const last = lap.book.lastStatus(accountId);
    noteTransition(lap, lap.margin(accountId), last ?? { status: 'HEALTHY', held: false });
  }
}

/** Step 8, for the accounts that the lap changed: where it left them. */
export function revalueChanged(lap: Lap): void {
  for (const { id, kind } of lap.changed()) {
    const start = lap.book.margin(id);
    const now = lap.marginNow(id);
    if (kind !== 'TRADER' || start === undefined || now === undefined) continue;
    noteTransition(lap, now, start);
  }
}

function noteTransition(lap: Lap, now: AccountMargin, last: Pick<AccountMargin, 'status' | 'held'>): void {
  if (now.status === last.status && now.held === last.held) return;
  lap.outcome.transitions.push({
    accountId: now.account.id,
    from: last.status,
    to: now.status,
    held: now.held,
    equity: now.valuation?.equity ?? null,
    maintenance: now.valuation?.maintenance ?? null,
  });
}
