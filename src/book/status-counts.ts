import type { StatusCounts } from './book.js';
import { at, hasAccount } from './column-reader.js';
import { NO_STATUS } from './screen.js';
import type { BookState } from './state.js';
import { MARGIN_STATUSES } from './status-codes.js';

/** How many accounts have each status, and how many are held, whose status is not known. */
export function countStatuses({ margins, heads }: Pick<BookState, 'margins' | 'heads'>): StatusCounts {
  const counts = MARGIN_STATUSES.map(() => 0);
  let held = 0;
  for (let slot = 0; slot < heads.count; slot++) {
    if (!hasAccount(heads, slot)) continue;
    const status = at(margins.status, slot);
    if (at(margins.held, slot) === 1) held++;
    else if (status !== NO_STATUS) counts[status] = (counts[status] ?? 0) + 1;
  }
  const byStatus = Object.fromEntries(MARGIN_STATUSES.map((status, code) => [status, counts[code] ?? 0]));
  return { byStatus: byStatus as StatusCounts['byStatus'], held };
}
