import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { assertInvariants } from '../support/checks.js';
import { aliceGoesBankrupt, startApi, type TestApi } from './api.js';

/* eslint-disable @typescript-eslint/no-explicit-any, @typescript-eslint/no-unsafe-assignment, @typescript-eslint/no-unsafe-member-access, @typescript-eslint/no-unsafe-call, @typescript-eslint/no-unsafe-return -- answers are JSON, read by the names just asked for */

describe('what the waterfall leaves to be asked about', () => {
  let api: TestApi;
  let preview: any;
  beforeAll(async () => {
    api = await startApi();
    await aliceGoesBankrupt(api, async () => {
      preview = await api.read(PREVIEW);
    });
    await assertInvariants(api.sql);
  });
  afterAll(() => api.stop());

  const PREVIEW = `{ deleveragePreview(input: { marketSymbol: "BTCUSDT", side: SHORT, size: "9", price: "98" }) {
    size price markPrice unfilled freshness { code }
    legs { account { externalId } rank size concession realizedPnl equityBefore equityAfter sizeAfter } skips { reason } } }`;

  it('was foreseen by the preview', () => {
    expect(preview.deleveragePreview).toEqual({
      size: '9',
      price: '98',
      markPrice: '97',
      unfilled: '0',
      freshness: { code: 'FRESH' },
      legs: [
        {
          account: { externalId: 'dora' },
          rank: 1,
          size: '3',
          concession: '3',
          realizedPnl: '6',
          equityBefore: '39',
          equityAfter: '36',
          sizeAfter: '0',
        },
        {
          account: { externalId: 'carol' },
          rank: 2,
          size: '4',
          concession: '4',
          realizedPnl: '8',
          equityBefore: '72',
          equityAfter: '68',
          sizeAfter: '0',
        },
        {
          account: { externalId: 'bob' },
          rank: 3,
          size: '2',
          concession: '2',
          realizedPnl: '4',
          equityBefore: '118',
          equityAfter: '116',
          sizeAfter: '-4',
        },
      ],
      skips: [],
    });
  });

  it('is an ADL event with its circumstances', async () => {
    const { deleverageEvents } = await api.read(`{ deleverageEvents { edges { node {
      id market { symbol } account { externalId } side trigger { metric value trigger breached } policy { version allocation } priceBasis
      price priceValue clamped markPrice markValue bankruptcyValue bankruptcyPrice deficit fundBalanceBefore fundAllowanceBefore
      fundAvailableBefore fundPaid bestPrice depthSize liquidation { closed } size sizeDeleveraged sizeClosedAtMark equityBefore realizedPnl
      legCount concession skips { reason } } } } }`);
    expect(deleverageEvents.edges.map((edge: any) => edge.node)).toEqual([
      {
        id: 'DeleverageEvent:1',
        market: { symbol: 'BTCUSDT' },
        account: { externalId: 'alice' },
        side: 'SHORT',
        trigger: { metric: 'FUND_EXHAUSTED', value: '2.24625', trigger: '8.74625', breached: true },
        policy: { version: 1, allocation: 'QUEUE' },
        priceBasis: 'BANKRUPTCY',
        price: '97.722222222222222222',
        priceValue: '879.5',
        clamped: false,
        markPrice: '97',
        markValue: '873',
        bankruptcyValue: '881.74625',
        bankruptcyPrice: '97.971805555555555555',
        deficit: '8.74625',
        fundBalanceBefore: '2.24625',
        fundAllowanceBefore: null,
        fundAvailableBefore: '2.24625',
        fundPaid: '2.24625',
        bestPrice: '98.5',
        depthSize: '1',
        liquidation: { closed: '1' },
        size: '9',
        sizeDeleveraged: '9',
        sizeClosedAtMark: '0',
        equityBefore: '-8.74625',
        realizedPnl: '-20.5',
        legCount: 3,
        concession: '6.5',
        skips: [],
      },
    ]);
  });

  it('is its legs, page by page', async () => {
    const query = `query($after: String) { deleverageEvent(id: "DeleverageEvent:1") { legs(first: 2, after: $after) {
      pageInfo { hasNextPage endCursor } edges { node { id event { id } account { externalId } ordinal stage rank queueLength sizeAhead
      score { name value profitRatio leverage } levelShownBefore sizeBefore sizeClosed sizeAfter price value markValue concession realizedPnl
      equityBefore equityAfter effectiveLeverageBefore effectiveLeverageAfter entryPriceBefore entryPriceAfter } } } } }`;
    const first = (await api.read(query)).deleverageEvent.legs;
    expect(first.pageInfo.hasNextPage).toBe(true);
    expect(first.edges[0].node).toEqual({
      id: 'DeleverageLeg:1',
      event: { id: 'DeleverageEvent:1' },
      account: { externalId: 'dora' },
      ordinal: 1,
      stage: 'DELEVERAGE',
      rank: 1,
      queueLength: 3,
      sizeAhead: '0',
      score: {
        name: 'LEVERAGED_RETURN',
        value: '0.223846153846153846',
        profitRatio: '0.03',
        leverage: '7.461538461538461538',
      },
      levelShownBefore: 2,
      sizeBefore: '-3',
      sizeClosed: '3',
      sizeAfter: '0',
      price: '97.722222222222222222',
      value: '-293.166666666666666667',
      markValue: '-291',
      concession: '2.166666666666666667',
      realizedPnl: '6.833333333333333333',
      equityBefore: '39',
      equityAfter: '36.833333333333333333',
      effectiveLeverageBefore: '7.461538461538461538',
      effectiveLeverageAfter: null,
      entryPriceBefore: '100',
      entryPriceAfter: null,
    });
    const second = (await api.read(query, { after: first.pageInfo.endCursor })).deleverageEvent.legs;
    expect(second.pageInfo.hasNextPage).toBe(false);
    expect(
      [...first.edges, ...second.edges].map(({ node }: any) => [
        node.account.externalId,
        node.sizeClosed,
        node.concession,
      ]),
    ).toEqual([
      ['dora', '3', '2.166666666666666667'],
      ['carol', '4', '2.888888888888888889'],
      ['bob', '2', '1.444444444444444444'],
    ]);
  });

  it('lets an exchange poll forced trades without missing any', async () => {
    const query = `query($after: String) { forcedTrades(first: 3, after: $after) { pageInfo { hasNextPage endCursor }
      edges { node { kind account { externalId } counterparty { externalId } side size value price liquidation { id } leg { id } } } } }`;
    const first = (await api.read(query)).forcedTrades;
    expect(first.edges.map(({ node }: any) => node)).toEqual([
      {
        kind: 'LIQUIDATION',
        account: { externalId: 'alice' },
        counterparty: { externalId: 'lp-usdt' },
        side: 'LONG',
        size: '1',
        value: '98.5',
        price: '98.5',
        liquidation: { id: 'Liquidation:1' },
        leg: null,
      },
      {
        kind: 'DELEVERAGE',
        account: { externalId: 'alice' },
        counterparty: { externalId: 'dora' },
        side: 'LONG',
        size: '3',
        value: '293.166666666666666667',
        price: '97.722222222222222222',
        liquidation: null,
        leg: { id: 'DeleverageLeg:1' },
      },
      {
        kind: 'DELEVERAGE',
        account: { externalId: 'alice' },
        counterparty: { externalId: 'carol' },
        side: 'LONG',
        size: '4',
        value: '390.888888888888888889',
        price: '97.722222222222222222',
        liquidation: null,
        leg: { id: 'DeleverageLeg:2' },
      },
    ]);
    const second = (await api.read(query, { after: first.pageInfo.endCursor })).forcedTrades;
    expect(second.edges.map(({ node }: any) => node.counterparty.externalId)).toEqual(['bob']);
    expect(second.pageInfo.hasNextPage).toBe(false);
    const third = (await api.read(query, { after: second.pageInfo.endCursor })).forcedTrades;
    expect(third).toEqual({ edges: [], pageInfo: { hasNextPage: false, endCursor: second.pageInfo.endCursor } });
    const other = await api.read(
      '{ forcedTrades(marketSymbol: "ETHUSDT") { edges { cursor } pageInfo { endCursor } } }',
    );
    expect(other.forcedTrades).toEqual({ edges: [], pageInfo: { endCursor: null } });
  });

  it('is a liquidation with its fills', async () => {
    const { liquidations } =
      await api.read(`{ liquidations { edges { node { account { externalId } market { symbol } reason kind stoppedBy markPrice
      sizeBefore target closed closeValue bankruptcyValue realizedPnl fundDelta bestPrice depthSize equityBefore equityAfter
      fills { ordinal depthLevel price size value } } } } }`);
    expect(liquidations.edges.map(({ node }: any) => node)).toEqual([
      {
        account: { externalId: 'alice' },
        market: { symbol: 'BTCUSDT' },
        reason: 'BANKRUPT',
        kind: 'FULL',
        stoppedBy: 'DEPTH',
        markPrice: '97',
        sizeBefore: '10',
        target: '10',
        closed: '1',
        closeValue: '98.5',
        bankruptcyValue: '980',
        realizedPnl: '-1.5',
        fundDelta: '0.24625',
        bestPrice: '98.5',
        depthSize: '1',
        equityBefore: '-10',
        equityAfter: '-8.74625',
        fills: [{ ordinal: 1, depthLevel: 1, price: '98.5', size: '1', value: '98.5' }],
      },
    ]);
  });

  it("is the fund's ledger, newest first, each balance the one before and the amount", async () => {
    const { insuranceFunds } =
      await api.read(`{ insuranceFunds { externalId balance ledger(first: 2) { pageInfo { hasNextPage endCursor }
      edges { node { sequence amount balanceAfter kind market { symbol } } } } } }`);
    const fund = insuranceFunds.find(({ externalId }: any) => externalId === 'fund-usdt');
    expect(fund.balance).toBe('0');
    expect(fund.ledger.edges.map(({ node }: any) => node)).toEqual([
      { sequence: '3', amount: '-2.24625', balanceAfter: '0', kind: 'FUND_PAYMENT', market: { symbol: 'BTCUSDT' } },
      {
        sequence: '2',
        amount: '0.24625',
        balanceAfter: '2.24625',
        kind: 'LIQUIDATION_FEE',
        market: { symbol: 'BTCUSDT' },
      },
    ]);
    const rest = await api.read(
      `query($after: String) { account(externalId: "fund-usdt") { ledger(after: $after) { edges { node { sequence amount balanceAfter kind market { symbol } } } } } }`,
      { after: fund.ledger.pageInfo.endCursor },
    );
    expect(rest.account.ledger.edges.map(({ node }: any) => node)).toEqual([
      { sequence: '1', amount: '2', balanceAfter: '2', kind: 'TRANSFER', market: null },
    ]);
  });

  it('is the record of each round, newest first', async () => {
    const { jobs, jobRuns, systemStatus } =
      await api.read(`{ jobs { name round } systemStatus { lastLap { number more } }
      jobRuns(first: 1) { pageInfo { hasNextPage endCursor } edges { node { id job { name } round status worker attempts failure counts { name count } } } } }`);
    expect(jobs).toEqual([{ name: 'waterfall', round: '2' }]);
    expect(systemStatus).toEqual({ lastLap: { number: '2', more: false } });
    expect(jobRuns.edges[0].node).toMatchObject({
      id: 'JobRun:waterfall/2',
      job: { name: 'waterfall' },
      round: '2',
      status: 'SUCCEEDED',
      worker: 'test',
      attempts: 1,
      failure: null,
    });
    expect(jobRuns.edges[0].node.counts).toEqual(
      expect.arrayContaining([
        { name: 'events', count: 1 },
        { name: 'legs', count: 3 },
        { name: 'liquidations', count: 1 },
      ]),
    );
    const next = await api.read(
      `query($after: String) { jobRuns(after: $after) { edges { node { id } } } job: node(id: "Job:waterfall") {
      ... on Job { runs(first: 1) { edges { node { id durationMs } } } } } run: node(id: "JobRun:waterfall/1") { id } }`,
      { after: jobRuns.pageInfo.endCursor },
    );
    expect(next.jobRuns.edges).toEqual([{ node: { id: 'JobRun:waterfall/1' } }]);
    expect(next.job.runs.edges).toEqual([{ node: { id: 'JobRun:waterfall/2', durationMs: expect.any(Number) } }]);
    expect(next.run).toEqual({ id: 'JobRun:waterfall/1' });
  });
});
