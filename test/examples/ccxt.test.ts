import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { adlRank, type AdlRank } from '../../examples/ccxt.js';
import { fetchPanel } from '../../examples/panel.js';
import { bearer } from '../support/access.js';
import { freshVenue, startApi, tellOfAlice, type TestApi } from '../graphql/api.js';

const UNIFIED: Readonly<Record<string, string>> = { BTCUSDT: 'BTC/USDT:USDT', ETHUSDT: 'ETH/USDT:USDT' };

describe('the ccxt shape of an ADL rank', () => {
  let api: TestApi;
  let url: string;
  beforeAll(async () => {
    api = await startApi();
    const venue = await freshVenue(api.sql);
    await tellOfAlice(venue);
    await venue.price('BTCUSDT', '98.5');
    await venue.account('erin', { deposit: '7' });
    await venue.trade('ETHUSDT', 'erin', 'lp-usdt', '1', '10');
    await api.book.refresh();
    url = await api.server.listen({ host: '127.0.0.1', port: 0 });
  });
  afterAll(() => api.stop());

  async function ranksOf(traderId: string): Promise<AdlRank[]> {
    const header = await bearer({ subject: traderId, scopes: ['read:account'], traderId });
    const accounts = await fetchPanel({ url, token: () => header.replace('Bearer ', '') });
    return accounts
      .flatMap(({ positions }) => positions)
      .map((position) => adlRank(position, (symbol) => UNIFIED[symbol] ?? symbol));
  }

  it('has the light, the part of the queue behind, and when that was so', async () => {
    // Dora's 3 go first, Carol's 4 next, Bob's 6 last; a trader sees two digits.
    for (const [trader, rank, percentage, place] of [
      ['dora', 5, 0.77, 1],
      ['carol', 4, 0.47, 2],
      ['bob', 3, 0, 3],
    ] as const) {
      const [told, ...others] = await ranksOf(trader);
      expect(others).toEqual([]);
      expect(told).toMatchObject({ symbol: 'BTC/USDT:USDT', rank, rating: null, info: { adl: { rank: place } } });
      expect(told?.percentage).toBeCloseTo(percentage, 12);
      const { computedAt } = told?.info.adl.freshness ?? { computedAt: '' };
      expect(told?.datetime).toBe(computedAt.replace(/\d{3}Z$/, 'Z'));
      expect(new Date(told?.timestamp ?? 0).toISOString()).toBe(told?.datetime);
    }
  });

  it('is null where no place is known', async () => {
    expect(await ranksOf('erin')).toMatchObject([
      { symbol: 'ETH/USDT:USDT', rank: null, rating: null, percentage: null, info: { adl: { state: 'UNKNOWN' } } },
    ]);
  });
});
