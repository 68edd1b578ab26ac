import { describe, expect, it } from '@jest/globals';
import { allocate } from '../../src/risk/allocation.js';
import { bankruptcyPrice, bankruptcyValues } from '../../src/risk/bankruptcy.js';
import { makeSchedule, maintenanceOf } from '../../src/risk/brackets.js';
import { value } from '../../src/risk/contract.js';
import { Decimal, ONE, ZERO, dec, min, truncatedFraction } from '../../src/risk/decimal.js';
import { legPrice } from '../../src/risk/deleverage.js';
import { liquidationPrice } from '../../src/risk/liquidation-price.js';
import { walkDepth } from '../../src/risk/liquidation.js';
import { marginRatio, positionIn, valuate } from '../../src/risk/margin.js';
import type { Account, AccountValuation, Market, ScoreName } from '../../src/risk/margin.js';
import { percentileOf, rank, score } from '../../src/risk/ranking.js';
import type { RankCandidate } from '../../src/risk/ranking.js';
import { afterClose, at, buildAccount, buildMarket, buildMarks, byId, text, texts, valued } from './build.js';
import type { BracketText, MarketText } from './build.js';
import { ABSENT, readVectors } from './vector-files.js';
import type { Vector } from './vector-files.js';

/** A number of the file as text. It writes them as JSON numbers, some with an exponent. */
const n = (x: number): string => new Decimal(String(x)).toFixed();

const vectors = readVectors('venues');

/** What the file says of it is not checked here: each vector is read as what its test expects. */
function vectorOf(id: string): Vector<never, never> {
  const vector = vectors.find((each) => each.id === id);
  if (vector === undefined) throw new Error(`no vector ${id}`);
  tested.add(id);
  return vector as Vector<never, never>;
}
const tested = new Set<string>();

const TERMS: MarketText = { contractSize: '1', sizeStep: '0.001', priceTick: '0.01' };

/** Rates and amounts of one bracket as venues print them: a bracket of rate 0 below it yields the amount. */
function bracketsWith(rate: string, deduction: string): BracketText[] {
  if (dec(deduction).isZero()) return [['0', rate, rate]];
  return [
    ['0', '0', '0'],
    [truncatedFraction(dec(deduction), dec(rate)).toFixed(), rate, rate],
  ];
}

function valueOf(account: Account, prices: Readonly<Record<string, string>>, ...markets: Market[]): AccountValuation {
  return valued(account, byId(...markets), buildMarks(prices));
}

function isNear(x: Decimal | null | undefined, y: number, bound: string): boolean {
  return (
    x
      ?.minus(dec(n(y)))
      .abs()
      .lte(dec(bound)) ?? false
  );
}

describe('BitMEX', () => {
  interface QueueInput {
    readonly positions: readonly { account: number; quantity: number; score: number }[];
  }
  interface QueueExpected {
    readonly order: readonly number[];
    readonly percentile: Readonly<Record<string, number>>;
  }

  const queue: Vector<QueueInput, QueueExpected> = vectorOf('bitmex-adl-queue-1');
  const ranking = rank(
    'M',
    'LONG',
    queue.input.positions.map((position): RankCandidate => ({
      accountId: n(position.account),
      size: dec(n(position.quantity)),
      score: { value: dec(n(position.score)), profitRatio: ZERO, leverage: null },
    })),
  );

  it(`bitmex-adl-queue-1: order and fifths of the queue (${queue.source})`, () => {
    expect(ranking.entries.map(({ accountId }) => accountId)).toEqual(queue.expected.order.map(n));
    const fifths = ranking.entries.map((entry) => {
      const upToAFifth = percentileOf(entry, ranking.queueSize).times(5).ceil().times(20);
      return [entry.accountId, upToAFifth.toFixed()];
    });
    const published = Object.entries(queue.expected.percentile).map(([id, share]): [string, string] => [id, n(share)]);
    expect(new Map(fifths as [string, string][])).toEqual(new Map(published));
  });

  const exec: Vector<
    { liquidated: { quantity: number; bankruptcyPrice: number } },
    { fills: readonly { account: number; quantity: number; price: number; remaining: number }[]; unfilled: number }
  > = vectorOf('bitmex-adl-exec-1');

  it(`bitmex-adl-exec-1: the queue is closed from its head, the last one in part (${exec.source})`, () => {
    const quantity = dec(n(exec.input.liquidated.quantity));
    const legs = allocate(
      'QUEUE',
      quantity,
      ranking.entries.map(({ accountId, size }) => ({ accountId, size, cap: size, weight: ZERO })),
      ONE,
    );
    const remaining = new Map(ranking.entries.map(({ accountId, size }) => [accountId, size]));
    expect(
      legs.map(({ accountId, size }) => ({
        account: accountId,
        quantity: text(size),
        remaining: text((remaining.get(accountId) ?? ZERO).minus(size)),
      })),
    ).toEqual(
      exec.expected.fills.map((fill) => ({
        account: n(fill.account),
        quantity: n(fill.quantity),
        remaining: n(fill.remaining),
      })),
    );
    const market = buildMarket(TERMS);
    const price = dec(n(exec.input.liquidated.bankruptcyPrice));
    // Below the mark by less than maxDeviation, so the legs are booked at it.
    const worth = legPrice({
      market,
      size: quantity.neg(),
      mark: dec('700'),
      bankruptcyValue: value(market, quantity.neg(), price),
      fundMayPay: ZERO,
      basis: 'BANKRUPTCY',
    });
    expect(text(bankruptcyPrice(market, quantity.neg(), worth.value))).toBe(n(at(exec.expected.fills, 0).price));
  });
});

describe('inverse contracts', () => {
  function inverse(rate: string, initial = rate): Market {
    return buildMarket({
      payoff: 'INVERSE',
      contractSize: '1',
      sizeStep: '1',
      priceTick: '0.5',
      brackets: [['0', rate, initial]],
    });
  }

  const bust: Vector<
    { contracts: number; entryPrice: number; leverage: number; tick: number },
    { bankruptcyPriceRaw: number; bankruptcyPrice: number }
  > = vectorOf('bybit-bust-2');

  it(`bybit-bust-2: bankruptcy price of a long (${bust.source})`, () => {
    const market = inverse('0.005');
    const [size, entry] = [dec(n(bust.input.contracts)), n(bust.input.entryPrice)];
    const cost = value(market, size, dec(entry));
    const margin = truncatedFraction(cost.abs(), dec(n(bust.input.leverage)));
    const v = valueOf(
      buildAccount('a', margin.toFixed(), { M: [size.toFixed(), cost.toFixed()] }),
      { M: entry },
      market,
    );
    const price = bankruptcyPrice(market, size, bankruptcyValues(v).get('M') ?? ZERO);
    expect(isNear(price, bust.expected.bankruptcyPriceRaw, '0.0000005')).toBe(true);
    // Deviation: theirs is then raised to the tick, 7735.5. Here no price is rounded to a tick: money is booked from values.
    expect(text(price)).toBe('7735.372549019639875005');
    expect(
      price
        ?.minus(dec(n(bust.expected.bankruptcyPrice)))
        .abs()
        .lt(dec(n(bust.input.tick))),
    ).toBe(true);
  });

  const cross: Vector<
    { contracts: number; entryPrice: number; accountBalanceBtc: number; mmr: number; takerFee: number },
    { bankruptcyPrice: number; liquidationPrice: number }
  > = vectorOf('bybit-liq-cross-inverse-1');

  it(`bybit-liq-cross-inverse-1: liquidation price of a cross long (${cross.source})`, () => {
    const { input, expected } = cross;
    const market = inverse(n(input.mmr));
    const [size, entry] = [dec(n(input.contracts)), n(input.entryPrice)];
    const cost = value(market, size, dec(entry));
    const account = buildAccount('a', n(input.accountBalanceBtc), { M: [size.toFixed(), cost.toFixed()] });
    const v = valueOf(account, { M: entry }, market);
    const bankruptcy = bankruptcyPrice(market, size, bankruptcyValues(v).get('M') ?? ZERO);
    const liquidation = liquidationPrice(v, 'M', market);
    // Deviations. Theirs, 5718.57, keeps a taker fee inside the bankruptcy price; ours has no fee in it: apart by just that fee.
    expect(text(bankruptcy)).toBe('5714.285714285714285714');
    expect(isNear(bankruptcy?.times(ONE.plus(dec(n(input.takerFee)))) ?? null, expected.bankruptcyPrice, '0.005')).toBe(
      true,
    );
    // Theirs, 5739.5, takes maintenance at entry and the fee, then rounds up to a tick; ours is maintenance at the price itself.
    expect(text(liquidation)).toBe('5742.857142857142857142');
    expect(
      liquidation
        ?.minus(dec(n(expected.liquidationPrice)))
        .abs()
        .lt(dec(n(expected.liquidationPrice)).times(dec('0.001'))),
    ).toBe(true);
  });

  const kraken: Vector<
    { contracts: number; entryPrice: number; marginBtc: number; imr: number; mmr: number },
    Record<string, number>
  > = vectorOf('kraken-epp');

  it(`kraken-epp: value, margins, liquidation and bankruptcy price (${kraken.source})`, () => {
    const { input, expected } = kraken;
    const market = inverse(n(input.mmr), n(input.imr));
    const [size, entry] = [dec(n(input.contracts)), n(input.entryPrice)];
    const cost = value(market, size, dec(entry));
    const v = valueOf(
      buildAccount('a', n(input.marginBtc), { M: [size.toFixed(), cost.toFixed()] }),
      { M: entry },
      market,
    );
    expect({
      positionValueBtc: text(v.notional),
      initialMarginBtc: text(v.initial),
      maintenanceMarginBtcAtEntry: text(v.maintenance),
      // They print whole dollars.
      liquidationPrice: text(liquidationPrice(v, 'M', market)?.floor() ?? null),
      bankruptcyPrice: text(bankruptcyPrice(market, size, bankruptcyValues(v).get('M') ?? ZERO)?.floor() ?? null),
    }).toEqual(Object.fromEntries(Object.entries(expected).map(([key, x]) => [key, n(x)])));
  });
});

describe('Binance', () => {
  interface Position {
    readonly symbol: string;
    readonly size: number;
    readonly entryPrice: number;
    readonly markPrice: number;
    readonly mmr: number;
    readonly maintAmount: number;
  }

  function marketOf(position: Position): Market {
    return buildMarket({
      ...TERMS,
      id: position.symbol,
      brackets: bracketsWith(n(position.mmr), n(position.maintAmount)),
    });
  }

  function holdingOf(market: Market, position: Position): readonly [string, string] {
    const size = dec(n(position.size));
    return [size.toFixed(), value(market, size, dec(n(position.entryPrice))).toFixed()];
  }

  const cross: Vector<
    { walletBalance: number; position: Position; others: readonly Position[] },
    { TMM1: number; UPNL1: number; liquidationPrice: number }
  > = vectorOf('binance-liq-cross-1');

  it(`binance-liq-cross-1: liquidation price beside another position (${cross.source})`, () => {
    const { input, expected } = cross;
    const all = [input.position, ...input.others];
    const markets = all.map(marketOf);
    const positions = all.map((position, k) => [position.symbol, holdingOf(at(markets, k), position)] as const);
    const prices = [
      [input.position.symbol, n(input.position.entryPrice)],
      ...input.others.map((o) => [o.symbol, n(o.markPrice)]),
    ];
    const account = buildAccount('a', n(input.walletBalance), Object.fromEntries(positions));
    const v = valueOf(account, Object.fromEntries(prices) as Record<string, string>, ...markets);
    const other = positionIn(v, at(input.others, 0).symbol);
    expect(isNear(other.maintenance, expected.TMM1, '0.00001')).toBe(true);
    expect(isNear(other.unrealizedPnl, expected.UPNL1, '0.005')).toBe(true);
    expect(isNear(liquidationPrice(v, input.position.symbol, at(markets, 0)), expected.liquidationPrice, '0.005')).toBe(
      true,
    );
  });

  const isolated: Vector<Position & { walletBalance: number }, { liquidationPrice: number }> =
    vectorOf('binance-liq-iso-1');

  it(`binance-liq-iso-1: liquidation price of an isolated long (${isolated.source})`, () => {
    const position = { ...isolated.input, symbol: 'M' };
    const market = marketOf(position);
    const account = buildAccount('a', n(position.walletBalance), { M: holdingOf(market, position) });
    const v = valueOf(account, { M: n(position.entryPrice) }, market);
    expect(isNear(liquidationPrice(v, 'M', market), isolated.expected.liquidationPrice, '0.005')).toBe(true);
  });

  const coin: Vector<
    { bracketFloor: number; mmrN: number; mmrPrev: number; maintAmountPrev: number },
    { maintAmountN: number }
  > = vectorOf('binance-maint-amount-coinm');

  it(`binance-maint-amount-coinm: the amount of the next bracket (${coin.source})`, () => {
    const { input, expected } = coin;
    const below = bracketsWith(n(input.mmrPrev), n(input.maintAmountPrev));
    const market = buildMarket({ brackets: [...below, [n(input.bracketFloor), n(input.mmrN), n(input.mmrN)]] });
    expect(text(market.schedule.steps.at(-1)?.maintenanceDeduction ?? null)).toBe(n(expected.maintAmountN));
  });

  const tiers: Vector<
    { tiers: readonly { minNotional: number; maintenanceMarginRate: number }[] },
    { maintAmt: readonly number[] }
  > = vectorOf('tiers-1000shib');

  it(`tiers-1000shib: every amount of a real table, and no jump at a floor (${tiers.source})`, () => {
    const schedule = makeSchedule(
      tiers.input.tiers.map((tier) => ({
        floor: dec(n(tier.minNotional)),
        maintenanceRate: dec(n(tier.maintenanceMarginRate)),
        initialRate: ONE,
      })),
    );
    expect(texts(schedule.steps.map((step) => step.maintenanceDeduction))).toEqual(tiers.expected.maintAmt.map(n));
    for (const { floor, maintenanceRate } of schedule.steps) {
      const below = maintenanceOf(schedule, floor.minus(dec('0.000000000000000001')));
      expect(maintenanceOf(schedule, floor).minus(below).lte(min(maintenanceRate, ONE))).toBe(true);
    }
  });
});

describe('dYdX, its documentation', () => {
  const adl: Vector<
    { A: Record<string, number>; B: Record<string, number>; price: number },
    { BEquity: number; BBankruptcyPrice: number; AProfitRealised: number; BAccountValueAfter: number }
  > = vectorOf('dydx-doc-delev');

  it(`dydx-doc-delev: the bankrupt ends at 0, the counterparty at the bankruptcy price (${adl.source})`, () => {
    const { input, expected } = adl;
    const market = buildMarket({ ...TERMS, sizeStep: '1' });
    const [a, b] = [input.A, input.B];
    const A = buildAccount('A', n(a['deposit'] ?? 0), { M: [n(a['long'] ?? 0), n(a['long'] ?? 0)] });
    const B = buildAccount('B', n(b['deposit'] ?? 0), { M: [n(-(b['short'] ?? 0)), n(-(b['short'] ?? 0))] });
    const v = valueOf(B, { M: n(input.price) }, market);
    const size = positionIn(v, 'M').size;
    const price = bankruptcyPrice(market, size, bankruptcyValues(v).get('M') ?? ZERO) ?? ZERO;
    expect([text(v.equity), text(price)]).toEqual([n(expected.BEquity), n(expected.BBankruptcyPrice)]);
    expect(text(afterClose(A, market, size.abs(), price).balance.minus(A.balance))).toBe(n(expected.AProfitRealised));
    expect(text(afterClose(B, market, size.abs(), price).balance)).toBe(n(expected.BAccountValueAfter));
  });

  const fund: Vector<Record<string, number>, Record<string, number>> = vectorOf('dydx-doc-if');

  it(`dydx-doc-if: what the fund pays for a fill beyond the bankruptcy price (${fund.source})`, () => {
    const { input, expected } = fund;
    const field = (name: string): string => n(input[name] ?? 0);
    const market = buildMarket({ ...TERMS, priceTick: '0.001', brackets: [['0', field('mmf'), field('mmf')]] });
    const size = dec(field('long'));
    const account = buildAccount('a', field('deposit'), {
      M: [size.toFixed(), size.times(dec(field('entry'))).toFixed()],
    });
    const v = valueOf(account, { M: field('oracle') }, market);
    expect(text(v.equity)).toBe(n(expected['equityAt0.801'] ?? 0));
    const plan = walkDepth({
      market,
      size,
      target: size,
      mark: dec(field('oracle')),
      bankruptcyValue: bankruptcyValues(v).get('M') ?? ZERO,
      levels: [{ price: dec(field('fill')), size }],
      fundMayPay: dec('1000'),
    });
    expect(text(size.minus(plan.closeValue))).toBe(n(expected['lossAt0.77'] ?? 0));
    expect(text(plan.fundDelta.neg())).toBe(n(expected['insuranceFundPays'] ?? 0));
  });

  const cross: Vector<Record<string, number>, { liquidationPrice: number }> = vectorOf('dydx-liq-cross');

  it(`dydx-liq-cross: liquidation price of a short beside other margin (${cross.source})`, () => {
    const field = (name: string): string => n(cross.input[name] ?? 0);
    const rate: BracketText[] = [['0', field('mmf'), field('mmf')]];
    const [market, other] = [
      buildMarket({ ...TERMS, brackets: rate }),
      buildMarket({ ...TERMS, id: 'O', brackets: rate }),
    ];
    const size = dec(field('size'));
    // One contract whose margin is the vector's, bought at its mark.
    const otherPrice = truncatedFraction(dec(field('otherMMR')), dec(field('mmf'))).toFixed();
    const cost = value(market, size, dec(field('price'))).toFixed();
    const account = buildAccount('a', field('equity'), { M: [size.toFixed(), cost], O: ['1', otherPrice] });
    const v = valueOf(account, { M: field('price'), O: otherPrice }, market, other);
    expect(isNear(liquidationPrice(v, 'M', market), cross.expected.liquidationPrice, '0.005')).toBe(true);
  });
});

describe('margin ratio', () => {
  const ratio: Vector<{ maintenanceMargin: number; collateral: number }, { marginRatio: number }> =
    vectorOf('ccxt-marginratio');

  it(`ccxt-marginratio: maintenance ÷ equity, as ccxt prints it (${ratio.source})`, () => {
    const v = { maintenance: dec(n(ratio.input.maintenanceMargin)), equity: dec(n(ratio.input.collateral)) };
    expect(text(marginRatio(v)?.toDecimalPlaces(2) ?? null)).toBe(n(ratio.expected.marginRatio));
  });
});

describe('derived from published formulas', () => {
  interface Held {
    readonly market: string;
    readonly size: number;
    readonly entryPrice: number;
    readonly markPrice: number;
    readonly mmr: number;
  }
  const zero: Vector<
    { walletBalance: number; positions: readonly Held[] },
    { equity: number; maintenanceMargin: number; bankruptcyPrice: Record<string, number> }
  > = vectorOf('derived-zero-price');

  it(`derived-zero-price: bankruptcy prices of a cross account, and closing at them changes no ratio (${zero.source})`, () => {
    const { input, expected } = zero;
    const markets = input.positions.map(({ market, mmr }) =>
      buildMarket({ ...TERMS, id: market, brackets: [['0', n(mmr), n(mmr)]] }),
    );
    const positions = input.positions.map(({ market, size, entryPrice }) => {
      const cost = dec(n(size)).times(dec(n(entryPrice)));
      return [market, [n(size), cost.toFixed()]] as const;
    });
    const account = buildAccount('a', n(input.walletBalance), Object.fromEntries(positions));
    const marks = buildMarks(
      Object.fromEntries(input.positions.map(({ market, markPrice }) => [market, n(markPrice)])),
    );
    const v = valued(account, byId(...markets), marks);
    expect([text(v.equity), text(v.maintenance)]).toEqual([n(expected.equity), n(expected.maintenanceMargin)]);
    const worth = bankruptcyValues(v);
    for (const market of markets) {
      const { size, value: atMark, maintenance } = positionIn(v, market.id);
      const bankruptcyValue = worth.get(market.id) ?? ZERO;
      expect(
        isNear(bankruptcyPrice(market, size, bankruptcyValue), expected.bankruptcyPrice[market.id] ?? 0, '0.0000005'),
      ).toBe(true);
      const equity = v.equity.minus(atMark).plus(bankruptcyValue);
      const left = v.maintenance.minus(maintenance);
      // Exact in fractions; the share is cut to the grid, so here to one grid step of equity.
      const drift = equity.times(v.maintenance).minus(v.equity.times(left)).abs();
      expect(drift.lte(dec('0.000000000000000001').times(v.maintenance))).toBe(true);
    }
  });

  interface Formula {
    readonly account: string;
    readonly size: number;
    readonly entryPrice: number;
    readonly walletBalance: number;
  }
  const formula: Vector<
    { markPrice: number; mmr: number; positions: readonly Formula[] },
    { perPosition: Record<string, Record<string, number>>; order: Record<string, readonly string[]> }
  > = vectorOf('derived-cross-formula');
  const SCORES: readonly (readonly [ScoreName, string])[] = [
    ['LEVERAGED_RETURN', 'bitmex'],
    ['ACCOUNT_RETURN', 'binance2025'],
  ];
  /** Scores of the same vector that Backstop does not have: their columns are not asserted. */
  const OTHER_SCORES = [
    'binanceOld',
    'hyperliquidLiteral',
    'hyperliquidSideAdjusted',
    'bitget',
    'extended',
    'aevo',
    'bluefin',
    'htxWithMarginRatioEquityOverNotional',
  ];

  it.each(SCORES)(
    `derived-cross-formula: %s is the %s column, value by value and in order (${formula.source})`,
    (name, column) => {
      const { input, expected } = formula;
      const market = buildMarket({ ...TERMS, brackets: [['0', n(input.mmr), n(input.mmr)]] });
      const marks = buildMarks({ M: n(input.markPrice) });
      const candidates = input.positions.map((each): RankCandidate => {
        const size = dec(n(each.size)).neg();
        // The queue is the shorts' for a long that is liquidated: entries above the mark are in profit.
        const cost = value(market, size, dec(n(each.entryPrice)));
        const v = valuate(
          buildAccount(each.account, n(each.walletBalance), { M: [size.toFixed(), cost.toFixed()] }),
          byId(market),
          marks,
        );
        if (v === null) throw new Error('a price is missing');
        const theirs = expected.perPosition[each.account] ?? {};
        const { unrealizedPnl, notional } = positionIn(v, 'M');
        expect([text(unrealizedPnl), text(notional), text(v.equity), text(v.maintenance)]).toEqual(
          ['unrealizedPnl', 'notional', 'equity', 'maintenanceMargin'].map((key) => n(theirs[key] ?? 0)),
        );
        const own = score(name, v, 'M');
        expect(isNear(own.value, theirs[column] ?? 0, '0.00000000005')).toBe(true);
        return { accountId: each.account, size: size.abs(), score: own };
      });
      const { entries } = rank('M', 'SHORT', candidates);
      expect(entries.map(({ accountId }) => accountId)).toEqual(expected.order[column]);
    },
  );

  it('derived-cross-formula: has no column that is neither asserted nor listed', () => {
    expect(Object.keys(formula.expected.order).sort()).toEqual(
      [...SCORES.map(([, column]) => column), ...OTHER_SCORES].sort(),
    );
  });
});

it('tests every vector of the venues, or lists it as absent', () => {
  expect(vectors.map(({ id }) => id).filter((id) => !tested.has(id) && !ABSENT.has(id))).toEqual([]);
  expect([...tested].filter((id) => ABSENT.has(id))).toEqual([]);
});
