import type { Sql } from '../db/connect.js';
import { BackstopError } from '../errors.js';
import { importBookLines, type ImportProgress } from '../ingest/import-book.js';
import { FEWEST_POSITIONS, MOST_POSITIONS } from './parameters.js';
import { venueBook, type VenueSize } from './venue.js';

const HIGHEST_SEED = 2 ** 32 - 1;

/** What was made, in one line. */
export type Generated = VenueSize & Readonly<Record<'traders' | 'accounts' | 'funds' | 'markets', number>>;

/** Makes a venue in an empty database, or nothing of it. */
export async function generateVenue(
  sql: Sql,
  size: VenueSize,
  onProgress?: (progress: ImportProgress) => void,
): Promise<Generated> {
  checkWhole('positions', size.positions, FEWEST_POSITIONS, MOST_POSITIONS);
  checkWhole('seed', size.seed, 0, HIGHEST_SEED);
  const { position, trader, account, fund, market } = await importBookLines(sql, venueBook(size), {
    intoEmpty: true,
    ...(onProgress === undefined ? {} : { onProgress }),
  });
  return { positions: position, seed: size.seed, traders: trader, accounts: account, funds: fund, markets: market };
}

function checkWhole(field: string, given: number, least: number, most: number): void {
  if (Number.isInteger(given) && given >= least && given <= most) return;
  throw new BackstopError('BAD_INPUT', `${field}: must be a whole number from ${least} to ${most}.`, { field });
}
