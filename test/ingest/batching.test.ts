import { afterAll, beforeAll, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { recordTrades, type TradeInput } from '../../src/ingest/trades.js';
import { assertInvariants } from '../support/checks.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { createTestVenue } from '../support/venue.js';

/** Books of their own, one market each: linear and inverse, in two databases that are told the same trades. */
const ACCOUNTS = ['a', 'b', 'c', 'd'];

let one: TestDatabase;
let many: TestDatabase;

beforeAll(async () => {
  [one, many] = await Promise.all([createTestDatabase(), createTestDatabase()]);
  for (const db of [one, many]) {
    const venue = await createTestVenue(db.sql);
    for (const id of ACCOUNTS) {
      await venue.account(`${id}-linear`, { asset: 'USDT' });
      await venue.account(`${id}-inverse`, { asset: 'BTC' });
    }
  }
});
afterAll(async () => {
  await one.drop();
  await many.drop();
});

const pair = fc.uniqueArray(fc.constantFrom(...ACCOUNTS), { minLength: 2, maxLength: 2 });
/** From digits, so that nothing is rounded on the way. */
const digits = (length: number): fc.Arbitrary<string> =>
  fc
    .array(fc.integer({ min: 0, max: 9 }).map(String), { minLength: length, maxLength: length })
    .map((all) => all.join(''));
const fee = fc.tuple(fc.constantFrom('', '-'), digits(18)).map(([sign, decimals]) => `${sign}0.${decimals}`);

const linear = fc.record({
  market: fc.constant('linear' as const),
  parties: pair,
  size: digits(3).map((thousandths) => `0.${thousandths}`),
  price: fc.tuple(fc.integer({ min: 1, max: 99_999 }), digits(2)).map(([whole, cents]) => `${whole}.${cents}`),
  fee,
});
const inverse = fc.record({
  market: fc.constant('inverse' as const),
  parties: pair,
  size: fc.integer({ min: 1, max: 40 }).map(String),
  price: fc.tuple(fc.integer({ min: 1, max: 99_999 }), digits(18)).map(([whole, decimals]) => `${whole}.${decimals}`),
  fee,
});

const story = fc.array(
  fc.oneof(linear, inverse).filter((trade) => !/^0\.0*$/.test(trade.size)),
  { minLength: 1, maxLength: 25 },
);

it('random trades leave the same state to the last digit however they are batched', async () => {
  let run = 0;
  await fc.assert(
    fc.asyncProperty(
      story,
      fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 25, maxLength: 25 }),
      async (trades, sizes) => {
        run++;
        const rows = toRows(trades, `t-${String(run)}`);
        await recordTrades(one.sql, rows);
        const left = [...rows];
        for (const size of sizes) {
          const batch = left.splice(0, size);
          // Each batch again with the next one: repeats must be told from news.
          await recordTrades(many.sql, [...batch, ...left.slice(0, 1), ...batch]);
        }
        expect(await stateOf(many)).toEqual(await stateOf(one));
      },
    ),
    { numRuns: 15 },
  );
  await assertInvariants(one.sql);
  await assertInvariants(many.sql);
}, 60_000);

it('a trade that is corrected leaves what would be without it, to the last digit, whatever stands between and however it is batched', async () => {
  let run = 0;
  // How many trades later it is corrected; below 0: never.
  const delays = fc.array(fc.integer({ min: -5, max: 6 }), { minLength: 25, maxLength: 25 });
  const sizes = fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 50, maxLength: 50 });
  await fc.assert(
    fc.asyncProperty(story, delays, sizes, async (trades, delay, batches) => {
      run++;
      const rows = toRows(trades, `c-${String(run)}`);
      const isKept = (_row: TradeInput, index: number): boolean => (delay[index] ?? -1) < 0;
      await recordTrades(one.sql, rows.filter(isKept));
      const told: TradeInput[] = [];
      rows.forEach((row, index) => {
        told.push(row);
        rows.forEach((earlier, place) => {
          const wait = delay[place] ?? -1;
          if (wait >= 0 && place <= index && Math.min(place + wait, rows.length - 1) === index)
            told.push(oppositeOf(earlier));
        });
      });
      for (const size of batches) await recordTrades(many.sql, told.splice(0, size));
      expect(told).toEqual([]);
      const state = async (db: TestDatabase): Promise<unknown> => {
        const { positions } = await stateOf(db);
        return {
          positions,
          balances: [...(await db.sql`select account_id, amount from balance where amount <> 0 order by 1`)],
        };
      };
      expect(await state(many)).toEqual(await state(one));
    }),
    { numRuns: 25 },
  );
  await assertInvariants(one.sql);
  await assertInvariants(many.sql);
}, 120_000);

type Told = (typeof story extends fc.Arbitrary<infer S> ? S : never)[number];

function toRows(trades: readonly Told[], name: string): TradeInput[] {
  return trades.map(({ market, parties, size, price, fee }, index): TradeInput => {
    const [buyer = '', seller = ''] = parties;
    const marketId = market === 'linear' ? 'BTCUSDT' : 'BTCUSD';
    const side = {
      buyerId: `${buyer}-${market}`,
      sellerId: `${seller}-${market}`,
      buyerFee: fee,
      sellerFee: '-0.000000000000000001',
    };
    return { id: `${name}-${String(index)}`, marketId, size, price, ...side, at: '2025-10-10T21:00:00Z' };
  });
}

function oppositeOf({ id, buyerId, sellerId, buyerFee, ...trade }: TradeInput): TradeInput {
  const sellerFee = buyerFee?.startsWith('-') === true ? buyerFee.slice(1) : `-${buyerFee ?? ''}`;
  const sides = { buyerId: sellerId, sellerId: buyerId, buyerFee: '0.000000000000000001', sellerFee };
  return { ...trade, id: `no-${id}`, ...sides, corrects: id };
}

async function stateOf({ sql }: TestDatabase): Promise<Record<string, unknown>> {
  return {
    positions: [...(await sql`select account_id, market_id, size, cost from position order by 1, 2`)],
    balances: [...(await sql`select account_id, amount, sequence from balance order by 1`)],
    changes: [
      ...(await sql`
      select account_id, market_id, size_change, cost_change, realized_pnl, size_after, cost_after
      from position_change order by account_id, id`),
    ],
    ledger: [...(await sql`select account_id, sequence, kind, amount, balance_after from ledger_entry order by 1, 2`)],
  };
}
