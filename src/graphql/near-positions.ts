import type { Book } from '../book/book.js';
import type { NearPosition } from '../book/near-liquidation.js';
import { BackstopError } from '../errors.js';
import type { PositionFilter } from '../generated/graphql.js';
import { dec } from '../risk/decimal.js';
import { parsePage, takeFrom, toConnection, type Connection, type PageArgs } from './connection.js';

const LIST = 'positionsByLiquidationDistance';

/** A page of positions, those nearest to their liquidation price first. */
export function nearPositions(
  book: Book,
  args: PageArgs & { readonly filter?: PositionFilter | null },
  isWanted: (position: NearPosition) => boolean,
): Connection<NearPosition> {
  const page = parsePage(LIST, args);
  const marketIds = args.filter?.marketSymbols ?? book.markets.keys();
  const rows = takeFrom(book.nearLiquidation(marketIds, placeOf(page.after)), page, isWanted);
  return toConnection(LIST, page, rows, (row) => [row.distance?.toFixed() ?? '', row.accountId, row.marketId]);
}

function placeOf(after: readonly string[] | null): NearPosition | undefined {
  if (after === null) return undefined;
  const [distance = '', accountId = '', marketId = ''] = after;
  try {
    return { accountId, marketId, distance: distance === '' ? null : dec(distance) };
  } catch {
    throw new BackstopError('BAD_INPUT', 'after must be a cursor of this list', { field: 'after' });
  }
}
