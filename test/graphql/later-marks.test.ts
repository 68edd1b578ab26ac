import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startApi, tellOfAlice, type TestApi } from './api.js';
import { runLap } from '../../src/engine/run-lap.js';
import { createTestVenue, type TestVenue } from '../support/venue.js';
import { dec } from '../../src/risk/decimal.js';

interface Leg {
  readonly id: string;
  readonly account: { readonly externalId: string };
  readonly concession: string;
  readonly markLater: readonly { afterSeconds: number; at: string; mark: string | null; concession: string | null }[];
}

const MINUTE = 60_000;
const from = (start: number, ms: number): string => new Date(start + ms).toISOString();

describe('a leg held against later marks', () => {
  let api: TestApi;
  let venue: TestVenue;
  /** Ten minutes ago: the first two instants have come, the third has not. */
  const start = Date.now() - 10 * MINUTE;
  beforeAll(async () => {
    api = await startApi();
    venue = await createTestVenue(api.sql, { staleAfterMs: 86_400_000 });
    venue.at = from(start, -MINUTE);
    await tellOfAlice(venue);
    await venue.price('BTCUSDT', '97', from(start, -1));
    await runLap(api.sql, { worker: 'test', at: from(start, 0).replace('Z', '000Z') });
  });
  afterAll(() => api.stop());

  async function legs(): Promise<Leg[]> {
    const { deleverageEvents } = (await api.read(`{ deleverageEvents { edges { node { legs { edges { node {
      id account { externalId } concession markLater { afterSeconds at mark concession } } } } } } } }`)) as {
      deleverageEvents: { edges: { node: { legs: { edges: { node: Leg }[] } } }[] };
    };
    return deleverageEvents.edges.flatMap(({ node }) => node.legs.edges.map((edge) => edge.node));
  }
  const latersOf = async (account: string): Promise<unknown[][]> =>
    (await legs())
      .filter((leg) => leg.account.externalId === account)
      .flatMap(({ markLater }) => markLater.map((l) => [l.afterSeconds, l.mark, l.concession]));

  it('has none before a price came, and none of an instant that has not come', async () => {
    // The price that the leg was made at is older than the leg, and no later mark.
    expect(await latersOf('dora')).toEqual([60, 300, 3600].map((seconds) => [seconds, null, null]));
    const [leg] = await legs();
    expect(leg?.markLater.map(({ at }) => at)).toEqual(
      [1, 5, 60].map((minutes) => from(start, minutes * MINUTE).replace('Z', '000Z')),
    );
  });

  it('takes the newest price in force at or before the instant', async () => {
    await venue.price('BTCUSDT', '96', from(start, MINUTE));
    await venue.price('BTCUSDT', '95', from(start, MINUTE + 1));
    await venue.price('BTCUSDT', '99', from(start, 3 * MINUTE));
    // Outside the band: suspect, and nobody's mark.
    await venue.price('BTCUSDT', '50', from(start, 4 * MINUTE));
    // Dora closed 3 at 98. At 96 a short has 2 a contract more: given up. At 99 she was lucky.
    expect(await latersOf('dora')).toEqual([
      [60, '96', '6'],
      [300, '99', '-3'],
      [3600, null, null],
    ]);
  });

  it('says the same as the view, at any instant', async () => {
    for (const at of [from(start, MINUTE - 1), from(start, 2 * MINUTE), from(start, 61 * MINUTE)]) {
      const rows = await api.sql.begin(async (tx) => {
        await tx`select set_config('backstop.now', ${at}, true)`;
        await tx`set local role backstop_reader`;
        return tx<{ leg: string; after: number; due: string; mark: string | null; concession: string | null }[]>`
          select leg_id as leg, after_seconds as after, due_at as due, mark, concession from leg_mark_later order by leg_id, after_seconds`;
      });
      const come = rows.filter(({ mark }) => mark !== null).length;
      expect(come).toBe(at === from(start, MINUTE - 1) ? 0 : at === from(start, 2 * MINUTE) ? 3 : 9);
      if (come === 9)
        expect(rows.filter(({ after }) => after === 3600).map(({ mark }) => mark)).toEqual(['99', '99', '99']);
    }
    const rows = await api.sql<{ leg: string; after: number; due: string; mark: string; concession: string }[]>`
      select leg_id as leg, after_seconds as after, due_at as due, mark, concession from leg_mark_later order by leg_id, after_seconds`;
    const plain = (amount: string | null): string | null => (amount === null ? null : dec(amount).toFixed());
    const told = (await legs())
      .flatMap(({ id, markLater }) => markLater.map((l) => ({ leg: id.split(':')[1], ...l })))
      .map(({ leg, afterSeconds, at, mark, concession }) => ({ leg, after: afterSeconds, due: at, mark, concession }))
      .sort((a, b) => Number(a.leg) - Number(b.leg) || a.after - b.after);
    expect(told).toEqual(rows.map((row) => ({ ...row, mark: plain(row.mark), concession: plain(row.concession) })));
    expect(told).toHaveLength(9);
  });
});
