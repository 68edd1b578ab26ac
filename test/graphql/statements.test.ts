import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Sql } from '../../src/db/connect.js';
import type { Prisma } from '../../src/db/prisma.js';
import { bearer } from '../support/access.js';
import { actOn, freshVenue, startApi, type TestApi } from './api.js';

const ACCOUNTS = 30;
/** Loads of one kind may fall into two ticks or into one, as the answers come in. */
const TICKS = 3;

describe('statements of a request', () => {
  let api: TestApi;
  let asked = 0;
  beforeAll(async () => {
    // Fragments count too, which is as good: what must not grow must not grow with them.
    const watchSql = (sql: Sql): Sql =>
      new Proxy(sql, {
        apply(target, self, args) {
          asked++;
          return Reflect.apply(target, self, args) as unknown;
        },
      });
    const watchPrisma = (prisma: Prisma): Prisma =>
      prisma.$extends({
        query: {
          $allOperations({ args, query }) {
            asked++;
            return query(args);
          },
        },
      }) as unknown as Prisma;
    api = await startApi({ watchSql, watchPrisma });
    const venue = await freshVenue(api.sql);
    // First in every list, so that the smallest page has a bankrupt and a counterparty too.
    await venue.account('a', { deposit: '100000' });
    for (let k = 0; k < ACCOUNTS; k++) {
      const id = `a${String(k).padStart(2, '0')}`;
      await venue.account(id, { deposit: '50' });
      await venue.trade('BTCUSDT', id, 'a', '1', '100');
      await venue.trade('ETHUSDT', 'a', id, '1', '100');
    }
    await venue.price('BTCUSDT', '60');
    await venue.price('ETHUSDT', '119');
    await api.book.refresh();
    await api.ask('mutation { jobRun(input: { name: "waterfall" }) { outcome } }');
  });
  afterAll(() => api.stop());

  async function count(query: string, first: number, authorization?: string | null): Promise<number> {
    await api.book.refresh();
    asked = 0;
    const answer = await api.ask(query, { first }, authorization);
    expect(answer).not.toHaveProperty('errors');
    return asked;
  }

  it('do not grow with the page: accounts and all that hangs on them', async () => {
    const query = `query($first: Int) { accounts(first: $first) { edges { node { externalId kind trader { externalId } marginAsset { symbol }
      margin { equity status } positions { side size liquidationPrice market { symbol status settlementAsset { symbol } markPrice { price } policy { score } brackets { floor } insuranceFund { name } }
        adl { state level rank } }
      ledger(first: 3) { edges { node { amount } } } marginCalls { edges { node { status } } } liquidations { edges { node { closed fills { size } } } }
      deleverageLegs { edges { node { concession event { price concession policy { score } liquidation { closed } } } } } explanation } } } }`;
    const small = await count(query, 2);
    expect(await count(query, 100)).toBeLessThanOrEqual(small + TICKS);
  });

  it('do not grow with the page: events, legs and forced trades', async () => {
    const query = `query($first: Int) { deleverageEvents(first: $first) { edges { node { market { symbol status } account { kind } legCount skips { reason } explanation
        legs(first: $first) { edges { node { explanation account { trader { externalId } } event { price } } } } } } }
      forcedTrades(first: $first) { edges { node { market { status } account { kind } liquidation { closed } leg { concession } } } }
      jobRuns(first: $first) { edges { node { job { name } } } } }`;
    const { deleverageEvents } = (await api.read('{ deleverageEvents(first: 100) { edges { cursor } } }')) as {
      deleverageEvents: { edges: unknown[] };
    };
    expect(deleverageEvents.edges.length).toBeGreaterThan(10);
    const later = `query($first: Int) { deleverageEvents(first: 20) { edges { node {
      legs(first: $first) { edges { node { markLater { mark concession } } } } } } } }`;
    for (const asked of [query, later]) {
      const small = await count(asked, 2);
      expect(await count(asked, 100)).toBeLessThanOrEqual(small + TICKS);
    }
  });

  it('do not grow with the page: what a reconciliation found, and why', async () => {
    const snapshot = { id: 's1', asOf: new Date().toISOString(), chunk: 1, positions: [], balances: [] };
    await actOn(api, 'reconciliationRowsAdd', snapshot, 'reconciliation { id }');
    await actOn(api, 'reconciliationFinish', { id: 's1', chunks: 1, rows: 0 }, 'reconciliation { id }');
    const query = `query($first: Int) { reconciliations { edges { node { differences(first: $first) { edges { node {
      accountExternalId lastFacts { externalId } } } } } } } }`;
    const small = await count(query, 2);
    expect(await count(query, 100)).toBe(small);
  });

  it('do not grow with the page for whoever may see little of it: each object is judged, all of them at once', async () => {
    const query = `query($first: Int) {
      forcedTrades(first: $first) { edges { node { account { kind } counterparty { kind } liquidation { closed } leg { rank } } } }
      deleverageEvents(first: $first) { edges { node { account { kind } trigger { value } fundPaid liquidation { closed } } } }
      insuranceFunds { ledger(first: $first) { edges { node { amount account { kind } } } } }
      viewer { accounts { positions { size account { kind } adl { rank sizeAhead } } margin { equity } }
        deleverageLegs(first: $first) { edges { node { explanation event { trigger { value } } } } } } }`;
    const trader = await bearer({ scopes: ['read:account'], traderId: 'a' });
    for (const caller of [trader, null]) {
      const small = await count(query, 2, caller);
      expect(await count(query, 100, caller)).toBeLessThanOrEqual(small + TICKS);
    }
  });
});
