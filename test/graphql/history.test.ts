import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { assertInvariants } from '../support/checks.js';
import { freshVenue, startApi, tellOfAlice, type TestApi } from './api.js';

/* eslint-disable @typescript-eslint/no-explicit-any -- answers are read by the names just asked for */

describe('what the waterfall leaves to be asked about', () => {
  let api: TestApi;
  let preview: any;
  beforeAll(async () => {
    api = await startApi();
    const venue = await freshVenue(api.sql);
    await tellOfAlice(venue);
    await venue.deposit('fund-usdt', '2');
    await runLap();
    await venue.price('BTCUSDT', '97');
    await venue.depth('BTCUSDT', { bids: '1@98.5', asks: '1@99' });
    preview = await api.read(PREVIEW);
    await runLap();
    await assertInvariants(api.sql);
  });
  afterAll(() => api.stop());

  async function runLap(): Promise<void> {
    const { data } = await api.ask(
      'mutation { jobRun(input: { name: "waterfall" }) { outcome userErrors { message } } }',
    );
    expect(data.jobRun).toEqual({ outcome: 'RAN', userErrors: [] });
  }

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

  it('explains a leg, every number from its stored rows', async () => {
    const ask = async (): Promise<string[]> => {
      const { account } = await api.read(
        '{ account(externalId: "dora") { deleverageLegs { edges { node { explanation } } } } }',
      );
      return account.deleverageLegs.edges[0].node.explanation
        .replaceAll(/\d{4}-\d\d-\d\d \S+ UTC/g, 'THEN')
        .split('\n');
    };
    const told = await ask();
    expect(told).toEqual([
      'ADL event 1 in BTCUSDT, THEN: the position of alice (9 contracts long) had to be closed, because the account was bankrupt: equity -8.74625 USDT, against a maintenance of 8.73.',
      'Trigger FUND_EXHAUSTED: at the mark 97 the position was worth 873 USDT, 8.74625 short of its bankruptcy value 881.74625; the insurance fund fund-usdt held 2.24625, might pay 2.24625, and paid 2.24625.',
      'Tried before: a full liquidation (BANKRUPT) of 10 contracts saw a best bid of 98.5, 1 contracts of depth; it closed 1 in 1 fill for 98.5 USDT, of which the fund earned 0.24625; it ended where the recorded depth ended.',
      "Price, basis BANKRUPTCY: (bankruptcy value 881.74625 − fund's 2.24625) ÷ (9 contracts × 1) = 97.722222222222222222, 879.5 USDT for the whole position.",
      'Rank: dora was 1 of 3 shorts, with 0 contracts ahead; score LEVERAGED_RETURN 0.223846153846153846 = profit ratio 0.03 × leverage 7.461538461538461538.',
      'Shown before: level 2 of 5, published THEN.',
      'Closed: 3 of its 3 contracts short, at the price 97.722222222222222222, worth -293.166666666666666667 USDT against -291 at the mark: 2.166666666666666667 USDT conceded; realized PnL 6.833333333333333333, 0 contracts left; equity from 39 to 36.833333333333333333.',
    ]);
    await tamper(`update deleverage_event set fund_balance_before = 777 where id = 1`);
    expect((await ask())[1]).toContain('the insurance fund fund-usdt held 777,');
    await tamper(`update deleverage_leg set profit_ratio = 0.55 where id = 1`);
    expect((await ask())[4]).toContain('= profit ratio 0.55 ×');
    await tamper(`update liquidation set stopped_by = 'FUND', fund_delta = -0.5 where id = 1`);
    expect((await ask())[2]).toContain('of which the fund paid 0.5; it ended where the next lot was worse');
    await tamper(`update deleverage_event set fund_balance_before = 2.24625 where id = 1;
      update deleverage_leg set profit_ratio = 0.03 where id = 1;
      update liquidation set stopped_by = 'DEPTH', fund_delta = 0.24625 where id = 1`);
    expect(await ask()).toEqual(told);
  });

  /** As a superuser who switches the guards off. */
  async function tamper(statements: string): Promise<void> {
    await api.sql.begin(async (tx) => {
      await tx`set local session_replication_role = replica`;
      await tx.unsafe(statements);
    });
  }

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

  it('explains the event and the accounts in it', async () => {
    const { deleverageEvent, alice, bob } = await api.read(`{ deleverageEvent(id: "DeleverageEvent:1") { explanation }
      alice: account(externalId: "alice") { explanation } bob: account(externalId: "bob") { explanation } }`);
    expect(deleverageEvent.explanation.split('\n').slice(4)).toEqual([
      'Outcome, policy version 1 (LEVERAGED_RETURN, QUEUE): 9 contracts at the price and 0 at the mark, in 3 legs that conceded 6.5 USDT in all; the bankrupt realized -20.5.',
      '1. dora (rank 1): 3 of 3 contracts at the price 97.722222222222222222, concession 2.166666666666666667 USDT',
      '2. carol (rank 2): 4 of 4 contracts at the price 97.722222222222222222, concession 2.888888888888888889 USDT',
      '3. bob (rank 3): 2 of 6 contracts at the price 97.722222222222222222, concession 1.444444444444444444 USDT',
    ]);
    const linesOf = (text: string): string[] => text.replaceAll(/\d{4}-\d\d-\d\d \S+ UTC/g, 'THEN').split('\n');
    expect(linesOf(alice.explanation)).toEqual([
      'Account alice of alice, TRADER CROSS: balance 0 USDT and no open position.',
      'Status, THEN: from BANKRUPT to HEALTHY; equity 0 USDT, maintenance 0.',
      'Status, THEN: from HEALTHY to BANKRUPT; equity -10 USDT, maintenance 9.7.',
      'Liquidation (BANKRUPT, FULL), THEN: in BTCUSDT 1 of 10 contracts long, target 10, for 98.5 USDT at a mark of 97; the fund earned 0.24625; stopped by DEPTH; equity from -10 to -8.74625.',
      'Deleveraged against others: it was the bankrupt of ADL event 1 in BTCUSDT, THEN.',
    ]);
    expect(linesOf(bob.explanation)).toEqual([
      'Account bob of bob, TRADER CROSS: balance 104.555555555555555556 USDT.',
      'Position: 4 contracts short in BTCUSDT, cost -400 USDT.',
      'Counterparty in ADL event 1 in BTCUSDT, THEN, leg 3. bob (rank 3): 2 of 6 contracts at the price 97.722222222222222222, concession 1.444444444444444444 USDT.',
    ]);
  });
});
