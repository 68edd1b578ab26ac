import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { dec } from '../../src/risk/decimal.js';
import { freshVenue, startApi, tellOfAlice, type TestApi } from './api.js';

/* eslint-disable @typescript-eslint/no-explicit-any, @typescript-eslint/no-unsafe-assignment, @typescript-eslint/no-unsafe-member-access, @typescript-eslint/no-unsafe-call, @typescript-eslint/no-unsafe-argument, @typescript-eslint/no-unsafe-return -- answers are JSON, read by the names just asked for */

describe('what a trading panel asks', () => {
  let api: TestApi;
  beforeAll(async () => {
    api = await startApi();
    const venue = await freshVenue(api.sql);
    await tellOfAlice(venue);
    await venue.price('BTCUSDT', '98.5');
    await venue.account('erin', { deposit: '7' });
    await venue.account('frank', { deposit: '5' });
    await venue.trade('ETHUSDT', 'erin', 'frank', '1', '10');
  });
  afterAll(() => api.stop());

  it('is an account with its margin', async () => {
    const { account } = await api.read(`{ account(externalId: "alice") {
      id externalId kind mode trader { id externalId verificationLevel } marginAsset { id symbol }
      balances { asset { symbol } amount }
      margin { status held equity initial maintenance marginRatio accountLeverage withdrawable freshness { code } }
    } }`);
    expect(account).toEqual({
      id: 'Account:alice',
      externalId: 'alice',
      kind: 'TRADER',
      mode: 'CROSS',
      trader: { id: 'Trader:alice', externalId: 'alice', verificationLevel: 0 },
      marginAsset: { id: 'Asset:USDT', symbol: 'USDT' },
      balances: [{ asset: { symbol: 'USDT' }, amount: '20' }],
      margin: {
        status: 'LIQUIDATABLE',
        held: false,
        equity: '5',
        initial: '19.7',
        maintenance: '9.85',
        marginRatio: '1.97',
        accountLeverage: '197',
        withdrawable: '0',
        freshness: { code: 'FRESH' },
      },
    });
  });

  it('is a position with its prices and its place in the queue', async () => {
    const { account } =
      await api.read(`{ account(externalId: "dora") { positions { id account { externalId } market { symbol }
      side size cost entryPrice markPrice notional unrealizedPnl effectiveLeverage initialMargin maintenanceMargin
      liquidationPrice bankruptcyPrice
      adl { state level rank queueLength sizeAhead percentile score { name value profitRatio leverage } freshness { code } }
    } } }`);
    expect(account.positions).toEqual([
      {
        id: 'Position:dora/BTCUSDT',
        account: { externalId: 'dora' },
        market: { symbol: 'BTCUSDT' },
        side: 'SHORT',
        size: '3',
        cost: '-300',
        entryPrice: '100',
        markPrice: '98.5',
        notional: '295.5',
        unrealizedPnl: '4.5',
        effectiveLeverage: '8.565217391304347826',
        initialMargin: '5.91',
        maintenanceMargin: '2.955',
        // 330 = 3 · p · 1.01
        liquidationPrice: '108.910891089108910891',
        bankruptcyPrice: '110',
        adl: {
          state: 'RANKED',
          level: 5,
          rank: 1,
          queueLength: 3,
          sizeAhead: '0',
          percentile: '0.230769230769230769',
          score: {
            name: 'LEVERAGED_RETURN',
            value: '0.128478260869565217',
            profitRatio: '0.015',
            leverage: '8.565217391304347826',
          },
          freshness: { code: 'FRESH' },
        },
      },
    ]);
  });

  it('is null, and not zero, where a price was never received or there is no place', async () => {
    const { erin, lp } = await api.read(`
      fragment panel on Account { margin { status held equity maintenance freshness { code priceAt staleAfter } }
        positions { size entryPrice markPrice unrealizedPnl liquidationPrice adl { state level rank score { value } } } }
      { erin: account(externalId: "erin") { ...panel } lp: account(externalId: "lp-usdt") { ...panel } }`);
    expect(erin).toEqual({
      margin: {
        status: null,
        held: true,
        equity: null,
        maintenance: null,
        freshness: { code: 'MISSING', priceAt: null, staleAfter: null },
      },
      positions: [
        {
          size: '1',
          entryPrice: '10',
          markPrice: null,
          unrealizedPnl: null,
          liquidationPrice: null,
          adl: { state: 'UNKNOWN', level: null, rank: null, score: null },
        },
      ],
    });
    expect(lp.margin.status).toBeNull();
    expect(lp.positions[0].adl).toEqual({ state: 'EXEMPT', level: null, rank: null, score: null });
  });

  it('is told when its figures are stale', async () => {
    await api.sql`update market set stale_after_ms = 1 where id = 'BTCUSDT'`;
    const { account } = await api.read(`{ account(externalId: "dora") { margin { status held equity freshness { code } }
      positions { adl { state freshness { code } } } } market(symbol: "BTCUSDT") { markPrice { price freshness { code } } } }`);
    expect(account.margin).toEqual({ status: 'HEALTHY', held: true, equity: '34.5', freshness: { code: 'STALE' } });
    expect(account.positions[0].adl).toEqual({ state: 'UNKNOWN', freshness: { code: 'STALE' } });
    await api.sql`update market set stale_after_ms = 86400000 where id = 'BTCUSDT'`;
  });

  it('is a market with its parameters, price and queue', async () => {
    const { market } = await api.read(`{ market(symbol: "BTCUSDT") {
      id symbol payoff expiresAt status settlementAsset { symbol } contractSize priceTick sizeStep
      markPrice { externalId price freshness { code } } indexPrice { price } suspectPrice { price }
      openInterest { size notional longPositions shortPositions } brackets { floor maintenanceRate initialRate }
      insuranceFund { id name balance available } liquidityProvider { externalId kind }
      policy { version score allocation priceBasis trigger changedBy reason }
      maxFeeRate maxDeviation priceBand staleAfterMs badDebtLimit
      adl(side: SHORT) { side queueLength queueSize levelSizes trigger { metric value trigger breached } freshness { code } } } }`);
    expect(market).toEqual({
      id: 'Market:BTCUSDT',
      symbol: 'BTCUSDT',
      payoff: 'LINEAR',
      expiresAt: null,
      status: 'ACTIVE',
      settlementAsset: { symbol: 'USDT' },
      contractSize: '1',
      priceTick: '0.01',
      sizeStep: '0.001',
      markPrice: { externalId: 'price-2', price: '98.5', freshness: { code: 'FRESH' } },
      indexPrice: null,
      suspectPrice: null,
      openInterest: { size: '13', notional: '1280.5', longPositions: 2, shortPositions: 3 },
      brackets: [
        { floor: '0', maintenanceRate: '0.01', initialRate: '0.02' },
        { floor: '1000000', maintenanceRate: '0.02', initialRate: '0.04' },
      ],
      insuranceFund: { id: 'InsuranceFund:fund-usdt', name: 'Insurance fund USDT', balance: '0', available: '0' },
      liquidityProvider: { externalId: 'lp-usdt', kind: 'LIQUIDITY_PROVIDER' },
      policy: {
        version: 1,
        score: 'LEVERAGED_RETURN',
        allocation: 'QUEUE',
        priceBasis: 'BANKRUPTCY',
        trigger: 'FUND_EXHAUSTED',
        changedBy: 'test',
        reason: 'story',
      },
      maxFeeRate: '0.0025',
      maxDeviation: '0.1',
      priceBand: '0.1',
      staleAfterMs: 86400000,
      badDebtLimit: '0',
      adl: {
        side: 'SHORT',
        queueLength: 3,
        queueSize: '13',
        // dora 3 at 5, carol 4 at 4, bob 6 at 3
        levelSizes: ['3', '4', '6', '0', '0'],
        trigger: { metric: 'FUND_EXHAUSTED', value: '0', trigger: '0', breached: true },
        freshness: { code: 'FRESH' },
      },
    });
  });

  it('pages through a queue, to its end and on from there', async () => {
    const page = `query($after: String) { market(symbol: "BTCUSDT") { adlQueue(side: SHORT, first: 1, after: $after) {
      rankingId pageInfo { hasNextPage endCursor } edges { node { rank account { externalId } size sizeAhead level position { id } } } } } }`;
    const first = (await api.read(page)).market.adlQueue;
    expect(first.edges[0].node).toEqual({
      rank: 1,
      account: { externalId: 'dora' },
      size: '3',
      sizeAhead: '0',
      level: 5,
      position: { id: 'Position:dora/BTCUSDT' },
    });
    expect(first.pageInfo.hasNextPage).toBe(true);
    const second = (await api.read(page, { after: first.pageInfo.endCursor })).market.adlQueue;
    expect(second.edges[0].node.account.externalId).toBe('carol');
    const third = (await api.read(page, { after: second.pageInfo.endCursor })).market.adlQueue;
    expect(third.edges[0].node.account.externalId).toBe('bob');
    expect(third.pageInfo.hasNextPage).toBe(false);
    const fourth = (await api.read(page, { after: third.pageInfo.endCursor })).market.adlQueue;
    expect(fourth.edges).toEqual([]);
    expect(fourth.pageInfo.endCursor).toBe(third.pageInfo.endCursor);
  });

  it('lists accounts and positions in one order, by what is asked', async () => {
    const names = async (args: string): Promise<string[]> => {
      const { accounts } = await api.read(`{ accounts(${args}) { edges { node { externalId } } } }`);
      return accounts.edges.map((edge: { node: { externalId: string } }) => edge.node.externalId);
    };
    expect(await names('first: 200')).toEqual([
      'alice',
      'bob',
      'carol',
      'dora',
      'erin',
      'frank',
      'fund-btc',
      'fund-usdt',
      'lp-btc',
      'lp-usdt',
    ]);
    expect(await names('statuses: [LIQUIDATABLE, BANKRUPT]')).toEqual(['alice']);
    const { positions } =
      await api.read(`{ positions(filter: { marketSymbols: ["BTCUSDT"], side: SHORT, minLevel: 4 }, first: 1) {
      pageInfo { hasNextPage endCursor } edges { node { id } } } }`);
    expect(positions.edges).toEqual([{ node: { id: 'Position:carol/BTCUSDT' } }]);
    const next = await api.read(
      `query($after: String) { positions(filter: { marketSymbols: ["BTCUSDT"], side: SHORT, minLevel: 4 }, after: $after) { edges { node { id } } pageInfo { hasNextPage } } }`,
      { after: positions.pageInfo.endCursor },
    );
    expect(next.positions).toEqual({
      edges: [{ node: { id: 'Position:dora/BTCUSDT' } }],
      pageInfo: { hasNextPage: false },
    });
  });

  it('lists positions by their distance to liquidation, page after page', async () => {
    const page = (args: string, after: string | null = null) =>
      api.ask(
        `query($after: String) { positions(${args}, order: LIQUIDATION_DISTANCE, after: $after) { pageInfo { hasNextPage endCursor }
          edges { node { account { externalId } market { symbol } markPrice liquidationPrice liquidationDistance } } } }`,
        { after },
      );
    const listed = async (args: string): Promise<any[]> => {
      const nodes: any[] = [];
      let after: string | null = null;
      for (;;) {
        const answer: any = await page(args, after);
        const { positions } = answer.data;
        nodes.push(...positions.edges.map((edge: any) => edge.node));
        if (!positions.pageInfo.hasNextPage) return nodes;
        after = positions.pageInfo.endCursor;
      }
    };
    await api.book.refresh();
    const all = await listed('first: 200');
    // ETHUSDT has no price: erin and frank have no liquidation price, and stand last.
    expect(all.map((node) => node.account.externalId).slice(-2)).toEqual(['erin', 'frank']);
    expect(all.at(-1)).toMatchObject({ markPrice: null, liquidationPrice: null, liquidationDistance: null });
    const ofAlice = all.find((node) => node.account.externalId === 'alice');
    // 20 − 1000 + 10 p = 0.01 · 10 p at p = 980 ÷ 9.9; the mark is 98.5.
    expect(ofAlice).toMatchObject({
      liquidationPrice: '98.989898989898989898',
      liquidationDistance: '0.004973593806081115',
    });
    const distances = all.flatMap((node) => (node.liquidationDistance === null ? [] : [dec(node.liquidationDistance)]));
    expect(distances.length).toBeGreaterThan(3);
    for (const [k, distance] of distances.slice(1).entries()) expect(distance.gte(distances[k] ?? distance)).toBe(true);
    for (const first of [1, 2, 3]) expect(await listed(`first: ${first}`)).toEqual(all);
    expect(await listed('first: 1, filter: { marketSymbols: ["BTCUSDT"], side: SHORT }')).toEqual(
      all.filter((node) => ['bob', 'carol', 'dora'].includes(node.account.externalId)),
    );
    expect(await listed('first: 1, filter: { marketSymbols: ["none"] }')).toEqual([]);
    const wrongCursors = [
      (await api.read('{ positions(first: 1) { pageInfo { endCursor } } }')).positions.pageInfo.endCursor,
      Buffer.from('["positionsByLiquidationDistance","x","a","b"]').toString('base64url'),
    ];
    for (const cursor of wrongCursors) {
      expect((await page('first: 1', cursor)).errors[0].message).toBe('after must be a cursor of this list');
    }
  });

  it('finds any node by its id, and null for none', async () => {
    const ids = [
      'Account:bob',
      'Asset:USDT',
      'Market:BTCUSDT',
      'Position:bob/BTCUSDT',
      'InsuranceFund:fund-usdt',
      'Job:waterfall',
      'Trader:bob',
    ];
    for (const id of ids)
      expect(await api.read(`{ node(id: "${id}") { __typename id } }`)).toEqual({
        node: { __typename: id.split(':')[0], id },
      });
    const none = [
      'Account:nobody',
      'Position:bob/ETHUSDT',
      'LedgerEntry:x',
      'DeleverageEvent:1',
      'Sphinx:1',
      'bob',
      '',
      'JobRun:waterfall/1',
    ];
    for (const id of none) expect(await api.read(`{ node(id: "${id}") { id } }`)).toEqual({ node: null });
  });

  it('says how the system is doing', async () => {
    const { systemStatus } =
      await api.read(`{ systemStatus { now book { code priceAt computedAt } accounts { status count } heldAccounts
      lastLap { number } engine { name intervalMs round paused } selfCheck { checked differences lastAt } } }`);
    expect(systemStatus).toEqual({
      now: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/),
      book: { code: 'FRESH', priceAt: null, computedAt: api.book.current().at },
      accounts: [
        { status: 'HEALTHY', count: 3 },
        { status: 'WARNING', count: 0 },
        { status: 'MARGIN_CALL', count: 0 },
        { status: 'LIQUIDATABLE', count: 1 },
        { status: 'BANKRUPT', count: 0 },
      ],
      heldAccounts: 2,
      lastLap: null,
      engine: { name: 'waterfall', intervalMs: 1000, round: '0', paused: false },
      selfCheck: { checked: 0, differences: 0, lastAt: null },
    });
    await api.selfCheck.check();
    const checked = await api.read('{ systemStatus { selfCheck { checked differences lastAt } } }');
    const status = { checked: api.selfCheck.status().checked, differences: 0, lastAt: api.selfCheck.status().lastAt };
    expect(checked).toEqual({ systemStatus: { selfCheck: status } });
    expect(status.checked).toBeGreaterThan(4);
  });
});
