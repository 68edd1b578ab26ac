import type { LastStatus, MarkFact, MarketState } from '../../src/db/risk-state.js';
import { makeSchedule } from '../../src/risk/brackets.js';
import { dec, ZERO, type Decimal } from '../../src/risk/decimal.js';
import type { Account, VenueParams } from '../../src/risk/margin.js';
import type { WholeState } from './plain-book.js';
import { BOOK_INSTANT, type UnequalAccount, type UnequalBook, type UnequalMarket } from './unequal-book.js';

/** The random book without a database. */
export function wholeState({ venue, markets, accounts }: UnequalBook): WholeState {
  const states = new Map(markets.map((market) => [market.id, marketState(market)]));
  const marks = new Map<string, MarkFact>();
  for (const { id, price, isStale, status } of markets) {
    if (price === null) continue;
    marks.set(id, { priceMarkId: '1', price: dec(price), at: BOOK_INSTANT, live: !isStale && status === 'ACTIVE' });
  }
  return {
    at: BOOK_INSTANT,
    venue: venueOf(venue),
    markets: states,
    marks,
    funds: new Map(),
    accounts: new Map(accounts.map((account) => [account.id, accountOf(account, states)])),
    lastStatuses: new Map(accounts.flatMap(({ id }, k): [string, LastStatus][] => recorded(id, k))),
  };
}

/** Some accounts have a recorded status, which they keep while they are held. */
function recorded(id: string, k: number): [string, LastStatus][] {
  if (k % 3 === 0) return [];
  return [[id, { transitionId: String(k), status: k % 3 === 1 ? 'WARNING' : null, held: k % 2 === 0 }]];
}

function accountOf(account: UnequalAccount, markets: ReadonlyMap<string, MarketState>): Account {
  const size = (marketId: string, steps: string): Decimal => dec(steps).times(markets.get(marketId)?.sizeStep ?? ZERO);
  return {
    id: account.id,
    kind: account.kind,
    mode: 'CROSS',
    marginAssetId: account.assetId,
    exempt: account.isExempt === true && account.kind === 'TRADER',
    balance: dec(account.balance),
    positions: new Map(
      account.positions.map(([marketId, steps, cost]) => [marketId, { size: size(marketId, steps), cost: dec(cost) }]),
    ),
  };
}

function marketState(market: UnequalMarket): MarketState {
  return {
    id: market.id,
    payoff: market.payoff,
    status: market.status,
    settlementAssetId: market.assetId,
    contractSize: dec(market.contractSize),
    priceTick: dec(market.priceTick),
    sizeStep: dec(market.sizeStep),
    schedule: makeSchedule(
      market.brackets.map(([floor, maintenance, initial]) => ({
        floor: dec(floor),
        maintenanceRate: dec(maintenance),
        initialRate: dec(initial),
      })),
    ),
    params: { maxFeeRate: ZERO, maxDeviation: dec('0.1'), priceBand: dec('0.2'), staleAfterMs: 30_000 },
    policy: {
      version: '1',
      score: market.score,
      allocation: 'QUEUE',
      priceBasis: 'BANKRUPTCY',
      trigger: 'FUND_EXHAUSTED',
    },
    fundId: 'fund',
    liquidityProviderId: 'lp',
    badDebtLimit: ZERO,
  };
}

function venueOf(venue: UnequalBook['venue']): VenueParams {
  return {
    warningRatio: dec(venue.warning),
    callRatio: dec(venue.call),
    liquidationTarget: dec('0.1'),
    callDeadlineMs: 1,
    callExtensionCapMs: 1,
    onCallLapse: 'LIQUIDATE',
    staleShare: dec(venue.staleShare),
    accountsPerLap: 100,
  };
}
