import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { TestVenue } from '../support/venue.js';
import { bearer } from '../support/access.js';
import { freshVenue, startApi, tellOfAlice, type TestApi } from './api.js';

interface Adl {
  readonly state: string;
  readonly level: number | null;
  readonly toLowerLevel: readonly { action: string; size: string | null; amount: string | null; level: number }[];
}

describe('what a trader is told to do for a lower level', () => {
  let api: TestApi;
  let venue: TestVenue;
  beforeEach(async () => {
    api = await startApi();
    venue = await freshVenue(api.sql);
    await tellOfAlice(venue);
    await venue.price('BTCUSDT', '98.5');
  });
  afterEach(() => api.stop());

  async function adlOf(account: string): Promise<Adl> {
    await api.book.refresh();
    const token = await bearer({ scopes: ['read:account'], traderId: account });
    const query = `{ account(externalId: "${account}") { positions { adl { state level toLowerLevel { action size amount level } } } } }`;
    const answer = await api.ask(query, {}, token);
    expect(answer.errors).toBeUndefined();
    const { account: found } = answer.data as { account: { positions: [{ adl: Adl }] } };
    return found.positions[0].adl;
  }

  it('is the least that does it, and does it when it is done', async () => {
    // Of 13 short dora has 3 at 5, carol 4 at 4, bob 6 at 3. At carol's score of 394 ÷ 66 · 0.015 she is behind her, by the id:
    // with an equity of 49.5 in place of 34.5, less what the 18th place does not show.
    expect(await adlOf('dora')).toEqual({
      state: 'RANKED',
      level: 5,
      toLowerLevel: [
        { action: 'REDUCE_BY', size: '0.91', amount: null, level: 4 },
        { action: 'ADD_MARGIN', size: null, amount: '14.999999999999999699', level: 4 },
      ],
    });
    await venue.deposit('dora', '14.999999999999999698');
    expect((await adlOf('dora')).level).toBe(5);
    await venue.deposit('dora', '0.000000000000000001');
    expect((await adlOf('dora')).level).toBe(4);
  });

  it('holds for the reduction too, traded at mark', async () => {
    await venue.trade('BTCUSDT', 'dora', 'lp-usdt', '0.909', '98.5');
    expect((await adlOf('dora')).level).toBe(5);
    await venue.trade('BTCUSDT', 'dora', 'lp-usdt', '0.001', '98.5');
    expect((await adlOf('dora')).level).toBe(4);
  });

  it('is nothing where there is no lower level, or no place', async () => {
    expect(await adlOf('alice')).toMatchObject({ state: 'RANKED', level: 5, toLowerLevel: [] });
    await api.sql`update market set stale_after_ms = 1 where id = 'BTCUSDT'`;
    expect(await adlOf('dora')).toEqual({ state: 'UNKNOWN', level: null, toLowerLevel: [] });
  });
});
