import type { FollowedBook } from '../../book/follower.js';
import { freshnessOf } from '../freshness.js';
import { availableOf } from '../insurance-fund.js';
import type { PositionSource } from '../position.js';
import type { Shown } from './streams.js';

/** Of each position of the account: its state, level and freshness. A rank that moves inside its level is the same state. */
export function indicatorsShown(accountId: string, book: FollowedBook): Shown<PositionSource>[] {
  const glance = book.glance(accountId);
  if (glance === undefined) return [];
  const markets = glance.positions.map(({ marketId }) => marketId);
  const { code } = freshnessOf(book, markets, glance.held);
  return glance.positions.map(({ marketId, state, level }) => ({
    name: `${accountId} ${marketId}`,
    state: `${state} ${String(level)} ${code}`,
    value: { accountId, marketId },
  }));
}

/** Of the account: its status and freshness, and which positions it has. */
export function marginShown(accountId: string, book: FollowedBook): Shown<{ id: string }>[] {
  const glance = book.glance(accountId);
  if (glance === undefined) return [];
  const markets = glance.positions.map(({ marketId }) => marketId);
  const { code } = freshnessOf(book, markets, glance.held);
  const state = `${String(glance.status)} ${String(glance.held)} ${code} ${markets.join(' ')}`;
  return [{ name: accountId, state, value: { id: accountId } }];
}

/** Of the market: its status, and on each side whether ADL is triggered and the freshness of the queue. */
export function marketShown(marketId: string, book: FollowedBook): Shown<{ id: string }>[] {
  const market = book.markets.get(marketId);
  if (market === undefined) return [];
  const isTriggered = availableOf(book, market.fundId).isZero();
  const sides = (['LONG', 'SHORT'] as const).map((side) => {
    const ranking = book.ranking(marketId, side);
    return freshnessOf(book, new Set([marketId, ...ranking.restsOn()])).code;
  });
  const state = `${market.status} ${String(isTriggered)} ${sides.join(' ')}`;
  return [{ name: marketId, state, value: { id: marketId } }];
}
