import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Tx } from '../../src/db/connect.js';
import { openPrisma, type Prisma } from '../../src/db/prisma.js';
import { playCrash } from '../support/crash.js';
import { createTestDatabase } from '../support/database.js';
import type { TestDatabase } from '../support/database.js';

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
  await playCrash(db.sql);
});
afterAll(() => db.drop());

/** What the database says to the statements, run as one transaction that is never kept; undefined: it takes them. */
async function refusalOf(statements: string): Promise<string | undefined> {
  const taken = new Error('taken');
  try {
    await db.sql.begin(async (tx: Tx) => {
      await tx.unsafe(statements).simple();
      await tx`set constraints all immediate`;
      throw taken;
    });
  } catch (error) {
    if (error === taken) return undefined;
    return error instanceof Error ? error.message : String(error);
  }
  return undefined;
}

describe('history', () => {
  const HISTORY = [
    ...['venue_parameters', 'bracket_version', 'bracket', 'policy_version', 'trade', 'transfer'],
    ...['funding', 'funding_payment', 'opening_position', 'job_run', 'lap', 'lap_price', 'market_status_change'],
    ...['margin_status_transition', 'margin_call_extension', 'liquidation', 'liquidation_fill', 'ranking'],
    ...['ranking_entry', 'deleverage_event', 'deleverage_leg', 'deleverage_skip', 'deficit_cover', 'forced_trade'],
    ...['position_change', 'ledger_entry', 'audit_entry', 'chain_link', 'change', 'change_decision', 'retention_run'],
    ...['reconciliation', 'reconciliation_chunk', 'reconciliation_result', 'reconciliation_difference'],
  ];

  it.each(HISTORY)('%s is only added to', async (table) => {
    const [column] = await db.sql<{ name: string }[]>`
      select attname as name from pg_attribute where attrelid = ${table}::regclass and attnum > 0 and attidentity = '' limit 1`;
    const name = column?.name ?? '';
    const sentence = (verb: string): string =>
      `${table} is history: rows are added, never changed or removed (${verb} refused).`;
    expect(await refusalOf(`update ${table} set ${name} = ${name}`)).toBe(sentence('update'));
    expect(await refusalOf(`delete from ${table}`)).toBe(sentence('delete'));
    expect(await refusalOf(`truncate ${table} cascade`)).toMatch(/is history: rows are (added|never)/);
  });

  it('knows every table: what is not guarded is state', async () => {
    const guarded = await db.sql<{ name: string }[]>`
      select c.relname as name from pg_class c
      where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and c.relname <> '_prisma_migrations'
        and not exists (select from pg_trigger t where t.tgrelid = c.oid and t.tgfoid in ('refuse_change'::regproc, 'refuse_removal'::regproc))
      order by 1`;
    expect(guarded.map(({ name }) => name)).toEqual([
      ...[
        'account',
        'adl_level',
        'asset',
        'balance',
        'chain_due',
        'insurance_fund',
        'job',
        'market',
        'position',
        'trader',
      ],
    ]);
  });
});

describe('a price', () => {
  const suspect = `insert into price_mark (market_id, external_id, price, at, state) values ('BTCUSDT', 's', 500, now(), 'SUSPECT');`;
  const confirm = `update price_mark set state = 'CONFIRMED', confirmed_by = 'desk', confirmed_at = now()`;
  const sentence = (id: string): string =>
    `Price ${id} of BTCUSDT may only go from SUSPECT to CONFIRMED, and nothing else of it may change.`;

  it('that is suspect is confirmed once', async () => {
    expect(await refusalOf(`${suspect} ${confirm} where external_id = 's'`)).toBeUndefined();
    expect(await refusalOf(`${suspect} ${confirm} where external_id = 's'; ${confirm} where external_id = 's'`)).toBe(
      sentence('s'),
    );
  });

  it('stays what it was', async () => {
    expect(await refusalOf(`${confirm} where external_id = 'late' and market_id = 'BTCUSDT'`)).toBe(sentence('late'));
    expect(await refusalOf(`${suspect} ${confirm}, price = 1 where external_id = 's'`)).toBe(sentence('s'));
  });
});

describe('prices and order books', () => {
  it.each(['price_mark', 'depth_snapshot'])('of %s leave by retention alone', async (table) => {
    // What is referred to, PostgreSQL refuses first.
    expect(await refusalOf(`delete from ${table}`)).toMatch(/violates foreign key constraint/);
    expect(await refusalOf(`delete from ${table} where external_id = 'late'`)).toBe(
      `${table} is history: only retention removes rows, and only old ones that nothing needs (delete refused).`,
    );
    expect(await refusalOf(`truncate ${table} cascade`)).toMatch(/is history: rows are (added|never)/);
    expect(await refusalOf(`update ${table} set at = at`)).toMatch(/history|nothing else of it may change/);
  });
});

describe('a reconciliation', () => {
  const begun = `insert into reconciliation (external_id, as_of, begun_by) values ('s', now(), 'x');`;
  const ofIt = `(select id from reconciliation where external_id = 's')`;
  const chunk = (number: number, rows: number): string =>
    `insert into reconciliation_chunk (reconciliation_id, number, row_count, digest) values (${ofIt}, ${String(number)}, ${String(rows)}, repeat('0', 64));`;
  const rows = (...subjects: string[]): string =>
    `insert into reconciliation_row (reconciliation_id, chunk, account_id, market_id, asset_id, amount)
     values ${subjects.map((subject) => `(${ofIt}, 1, 'alice', ${subject}, 1)`).join(', ')};`;
  const result = `insert into reconciliation_result (reconciliation_id, chunk_count, row_count, accounts_compared, accounts_differing, difference_count, finished_by)
    values (${ofIt}, 1, 1, 1, 0, 0, 'x');`;
  const difference = (theirs: string, ours: string): string =>
    `insert into reconciliation_difference (reconciliation_id, ordinal, account_id, asset_id, theirs, ours) values (${ofIt}, 1, 'alice', 'USDT', ${theirs}, ${ours});`;
  const [position, balance] = [`'BTCUSDT', null`, `null, 'USDT'`];

  it('takes chunks with as many rows as they say, each once, and nothing after its end', async () => {
    const whole = `${begun} ${chunk(1, 2)} ${rows(position, balance)} ${result}`;
    expect(await refusalOf(whole)).toBeUndefined();
    expect(await refusalOf(`${begun} ${chunk(1, 2)} ${rows(position)}`)).toBe(
      'Chunk 1 has 2 rows that came with it: 1 cannot be added.',
    );
    expect(await refusalOf(`${begun} ${chunk(1, 2)} ${rows(position, position)}`)).toMatch(
      /reconciliation_row_told_once/,
    );
    expect(await refusalOf(`${begun} ${chunk(1, 2)} ${rows(balance, balance)}`)).toMatch(
      /reconciliation_row_told_once/,
    );
    expect(await refusalOf(`${begun} ${chunk(1, 1)} ${rows(`'BTCUSDT', 'USDT'`)}`)).toMatch(/violates check/);
    expect(await refusalOf(`${whole} ${chunk(2, 0)}`)).toMatch(/is finished: nothing is added to it\.$/);
    expect(await refusalOf(`${begun} ${chunk(1, 1001)}`)).toMatch(/violates check/);
  });

  it('is of an instant that was reached, and ends within a day', async () => {
    expect(await refusalOf(begun.replace('now()', `now() + interval '1 hour'`))).toMatch(/violates check/);
    const old = begun
      .replace('begun_by)', 'begun_by, begun_at)')
      .replace(/now\(\), 'x'/, `now() - interval '2 days', 'x', now() - interval '25 hours'`);
    expect(await refusalOf(`${old} ${result}`)).toMatch(/was begun more than 24 hours ago\.$/);
  });

  it('holds what differs, and works the difference out', async () => {
    const [most, least] = ['9'.repeat(20), `-${'9'.repeat(20)}`];
    for (const [theirs, ours] of [
      ['1', '2'],
      ['0', 'null'],
      ['null', '1'],
      [most, least],
    ] as const)
      expect(await refusalOf(`${begun} ${difference(theirs, ours)}`)).toBeUndefined();
    for (const [theirs, ours] of [
      ['1', '1.0'],
      ['null', '0'],
      ['null', 'null'],
    ] as const)
      expect(await refusalOf(`${begun} ${difference(theirs, ours)}`)).toMatch(/violates check/);
  });
});

describe('a margin call', () => {
  const sentence =
    'Margin call 1 of carl: it ends once, is released once, and its deadline only moves later while it is OPEN; nothing else of it may change.';
  const open = `
    insert into margin_call (account_id, lap_id, transition_id, amount_required, equity, maintenance, called_at, deadline, latest_deadline, on_lapse)
    select 'dora', lap_id, transition_id, 1, 1, 1, '2026-01-01', '2026-01-02', '2026-01-03', 'LIQUIDATE' from margin_call where account_id = 'carl';`;
  const ofDora = `where account_id = 'dora'`;

  it('that has lapsed is released once, and does nothing else', async () => {
    const release = `update margin_call set released_at = '2026-01-01' where account_id = 'carl';`;
    expect(await refusalOf(release)).toBeUndefined();
    expect(
      await refusalOf(`${release} update margin_call set released_at = '2026-01-02' where account_id = 'carl'`),
    ).toBe(sentence);
    expect(
      await refusalOf(`update margin_call set status = 'MET', lapse_reason = null where account_id = 'carl'`),
    ).toBe(sentence);
    expect(
      await refusalOf(`update margin_call set deadline = deadline + interval '1 s' where account_id = 'carl'`),
    ).toBe(sentence);
    expect(await refusalOf(`update margin_call set amount_required = 0 where account_id = 'carl'`)).toBe(sentence);
  });

  it('that is open may be extended, but only later and up to its cap', async () => {
    expect(await refusalOf(`${open} update margin_call set deadline = '2026-01-03' ${ofDora}`)).toBeUndefined();
    expect(await refusalOf(`${open} update margin_call set deadline = '2026-01-01 12:00' ${ofDora}`)).toMatch(
      /only moves later/,
    );
    expect(await refusalOf(`${open} update margin_call set deadline = '2026-01-03 00:00:01' ${ofDora}`)).toMatch(
      /violates check/,
    );
    expect(await refusalOf(`${open} update margin_call set latest_deadline = '2027-01-01' ${ofDora}`)).toMatch(
      /nothing else/,
    );
  });

  it('is one at a time', async () => {
    expect(await refusalOf(`${open} ${open}`)).toMatch(/margin_call_one_open/);
  });
});

describe('the ledger', () => {
  const entry = (sequence: number, amount: string, after: string, account = 'ann'): string => `
    insert into ledger_entry (account_id, asset_id, sequence, amount, balance_after, kind, cause, cause_id, at)
    values ('${account}', 'USDT', ${String(sequence)}, ${amount}, ${after}, 'TRANSFER', 'TRANSFER', 1, now());`;
  const balance = (amount: string, sequence: number, account = 'ann'): string =>
    `update balance set amount = ${amount}, sequence = ${String(sequence)} where account_id = '${account}';`;

  it('goes on with its balance, in either order', async () => {
    expect(await refusalOf(entry(4, '1', '246') + balance('246', 4))).toMatch(
      /^Ledger of ann in USDT: entry 4 .* left nothing\.$/,
    );
    expect(await refusalOf(entry(3, '1', '246') + balance('246', 3))).toBeUndefined();
    expect(await refusalOf(balance('246', 3) + entry(3, '1', '246'))).toBeUndefined();
  });

  it('has no gap and no wrong sum', async () => {
    expect(await refusalOf(entry(3, '1', '246.000000000000000001'))).toMatch(
      /^Ledger of ann in USDT: entry 3 of 1\.0+ leaves 246\.0+1, but/,
    );
    const together = `
      insert into ledger_entry (account_id, asset_id, sequence, amount, balance_after, kind, cause, cause_id, at)
      values ('ann', 'USDT', 3, 1, 246, 'TRANSFER', 'TRANSFER', 1, now()), ('ann', 'USDT', 4, 1, 248, 'TRANSFER', 'TRANSFER', 1, now())`;
    expect(await refusalOf(together)).toMatch(/entry 4 of 1\.0+ leaves 248\.0+, but the entry before it left 246/);
  });

  it('and the balance end together', async () => {
    expect(await refusalOf(entry(3, '1', '246'))).toBe(
      'Ledger of ann in USDT: entry 3 was added, but the balance was not changed with it.',
    );
    expect(await refusalOf(balance('1', 2))).toMatch(
      /^Balance of ann in USDT is 1\.0+ after entry 2, but its ledger ends with 245\.0+ after entry 2\.$/,
    );
    expect(await refusalOf(`delete from balance where account_id = 'ann'`)).toBe(
      'A balance with a ledger is never removed.',
    );
  });

  const both = (amount: string, sequence: number, entered: number, after: string): string => `
    with moved as (update balance set amount = ${amount}, sequence = ${String(sequence)} where account_id = 'ann')
    ${entry(entered, '1', after)}`;

  it('is judged with the balance when one statement writes both', async () => {
    expect(await refusalOf(both('246', 3, 3, '246'))).toBeUndefined();
    expect(await refusalOf(both('246', 2, 3, '246'))).toBe(
      'Ledger of ann in USDT: entry 3 was added, but the balance was not changed with it.',
    );
    expect(await refusalOf(both('247', 3, 3, '246'))).toMatch(
      /^Balance of ann in USDT is 247\.0+ after entry 3, but its ledger ends with 246\.0+ after entry 3\.$/,
    );
    expect(await refusalOf(both('246', 4, 3, '246'))).toMatch(/is 246\.0+ after entry 4, but its ledger ends with/);
    expect(await refusalOf(both('246', 3, 3, '246') + entry(4, '1', '247'))).toMatch(/entry 4 was added, but/);
    expect(await refusalOf(both('246', 3, 3, '246') + balance('245', 3))).toMatch(/^Balance of ann in USDT is 245\.0+/);
  });

  it('may be put right before the transaction ends', async () => {
    expect(await refusalOf(balance('1', 2) + balance('245', 2))).toBeUndefined();
    expect(await refusalOf(both('246', 2, 3, '246') + balance('246', 3))).toBeUndefined();
    expect(await refusalOf(both('1', 1, 3, '246') + entry(4, '1', '247') + balance('247', 4))).toBeUndefined();
  });

  it('guards what another trigger writes as well', async () => {
    const trigger = (change: string): string => `
      create function meddle() returns trigger language plpgsql as $$ begin ${change} return null; end $$;
      create trigger meddle after update on trader for each statement execute function meddle();
      update trader set verification_level = 1;`;
    expect(await refusalOf(trigger(balance('1', 2)))).toMatch(/^Balance of ann in USDT is 1\.0+ after entry 2/);
    expect(await refusalOf(trigger(entry(3, '1', '246')))).toMatch(/entry 3 was added, but the balance was not/);
    expect(await refusalOf(trigger(entry(3, '1', '246') + balance('246', 3)))).toBeUndefined();
    expect(await refusalOf(trigger('') + balance('1', 2))).toMatch(/^Balance of ann in USDT is 1\.0+/);
  });

  it('begins with its first balance', async () => {
    const first = (amount: string, sequence: number): string => `
      insert into account (id, trader_id, kind, mode, margin_asset_id) values ('new', 'desk', 'TRADER', 'CROSS', 'USDT');
      insert into balance values ('new', 'USDT', 'TRADER', 'CROSS', ${amount}, ${String(sequence)});`;
    expect(await refusalOf(first('0', 0))).toBeUndefined();
    expect(await refusalOf(first('1', 0))).toMatch(
      /^Balance of new in USDT is 1\.0+ after entry 0, but its ledger ends with 0/,
    );
    expect(await refusalOf(first('0', 1))).toMatch(
      /^Balance of new in USDT is 0.* after entry 1, but its ledger ends with 0/,
    );
    expect(await refusalOf(first('5', 1) + entry(1, '5', '5', 'new'))).toBeUndefined();
  });

  it('keeps a fund from falling below zero', async () => {
    expect(await refusalOf(entry(4, '-1', '-1', 'fund') + balance('-1', 4, 'fund'))).toMatch(
      /balance_fund_not_negative/,
    );
  });
});

describe('what must never be', () => {
  const REFUSED: readonly (readonly [what: string, statement: string, sentence: RegExp])[] = [
    [
      'a fraction of a size step',
      `update position set size = -1.5 where account_id = 'bob'`,
      /^Position of bob in BTCUSDT: size -1\.50+ is no whole multiple of the size step 1\.0+\.$/,
    ],
    ['a position of nothing', `update position set size = 0 where account_id = 'bob'`, /position_size_check/],
    [
      'another contract',
      `update market set contract_size = 2 where id = 'BTCUSDT'`,
      /^Market BTCUSDT: payoff, settlement asset/,
    ],
    [
      'another owner',
      `update account set trader_id = 'desk' where id = 'ann'`,
      /^Account ann: owner, kind, mode and margin asset are fixed/,
    ],
    [
      'a second position in an isolated account',
      `insert into account (id, trader_id, kind, mode, margin_asset_id) values ('iso', 'desk', 'TRADER', 'ISOLATED', 'USDT');
       insert into position select 'iso', id, 'USDT', 'TRADER', 'ISOLATED', 1, 1 from market`,
      /position_isolated_has_one/,
    ],
    [
      'a position of a fund',
      `insert into position values ('fund', 'BTCUSDT', 'USDT', 'INSURANCE_FUND', 'CROSS', 1, 1)`,
      /position_account_kind_check/,
    ],
    [
      'a self-trade',
      `insert into trade (external_id, market_id, buyer_id, seller_id, size, price, at) values ('x', 'BTCUSDT', 'ann', 'ann', 1, 1, now())`,
      /trade_check/,
    ],
    [
      'NaN',
      `insert into transfer (external_id, account_id, asset_id, amount, at) values ('x', 'ann', 'USDT', 'NaN', now())`,
      /amount_check/,
    ],
    ['an id that is no id', `insert into asset (id) values ('US DT')`, /exchange_id_check/],
    [
      'brackets that do not begin at 0',
      `insert into bracket_version values ('BTCUSDT', 2, 'x', 'x'); insert into bracket values ('BTCUSDT', 2, 1, 0.1, 0.2)`,
      /^Bracket version 2 of BTCUSDT begins at 1\.0+ instead of 0\.$/,
    ],
    [
      'a set without brackets',
      `insert into bracket_version values ('BTCUSDT', 2, 'x', 'x')`,
      /^Bracket version 2 of BTCUSDT has no bracket\.$/,
    ],
    [
      'a rate that falls',
      `insert into bracket_version values ('BTCUSDT', 2, 'x', 'x');
       insert into bracket values ('BTCUSDT', 2, 0, 0.1, 0.2), ('BTCUSDT', 2, 10, 0.1, 0.199999999999999999)`,
      /^Bracket version 2 of BTCUSDT has a rate that falls from one bracket to the next\.$/,
    ],
  ];

  it.each(REFUSED)('%s', async (_what, statement, sentence) => {
    expect(await refusalOf(statement)).toMatch(sentence);
  });
});

describe('recorded depth', () => {
  const depth = (bids: string, asks: string): string => `
    insert into depth_snapshot (market_id, external_id, at, bid_prices, bid_sizes, ask_prices, ask_sizes)
    values ('BTCUSDT', 'x', now(), ${bids}, ${asks})`;
  const level = (prices: string, sizes: string): string => `'{${prices}}', '{${sizes}}'`;

  it.each([
    ['both sides', level('90,89.5', '1,2'), level('91,92', '1,0.000000000000000001')],
    ['an empty side', level('', ''), level('91', '1')],
    ['nothing', level('', ''), level('', '')],
  ])('takes %s', async (_what, bids, asks) => {
    expect(await refusalOf(depth(bids, asks))).toBeUndefined();
  });

  it.each([
    ['bids that do not fall', level('90,90', '1,1'), level('91', '1'), /bids_sound/],
    ['asks that do not rise', level('90', '1'), level('92,91', '1,1'), /asks_sound/],
    ['a size of nothing', level('90', '0'), level('91', '1'), /bids_sound/],
    ['a negative price', level('-90', '1'), level('91', '1'), /bids_sound/],
    ['NaN', level('90', 'NaN'), level('91', '1'), /bids_sound/],
    ['null', level('90,null', '1,1'), level('91', '1'), /bids_sound/],
    ['levels of levels', `'{{90},{89}}', '{{1},{1}}'`, level('91', '1'), /bids_sound/],
    ['crossed sides', level('91', '1'), level('91', '1'), /not_crossed/],
    ['more prices than sizes', level('90,89', '1'), level('91', '1'), /depth_snapshot_(check|bids_sound)/],
  ])('refuses %s', async (_what, bids, asks, constraint) => {
    expect(await refusalOf(depth(bids, asks))).toMatch(constraint);
  });
});

describe("Prisma's client", () => {
  let prisma: Prisma;
  beforeAll(() => {
    prisma = openPrisma(db.url);
  });
  afterAll(() => prisma.$disconnect());

  it('reads and writes through the domains, exactly', async () => {
    const legs = await prisma.deleverageLeg.findMany({
      where: { accountId: 'ann' },
      include: { event: { include: { ranking: true } } },
    });
    expect(
      legs.map((leg) => [leg.concession.toFixed(), leg.event.mark.toFixed(), leg.event.ranking.queueLength]),
    ).toEqual([['15', '90', 2]]);
    const smallest = '0.000000000000000001';
    const at = new Date('2026-01-01T00:00:00Z');
    const none = { bidPrices: [], bidSizes: [] };
    const made = await prisma.depthSnapshot.create({
      data: {
        marketId: 'BTCUSDT',
        externalId: 'prisma',
        at,
        ...none,
        askPrices: ['91', '91.5'],
        askSizes: ['1', smallest],
      },
    });
    expect(made.askSizes.map((size) => size.toFixed())).toEqual(['1', smallest]);
    const trader = await prisma.trader.create({ data: { id: 'via-prisma' } });
    expect(trader.verificationLevel).toBe(0);
  });

  it('is refused what the database refuses', async () => {
    await expect(prisma.ledgerEntry.deleteMany()).rejects.toThrow(/ledger_entry is history/);
    await expect(prisma.asset.create({ data: { id: 'a b' } })).rejects.toThrow(/exchange_id/);
  });
});
