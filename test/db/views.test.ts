import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { assertInvariants } from '../support/checks.js';
import { CRASH_END, playCrash } from '../support/crash.js';
import { createTestDatabase } from '../support/database.js';
import type { TestDatabase } from '../support/database.js';

/** Made from facts and parameters alone. */
const OF_FACTS = [
  'current_venue_parameters',
  'current_policy',
  'current_bracket',
  'current_mark',
  'position_value',
  'margin_status',
  'position_margin',
  'adl_queue',
  'open_interest',
];
const DERIVED = ['margin_status_transition', 'ranking', 'ranking_entry', 'adl_level', 'lap', 'lap_price', 'job_run'];
/** What else would refuse the wrongs below: the views have to see them without. */
const CHECKS = [
  'balance drop constraint balance_fund_not_negative',
  'deleverage_leg drop constraint deleverage_leg_check1',
  'deleverage_event drop constraint deleverage_event_check1',
];

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
  await playCrash(db.sql);
});
afterAll(() => db.drop());

/** What the database says at the end of the story. */
async function rowsOf(query: string): Promise<Record<string, unknown>[]> {
  return db.sql.begin(async (tx) => {
    await tx`select set_config('backstop.now', ${CRASH_END}, true)`;
    return [...(await tx.unsafe<Record<string, unknown>[]>(query))];
  });
}

it('after the crash every invariant holds', async () => {
  await assertInvariants(db.sql);
});

describe('the views of what is', () => {
  it('tell the lights of every account', async () => {
    const rows = await rowsOf(
      'select account_id, equity, maintenance, margin_ratio, status, held from margin_status order by 1',
    );
    expect(rows.map((row) => Object.values(row))).toEqual([
      ['ann', '245', '0', '0', 'HEALTHY', false],
      ['bob', '335', '1.8', '0.005373134328358208', 'HEALTHY', false],
      ['carl', '24', '20.2', '0.841666666666666666', 'MARGIN_CALL', false],
      ['dora', '500', '20.2', '0.0404', 'HEALTHY', false],
      ['fund', '0', '0', null, null, false],
      ['lp', '0', '1.8', null, null, false],
      ['whale', '0', '0', null, 'HEALTHY', false],
    ]);
  });

  it('say HELD, and no status, when the price is stale', async () => {
    const rows = await db.sql.begin(async (tx) => {
      await tx`select set_config('backstop.now', '2025-10-10T21:14:30.000001Z', true)`;
      return [...(await tx`select account_id, equity, status from margin_status where held order by 1`)];
    });
    expect(rows).toEqual([
      { account_id: 'bob', equity: '335', status: null },
      { account_id: 'carl', equity: '24', status: null },
      { account_id: 'dora', equity: '500', status: null },
    ]);
  });

  it('tell who is next', async () => {
    const rows = await rowsOf(
      'select market_id, side, rank, account_id, size, size_ahead, level, score from adl_queue order by 1, 2, 3',
    );
    expect(rows.map((row) => Object.values(row))).toEqual([
      ['BTCUSDT', 'SHORT', '1', 'bob', '1', '0', 5, '0.026865671641791044'],
      ['XRPUSDT', 'LONG', '1', 'carl', '1010', '0', 5, '0'],
      ['XRPUSDT', 'SHORT', '1', 'dora', '1010', '0', 5, '0'],
    ]);
  });

  it('tell what is open', async () => {
    const rows = await rowsOf(
      'select market_id, longs, shorts, long_size, short_size, long_notional from open_interest order by 1',
    );
    expect(rows.map((row) => Object.values(row))).toEqual([
      ['BTCUSDT', '1', '1', '1', '1', '90'],
      ['XRPUSDT', '1', '1', '1010', '1010', '1010'],
    ]);
  });

  it('read only facts and parameters', async () => {
    const used = await db.sql<{ name: string }[]>`
      with recursive reads as (
        select c.oid from pg_class c where c.relnamespace = 'public'::regnamespace and c.relname = any(${OF_FACTS})
        union
        select d.refobjid from reads r
        join pg_rewrite w on w.ev_class = r.oid
        join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = w.oid and d.refclassid = 'pg_class'::regclass
      )
      select distinct c.relname::text as name from reads r join pg_class c on c.oid = r.oid where c.relkind = 'r' order by 1`;
    expect(used.map(({ name }) => name)).toEqual([
      'account',
      'balance',
      'bracket',
      'bracket_version',
      'market',
      'policy_version',
      'position',
      'price_mark',
      'venue_parameters',
    ]);
  });

  it('answer the same when every derived row is gone', async () => {
    const before = await Promise.all(OF_FACTS.map((view) => rowsOf(`select * from ${view} order by 1, 2, 3, 4`)));
    const lost = new Error('rolled back');
    const after: object[][] = [];
    const removal = db.sql.begin(async (tx) => {
      // No trigger and no foreign key speaks in this role.
      await tx`set local session_replication_role = replica`;
      for (const table of DERIVED) {
        expect((await tx.unsafe(`delete from ${table} returning 1`)).length).toBeGreaterThan(0);
      }
      await tx`select set_config('backstop.now', ${CRASH_END}, true)`;
      for (const view of OF_FACTS) after.push([...(await tx.unsafe(`select * from ${view} order by 1, 2, 3, 4`))]);
      throw lost;
    });
    await expect(removal).rejects.toBe(lost);
    expect(after).toEqual(before);
  });
});

describe('the views of what happened', () => {
  it('tell every change of a fund and whom it was for', async () => {
    const rows = await rowsOf(
      'select sequence, kind, amount, balance_after, market_id, account_id, transfer_id from insurance_fund_ledger order by 1',
    );
    expect(rows.map((row) => Object.values(row))).toEqual([
      ['1', 'TRANSFER', '20', '20', null, null, 'contribution'],
      ['2', 'FUND_PAYMENT', '-8', '12', 'BTCUSDT', 'whale', null],
      ['3', 'FUND_PAYMENT', '-12', '0', 'BTCUSDT', 'whale', null],
    ]);
  });

  it('tell each leg and why', async () => {
    const why =
      'whale was bankrupt with an equity of -32 and 8 contracts left in BTCUSDT. At the mark of 90 they were 32 short of their ' +
      'bankruptcy value; the fund held 12, might pay 12 and paid 12. ';
    const rows = await rowsOf(
      'select counterparty_id, size_closed, price, entry_price, concession, why from deleverage_history order by leg_id',
    );
    expect(rows.map((row) => Object.values(row))).toEqual([
      ['ann', '6', '92.5', '100', '15', `${why}ann stood at rank 1 of 2 and closed 6 contracts at 92.5.`],
      ['bob', '2', '92.5', '100', '5', `${why}bob stood at rank 2 of 2 and closed 2 contracts at 92.5.`],
    ]);
  });

  it('tell what was odd in the feed', async () => {
    const rows = await rowsOf(
      'select kind, market_id, account_id, external_id, detail from feed_anomalies order by at',
    );
    expect(rows.map((row) => Object.values(row))).toEqual([
      [
        'LATE_PRICE',
        'BTCUSDT',
        null,
        'late',
        expect.stringMatching(/^99 of 2025-10-10 21:05:00\+00 came at .*never the mark$/),
      ],
      [
        ...['TRADE_GREW_REDUCE_ONLY', 'XRPUSDT', 'carl', 'grows'],
        'from 1000 to 1010 contracts, though margin call 1 lapsed at 2025-10-10 21:10:02+00 and the account was REDUCE_ONLY',
      ],
      [
        ...['TRADE_AFTER_HALT', 'BTCUSDT', null, 'halted'],
        '1 contracts between bob and lp, while the market was HALTED since 2025-10-10 21:12:00+00',
      ],
    ]);
  });
});

describe('a broken promise is seen', () => {
  const WRONGS: readonly (readonly [wrong: string, invariants: number[]])[] = [
    [`update position set size = size - 1 where account_id = 'bob'`, [1, 12]],
    [`update position set cost = cost + 0.000000000000000001 where account_id = 'bob'`, [2, 12]],
    [`update balance set amount = amount + 1 where account_id = 'ann'`, [2, 12]],
    [`update balance set amount = -1 where account_id = 'fund'`, [2, 3, 12]],
    [`delete from ledger_entry where account_id = 'fund' and sequence = 2`, [3, 12]],
    [`update ledger_entry set amount = amount - 1 where account_id = 'fund' and sequence = 3`, [3, 12]],
    [`update ledger_entry set sequence = 9 where account_id = 'dora'`, [12]],
    [`update position_change set size_after = 1 where cause = 'DELEVERAGE' and account_id = 'ann'`, [4, 12, 16]],
    [`update position_change set size_after = -1 where cause = 'DELEVERAGE' and account_id = 'ann'`, [12, 16]],
    [`update market set insurance_fund_id = 'ann' where id = 'BTCUSDT'`, [3, 15]],
    [
      `insert into deficit_cover (lap_id, account_id, shortfall, fund_paid, bad_debt, at) values (3, 'whale', 1, 0, 1, now())`,
      [5],
    ],
    [`update liquidation set closed = closed - 1`, [4]],
    [`update liquidation set fund_delta = 0`, [3]],
    [`update deleverage_leg set size_closed = 1 where account_id = 'bob'`, [4, 8]],
    [
      `update deleverage_leg set value = value + 0.000000000000000001, concession = concession - 0.000000000000000001`,
      [8],
    ],
    [`update deleverage_leg set equity_after = -0.000000000000000001 where account_id = 'ann'`, [6]],
    [`update deleverage_leg set rank = 2 where account_id = 'ann'`, [10]],
    [`update deleverage_leg set bankrupt_account_id = 'dora' where account_id = 'ann'`, [13]],
    [`update deleverage_event set fund_paid = 11`, [3]],
    [`update deleverage_event set mark = 91`, [8, 14]],
    [`update lap_price set price = 91 where market_id = 'BTCUSDT' and lap_id = 3`, [14]],
    [`update lap_price set live = false`, [14]],
    [`update ranking_entry set score = -1 where rank = 1`, [9, 10]],
    [`update ranking_entry set level = 1`, [9]],
    [`update ranking set queue_length = 3`, [9, 10]],
    [`delete from deleverage_leg where account_id = 'ann'`, [4]],
    [`delete from forced_trade where kind = 'LIQUIDATION'`, [4]],
  ];

  it.each(WRONGS)('%s', async (wrong, invariants) => {
    const lost = new Error('rolled back');
    const seen = new Set<number>();
    const attempt = db.sql.begin(async (tx) => {
      await tx`set local session_replication_role = replica`;
      for (const constraint of CHECKS) await tx.unsafe(`alter table ${constraint}`);
      expect((await tx.unsafe(`${wrong} returning 1`)).length).toBeGreaterThan(0);
      for (const row of await tx<{ invariant: number }[]>`select invariant from invariant_violations`)
        seen.add(row.invariant);
      throw lost;
    });
    await expect(attempt).rejects.toBe(lost);
    expect([...seen].sort((a, b) => a - b)).toEqual(invariants);
  });
});
