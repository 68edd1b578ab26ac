import fc from 'fast-check';
import type { Tx } from '../../src/db/connect.js';

/**
 * A venue and its book as plain text, for the database. Sizes need not sum to zero and balances have no ledger: what is
 * valued and ranked does not depend on how it came about.
 */
export interface UnequalBook {
  readonly venue: { readonly warning: string; readonly call: string; readonly staleShare: string };
  readonly markets: readonly UnequalMarket[];
  readonly accounts: readonly UnequalAccount[];
}

export interface UnequalMarket {
  readonly id: string;
  readonly payoff: 'LINEAR' | 'INVERSE';
  readonly assetId: string;
  readonly contractSize: string;
  readonly priceTick: string;
  readonly sizeStep: string;
  readonly status: 'ACTIVE' | 'HALTED';
  /** Null: never received. */
  readonly price: string | null;
  readonly isStale: boolean;
  readonly brackets: readonly (readonly [floor: string, maintenance: string, initial: string])[];
  readonly score: 'LEVERAGED_RETURN' | 'ACCOUNT_RETURN';
}

export interface UnequalAccount {
  readonly id: string;
  readonly assetId: string;
  readonly kind: 'TRADER' | 'LIQUIDITY_PROVIDER';
  /** Of a trader's alone; left out: it is not. */
  readonly isExempt?: boolean;
  readonly balance: string;
  /** By market id; size as a signed number of steps. */
  readonly positions: readonly (readonly [marketId: string, steps: string, cost: string])[];
}

/** The instant of every random book; a stale price is one grain of time too old for it. */
export const BOOK_INSTANT = '2025-10-10T21:20:00.000000Z';
const FRESH_AT = '2025-10-10T21:19:30.000000Z';
const STALE_AT = '2025-10-10T21:19:29.999999Z';

const digits = (most: number): fc.Arbitrary<string> =>
  fc
    .array(fc.constantFrom('0', '1', '2', '3', '4', '5', '6', '7', '8', '9'), { minLength: 1, maxLength: most })
    .map((list) => list.join(''));

/** An amount with up to `whole` digits and all 18 decimals, signed or not; 0 and the smallest one are frequent. */
function amount(whole: number, signed: boolean): fc.Arbitrary<string> {
  const any = fc.tuple(digits(whole), digits(18)).map(([before, after]) => `${before}.${after}`);
  const plain = fc.oneof(
    { weight: 6, arbitrary: any },
    { weight: 2, arbitrary: fc.constantFrom('1', '10', '100', '0.5', '33.333333333333333333') },
    { weight: 1, arbitrary: fc.constantFrom('0', '0.000000000000000001') },
  );
  return signed ? fc.tuple(fc.constantFrom('', '-'), plain).map((parts) => parts.join('')) : plain;
}

const isPositive = (text: string): boolean => /[1-9]/.test(text);

const brackets: UnequalMarket['brackets'][] = [
  [['0', '0.004', '0.01']],
  [['0', '0', '0']],
  [
    ['0', '0', '0'],
    ['10', '0.02', '0.04'],
  ],
  [
    ['0', '0.005', '0.01'],
    ['1000', '0.01', '0.02'],
    ['50000.000000000000000001', '0.333333333333333333', '0.5'],
  ],
  [
    ['0', '0.000000000000000001', '0.000000000000000007'],
    ['3', '0.142857142857142857', '0.999999999999999999'],
  ],
];

/** Contract size, tick and step; the decimals of a LINEAR one come to 18. */
const LINEAR_TERMS = [
  ['1', '0.01', '1'],
  ['0.001', '0.000000000001', '0.001'],
  ['0.000000000000000001', '1', '1'],
  ['1', '0.000000000000000001', '3'],
] as const;
const INVERSE_TERMS = [
  ['1', '0.01', '1'],
  ['100', '0.5', '3'],
  ['0.333333333333333333', '0.000000000000000001', '0.7'],
] as const;

function market(id: string, assetId: string, payoff: UnequalMarket['payoff']): fc.Arbitrary<UnequalMarket> {
  const terms = payoff === 'LINEAR' ? LINEAR_TERMS : INVERSE_TERMS;
  return fc.constantFrom(...terms).chain(([contractSize, priceTick, sizeStep]) => {
    const places = priceTick.split('.')[1]?.length ?? 0;
    const onTick = fc
      .tuple(digits(6), digits(18))
      .map(([before, after]) => (places === 0 ? before : `${before}.${after.slice(0, places)}`));
    const price = (payoff === 'LINEAR' ? onTick : amount(5, false)).filter(isPositive);
    return fc.record({
      id: fc.constant(id),
      payoff: fc.constant(payoff),
      assetId: fc.constant(assetId),
      contractSize: fc.constant(contractSize),
      priceTick: fc.constant(priceTick),
      sizeStep: fc.constant(sizeStep),
      status: fc.oneof(
        { weight: 9, arbitrary: fc.constant('ACTIVE' as const) },
        { weight: 1, arbitrary: fc.constant('HALTED' as const) },
      ),
      price: fc.oneof({ weight: 12, arbitrary: price }, { weight: 1, arbitrary: fc.constant(null) }),
      isStale: fc.oneof({ weight: 5, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
      brackets: fc.constantFrom(...brackets),
      score: fc.constantFrom('LEVERAGED_RETURN' as const, 'ACCOUNT_RETURN' as const),
    });
  });
}

const steps = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('1', '-1', '2', '-7') },
  {
    weight: 2,
    arbitrary: fc.tuple(fc.constantFrom('', '-'), digits(6).filter(isPositive)).map((parts) => parts.join('')),
  },
);

function account(id: string, markets: readonly UnequalMarket[]): fc.Arbitrary<UnequalAccount> {
  return fc.constantFrom('BTC', 'USDT').chain((assetId) => {
    const own = markets.filter((m) => m.assetId === assetId).map((m) => m.id);
    const positions = fc
      .subarray(own)
      .chain((ids) => fc.tuple(...ids.map((marketId) => fc.tuple(fc.constant(marketId), steps, amount(5, true)))));
    return fc.record({
      id: fc.constant(id),
      assetId: fc.constant(assetId),
      kind: fc.oneof(
        { weight: 9, arbitrary: fc.constant('TRADER' as const) },
        { weight: 1, arbitrary: fc.constant('LIQUIDITY_PROVIDER' as const) },
      ),
      isExempt: fc.oneof({ weight: 4, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
      balance: amount(6, true),
      positions,
    });
  });
}

/** Ids whose order by bytes is not that of a dictionary. */
const ACCOUNT_IDS = ['A', 'B', 'a', 'a.1', 'a-1', 'a:1', 'a1', 'a10', 'a2', 'Z'];

export const unequalBook: fc.Arbitrary<UnequalBook> = fc
  .tuple(
    market('B', 'USDT', 'LINEAR'),
    market('a', 'USDT', 'LINEAR'),
    market('C', 'USDT', 'LINEAR'),
    market('I', 'BTC', 'INVERSE'),
    market('J', 'BTC', 'INVERSE'),
  )
  .chain((markets) =>
    fc.record({
      venue: fc.record({
        warning: fc.constantFrom('0.66', '0.5', '0.333333333333333333'),
        call: fc.constantFrom('0.80', '0.75', '0.999999999999999999'),
        staleShare: fc.constantFrom('0.05', '0.5', '0'),
      }),
      markets: fc.constant(markets),
      accounts: fc.tuple(...ACCOUNT_IDS.map((id) => account(id, markets))).chain((list) => {
        // Twins, but for their ids, so that scores tie.
        const twins = list.slice(0, 3).map((one, k) => ({ ...one, id: `twin-${k}` }));
        return fc.constant([...list, ...twins]);
      }),
    }),
  );

/** Writes the book; call it in a transaction that is rolled back. Balances have no ledger here. */
export async function writeBook(tx: Tx, { venue, markets, accounts }: UnequalBook): Promise<void> {
  await tx`insert into asset (id) values ('USDT'), ('BTC')`;
  await tx`insert into trader (id) values ('t')`;
  await tx`
    insert into venue_parameters (version, warning_ratio, call_ratio, liquidation_target, call_deadline_ms, call_extension_cap_ms,
      on_call_lapse, stale_share, accounts_per_lap, changed_by, reason)
    values (2, ${venue.warning}, ${venue.call}, 0.1, 1, 1, 'LIQUIDATE', ${venue.staleShare}, 1, 'test', 'test')`;
  const houses = ['USDT', 'BTC'].flatMap((asset) => [
    { id: `fund-${asset}`, kind: 'INSURANCE_FUND', assetId: asset, balance: '0' },
    { id: `lp-${asset}`, kind: 'LIQUIDITY_PROVIDER', assetId: asset, balance: '0' },
  ]);
  const all = [...houses, ...accounts];
  await tx`
    insert into account (id, trader_id, kind, mode, margin_asset_id)
    select id, 't', kind, 'CROSS', asset from unnest(${all.map((a) => a.id)}::text[], ${all.map((a) => a.kind)}::text[],
      ${all.map((a) => a.assetId)}::text[]) as n (id, kind, asset)`;
  const exempt = accounts.filter((a) => a.isExempt === true && a.kind === 'TRADER').map((a) => a.id);
  // What is rolled back needs nobody's approval.
  await tx`
    insert into exemption (account_id, version, changed_by, reason, change_id, first_lap)
    select id, 1, 't', 't', 0, 1 from unnest(${exempt}::text[]) as n (id)`;
  await tx`insert into insurance_fund (account_id, asset_id, name) select id, margin_asset_id, id from account where kind = 'INSURANCE_FUND'`;
  await tx`
    insert into balance (account_id, asset_id, account_kind, account_mode, amount)
    select a.id, a.margin_asset_id, a.kind, a.mode, n.amount
    from unnest(${all.map((a) => a.id)}::text[], ${all.map((a) => a.balance)}::numeric[]) as n (id, amount) join account a using (id)
    where n.amount <> 0`;
  for (const each of markets) await writeMarket(tx, each);
  const positions = accounts.flatMap((a) =>
    a.positions.map(([marketId, count, cost]) => ({ accountId: a.id, marketId, count, cost })),
  );
  await tx`
    insert into position (account_id, market_id, settlement_asset_id, account_kind, account_mode, size, cost)
    select a.id, m.id, m.settlement_asset_id, a.kind, a.mode, n.count * m.size_step, n.cost
    from unnest(${positions.map((p) => p.accountId)}::text[], ${positions.map((p) => p.marketId)}::text[],
      ${positions.map((p) => p.count)}::numeric[], ${positions.map((p) => p.cost)}::numeric[]) as n (account, market, count, cost)
    join account a on a.id = n.account join market m on m.id = n.market`;
}

async function writeMarket(tx: Tx, m: UnequalMarket): Promise<void> {
  await tx`
    insert into market (id, payoff, status, settlement_asset_id, contract_size, price_tick, size_step, insurance_fund_id, liquidity_provider_id)
    values (${m.id}, ${m.payoff}, ${m.status}, ${m.assetId}, ${m.contractSize}, ${m.priceTick}, ${m.sizeStep},
      ${`fund-${m.assetId}`}, ${`lp-${m.assetId}`})`;
  // A version that is no longer in force comes first.
  await tx`insert into bracket_version (market_id, version, changed_by, reason) values (${m.id}, 1, 't', 't'), (${m.id}, 2, 't', 't')`;
  await tx`
    insert into bracket (market_id, version, floor, maintenance_rate, initial_rate)
    select ${m.id}, 1, 0, 0.9, 0.9 union all
    select ${m.id}, 2, * from unnest(${m.brackets.map(([floor]) => floor)}::numeric[], ${m.brackets.map(([, rate]) => rate)}::numeric[],
      ${m.brackets.map(([, , rate]) => rate)}::numeric[])`;
  await tx`
    insert into policy_version (market_id, version, score, allocation, price_basis, trigger, changed_by, reason)
    values (${m.id}, 1, ${m.score === 'ACCOUNT_RETURN' ? 'LEVERAGED_RETURN' : 'ACCOUNT_RETURN'}, 'QUEUE', 'MARK', 'FUND_EXHAUSTED', 't', 't'),
      (${m.id}, 2, ${m.score}, 'QUEUE', 'BANKRUPTCY', 'FUND_EXHAUSTED', 't', 't')`;
  if (m.price === null) return;
  await tx`
    insert into price_mark (market_id, external_id, price, at, state)
    values (${m.id}, 'old', 7, '2025-10-10T20:00:00Z', 'ACCEPTED'), (${m.id}, 'suspect', 9, ${BOOK_INSTANT}, 'SUSPECT'),
      (${m.id}, 'mark', ${m.price}, ${m.isStale ? STALE_AT : FRESH_AT}, 'ACCEPTED')`;
}
