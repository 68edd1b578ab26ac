import { describe, expect, it } from '@jest/globals';
import type { EventFacts } from '../../src/db/explanation-facts.js';
import type { DeleverageLegRow } from '../../src/db/read-deleverage.js';
import { explainEvent } from '../../src/explanation/explain-event.js';
import { explainLeg } from '../../src/explanation/explain-leg.js';

const AT = '2025-10-10T21:14:00.250000Z';

const leg: DeleverageLegRow = {
  id: '1',
  eventId: '7',
  ordinal: 1,
  stage: 'CLOSE_AT_MARK',
  accountId: 'lp',
  rank: null,
  queueLength: null,
  sizeAhead: null,
  scoreName: 'LEVERAGED_RETURN',
  scoreValue: null,
  profitRatio: null,
  leverage: null,
  levelShown: null,
  levelShownAt: null,
  sizeBefore: '5.000000000000000000',
  sizeClosed: '1.000000000000000000',
  sizeAfter: '4.000000000000000000',
  value: '0.002000000000000000',
  markValue: '0.002000000000000000',
  price: '50000.000000000000000000',
  realizedPnl: '0.000000000000000000',
  concession: '0.000000000000000000',
  equityBefore: null,
  equityAfter: null,
  leverageBefore: null,
  leverageAfter: null,
  entryPriceBefore: null,
  entryPriceAfter: null,
};

const facts: EventFacts = {
  event: {
    id: '7',
    marketId: 'BTCUSD',
    accountId: 'sam',
    side: 'LONG',
    liquidationId: null,
    rankingId: 'f'.repeat(64),
    policyVersion: 3,
    priceBasis: 'BANKRUPTCY',
    triggerMetric: 'FUND_EXHAUSTED',
    deficit: '0.001',
    fundBalanceBefore: '0.5',
    fundAllowanceBefore: '0.0004',
    fundMayPay: '0.0004',
    fundPaid: '0.0004',
    bestPrice: null,
    depthSize: null,
    markPrice: '50000',
    markValue: '0.01',
    bankruptcyValue: '0.011',
    bankruptcyPrice: '45454.545454545454545454',
    priceValue: '0.0106',
    price: '47169.811320754716981132',
    clamped: false,
    sizeBefore: '-5',
    equityBefore: '-0.001',
    maintenanceBefore: '0.0001',
    sizeDeleveraged: '0',
    sizeClosedAtMark: '5',
    realizedPnl: '-0.003',
    at: AT,
  },
  market: {
    id: 'BTCUSD',
    payoff: 'INVERSE',
    expiresAt: null,
    status: 'ACTIVE',
    settlementAssetId: 'BTC',
    contractSize: '100',
    priceTick: '0.5',
    sizeStep: '1',
    insuranceFundId: 'fund-btc',
    liquidityProviderId: 'lp',
    maxFeeRate: '0',
    maxDeviation: '0.1',
    priceBand: '0.1',
    staleAfterMs: 1,
    badDebtLimit: '0',
  },
  policy: {
    marketId: 'BTCUSD',
    version: 3,
    score: 'LEVERAGED_RETURN',
    allocation: 'PRO_RATA',
    priceBasis: 'BANKRUPTCY',
    trigger: 'FUND_EXHAUSTED',
    changedBy: 'a',
    reason: 'b',
    createdAt: AT,
  },
  liquidation: null,
  fills: [],
  totals: { eventId: '7', legCount: 3, concession: '0' },
  legs: [leg],
  skips: [
    {
      eventId: '7',
      accountId: 'tim',
      rank: 1,
      reason: 'NON_OVERLAPPING_BANKRUPTCY',
      size: '9',
      equity: '0.1',
      maintenance: '0.05',
      initial: '0.1',
    },
    {
      eventId: '7',
      accountId: 'zoe',
      rank: null,
      reason: 'HELD',
      size: '1',
      equity: null,
      maintenance: null,
      initial: null,
    },
  ],
};

const withEvent = (event: Partial<EventFacts['event']>): EventFacts => ({
  ...facts,
  event: { ...facts.event, ...event },
});
const priceLine = (event: Partial<EventFacts['event']>): string | undefined =>
  explainEvent(withEvent(event)).split('\n')[3];

describe('the sentences', () => {
  it('tell that the fund could have paid, where it was the depth that ended', () => {
    expect(explainEvent(withEvent({ fundMayPay: '1', fundPaid: '0.001' })).split('\n')[1]).toMatch(
      /^Not by FUND_EXHAUSTED, for the fund could pay, but for want of buyers: at the mark/,
    );
  });

  it('tell an event of an inverse market that ended at the mark', () => {
    expect(explainEvent(facts).split('\n')).toEqual([
      'ADL event 7 in BTCUSD, 2025-10-10 21:14:00.25 UTC: the position of sam (5 contracts short) had to be closed, because the account was bankrupt: equity -0.001 BTC, against a maintenance of 0.0001.',
      'Trigger FUND_EXHAUSTED: at the mark 50000 the position was worth 0.01 BTC, 0.001 short of its bankruptcy value 0.011; the insurance fund fund-btc held 0.5, might pay 0.0004, its window leaving 0.0004, and paid 0.0004.',
      'Tried before: no liquidation in this lap.',
      "Price, basis BANKRUPTCY: −(-5 contracts × 100) ÷ (bankruptcy value 0.011 − fund's 0.0004) = 47169.811320754716981132, 0.0106 BTC for the whole position.",
      'Outcome, policy version 3 (LEVERAGED_RETURN, PRO_RATA): 0 contracts at the price and 5 at the mark, in 3 legs that conceded 0 BTC in all; the bankrupt realized -0.003.',
      '1. lp (no rank): 1 of 5 contracts at the mark 50000, concession 0 BTC',
      '… and 2 legs more.',
      'Passed over: tim (rank 1, 9 contracts, equity 0.1, maintenance 0.05): NON_OVERLAPPING_BANKRUPTCY, the whole leg would have left its equity below zero.',
      'Passed over: zoe (no rank, 1 contract): HELD, it had no trustworthy price.',
    ]);
  });

  it('tell of another basis, a moved price and none', () => {
    expect(priceLine({ priceBasis: 'MARK', priceValue: '0.01' })).toBe(
      'Price, basis MARK: the mark 50000, 0.01 BTC for the whole position.',
    );
    expect(priceLine({ clamped: true, price: '45000' })).toContain(
      ', too far from the mark 50000 and therefore moved to 45000, 0.0106 BTC for the whole position.',
    );
    expect(priceLine({ price: null })).toContain(' = no positive price,');
  });

  it('tell a leg at the mark from one at the price', () => {
    expect(explainLeg(facts, leg, 'ALL').split('\n').slice(4)).toEqual([
      'Rank: lp was no candidate of the queue; it was taken as the last resort, at the mark, where nobody concedes.',
      'Shown before: no level had been published for this position.',
      'Closed: 1 of its 5 contracts long, at the mark, since nobody could lawfully take more at the price: 50000, worth 0.002 BTC against 0.002 at the mark: 0 BTC conceded; realized PnL 0, 4 contracts left; its equity was not known.',
    ]);
  });

  it('tell a score by its sign rule, and who had none', () => {
    const ranked = { ...leg, rank: 2, queueLength: 4, sizeAhead: '3', levelShown: 4, levelShownAt: AT };
    const rankLine = (more: Partial<DeleverageLegRow>): string | undefined =>
      explainLeg(facts, { ...ranked, ...more }, 'ALL').split('\n')[4];
    expect(rankLine({ scoreValue: '-0.05', profitRatio: '-0.1', leverage: '2' })).toBe(
      'Rank: lp was 2 of 4 longs, with 3 contracts ahead; score LEVERAGED_RETURN -0.05 = profit ratio -0.1 ÷ leverage 2.',
    );
    expect(rankLine({ scoreValue: null, profitRatio: '-0.1' })).toBe(
      'Rank: lp was 2 of 4 longs, with 3 contracts ahead; no score LEVERAGED_RETURN, since its equity was not positive (profit ratio -0.1).',
    );
    expect(explainLeg(facts, { ...ranked, concession: '-0.5' }, 'ALL')).toContain('0.5 BTC gained, nothing conceded');
  });
});
