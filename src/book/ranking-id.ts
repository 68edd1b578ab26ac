import { createHash, hash as hashOnce } from 'node:crypto';
import type { MarkFact, MarketState } from '../db/risk-state.js';
import type { AccountRow } from '../db/account-rows.js';
import type { VenueParams } from '../risk/margin.js';
import type { Side } from '../risk/contract.js';

/** What can change a place in a queue beside the accounts in it. */
export interface RankingCircumstances {
  readonly venue: VenueParams;
  readonly markets: ReadonlyMap<string, MarketState>;
  readonly marks: ReadonlyMap<string, MarkFact>;
}

const LANE_BYTES = 4;

/** Four lanes of 32 bits that stand for the account's whole content. */
export function accountHash({ id, kind, exempt, balance, positions }: AccountRow): Uint32Array {
  let text = `${id} ${kind}${exempt ? ' EXEMPT' : ''} ${balance.toString()}`;
  for (const { marketId, size, cost } of positions) text += ` ${marketId} ${size.toString()} ${cost.toString()}`;
  const digest = hashOnce('sha256', text, 'buffer');
  return Uint32Array.from([0, 1, 2, 3], (lane) => digest.readUInt32LE(lane * LANE_BYTES));
}

/** Adds an account's hash, its lanes beginning at `from`, to the sum over a queue's accounts, lane by lane, modulo 2^32: the order does not matter. */
export function addHash(sum: Uint32Array, hashes: Uint32Array, from = 0): void {
  for (let lane = 0; lane < sum.length; lane++) sum[lane] = (sum[lane] ?? 0) + (hashes[from + lane] ?? 0);
}

/** What the prices, terms and thresholds of a state add to the ids of all of its rankings. */
export function circumstancesDigest({ venue, markets, marks }: RankingCircumstances): string {
  const hash = createHash('sha256');
  hash.update(`${venue.staleShare.toFixed()}\n`);
  for (const { id, schedule, policy } of markets.values()) {
    const mark = marks.get(id);
    const steps = schedule.steps.map((s) => `${s.floor.toFixed()}:${s.maintenanceRate.toFixed()}`).join(',');
    const price = mark === undefined ? '-' : `${mark.price.toFixed()} ${String(mark.live)}`;
    hash.update(`${id} ${policy.version} ${policy.score} ${steps} ${price}\n`);
  }
  return hash.digest('hex');
}

/**
 * The id of a ranking: a digest of the accounts that hold a position in that market on that side, of all prices, since
 * a cross account's score rests on all of its markets, and of the policy. Equal in every process for equal inputs.
 */
export function rankingId(circumstances: string, marketId: string, side: Side, accounts: Uint32Array): string {
  const lanes = [...accounts].map((lane) => lane.toString(16)).join(':');
  return createHash('sha256').update(`${circumstances} ${marketId} ${side} ${lanes}`).digest('hex');
}
