import type { BookLine } from '../../src/ingest/book-line.js';
import { value, type Contract } from '../../src/risk/contract.js';
import { dec, type Decimal } from '../../src/risk/decimal.js';
import { fill, FLAT, type Holding } from '../../src/risk/position.js';

/** What a random book is made from. Every amount is text from the start: arithmetic in a generator hides rounding. */
export interface BookPlan {
  readonly markets: readonly MarketPlan[];
  readonly accounts: readonly AccountPlan[];
  /** Lots change hands between two accounts, so that the sizes of a market always sum to zero. */
  readonly trades: readonly TradePlan[];
  readonly funds: readonly FundPlan[];
  readonly venue: { readonly accountsPerLap: number; readonly onCallLapse: 'REDUCE_ONLY' | 'LIQUIDATE' };
  readonly laps: readonly LapPlan[];
}

export interface MarketPlan {
  readonly shape: number;
  readonly brackets: number;
  readonly score: 'LEVERAGED_RETURN' | 'ACCOUNT_RETURN';
  readonly allocation: 'QUEUE' | 'PRO_RATA';
  readonly priceBasis: 'BANKRUPTCY' | 'MARK';
  readonly maxDeviation: string;
  readonly maxFeeRate: string;
  readonly badDebtLimit: string;
}

export interface AccountPlan {
  readonly mode: 'CROSS' | 'ISOLATED';
  /** Picks the margin asset, by the asset of that market. */
  readonly home: number;
  /** In so many laps; then the exemption has expired. EVER: it has no end. */
  readonly exemptLaps: number;
  readonly balance: string;
}

export interface TradePlan {
  readonly market: number;
  readonly buyer: number;
  readonly seller: number;
  readonly lots: string;
  readonly price: PricePlan;
}

/** Hundredths of a hundredth of the market's usual price, and digits that go on behind them. */
export interface PricePlan {
  readonly level: number;
  readonly digits: string;
}

export interface FundPlan {
  readonly balance: string;
  readonly perEventCap: string | null;
  readonly windowAllowance: string | null;
}

export interface LapPlan {
  readonly prices: readonly PricePlan[];
  /** One bit a market: no price of this lap comes for it. */
  readonly silent: number;
  readonly depths: readonly DepthPlan[];
}

export interface DepthPlan {
  readonly bids: readonly (readonly [gap: number, lots: string])[];
  readonly asks: readonly (readonly [gap: number, lots: string])[];
}

interface Shape extends Omit<Contract, 'id'> {
  /** Decimals of its prices, and digits that stand before a price's own. */
  readonly places: number;
  readonly pattern: (level: string, digits: string) => string;
}

/** A lot is worth about 100 in each of them, so that one range of balances fits all. */
export const SHAPES: readonly Shape[] = [
  shape('LINEAR', 'U', '1', '1', 2, (level) => `${level.slice(0, -2)}.${level.slice(-2)}`),
  shape('LINEAR', 'U', '0.01', '0.1', 4, (level, digits) => `${level}0.${digits.slice(0, 4)}`),
  shape('LINEAR', 'U', '10', '10', 7, (level, digits) => `${below1(level)}${digits.slice(0, 3)}`),
  shape('INVERSE', 'B', '100', '1', 18, (level, digits) => `${below1(level)}${digits}`),
  shape('INVERSE', 'B', '7', '2', 18, (level, digits) => `0.${level.padStart(5, '0')}${digits.slice(1)}`),
];

function shape(
  payoff: Contract['payoff'],
  settlementAssetId: string,
  contractSize: string,
  sizeStep: string,
  places: number,
  pattern: Shape['pattern'],
): Shape {
  const priceTick = dec(`0.${'1'.padStart(places, '0')}`);
  const amounts = { contractSize: dec(contractSize), sizeStep: dec(sizeStep), priceTick };
  return { payoff, settlementAssetId, ...amounts, places, pattern };
}

/** 9876 as 0.9876, 10234 as 1.0234. */
function below1(level: string): string {
  const text = level.padStart(5, '0');
  return `${text.slice(0, 1)}.${text.slice(1)}`;
}

export const BRACKETS = [
  ['0:0.05:0.1'],
  ['0:0.01:0.02', '500:0.025:0.05', '1500:0.05:0.1'],
  ['0:0.004:0.008', '300.000000000000000001:0.1:0.2'],
];

/** Ids whose byte order is not the order of a dictionary, nor that in which they were made. */
const ACCOUNT_IDS = ['b', 'B', 'a1', 'A10', 'A2', 'z', 'Z-9', 'c:1', 'c.1', 'c_1', 'd', 'D', '0', '9', 'm', 'M'];

export function priceText(market: number, plan: BookPlan, price: PricePlan): string {
  return shapeOf(plan, market).pattern(String(price.level), price.digits);
}

export function shapeOf(plan: BookPlan, market: number): Shape {
  const found = SHAPES[(plan.markets[market]?.shape ?? 0) % SHAPES.length];
  if (found === undefined) throw new Error('no shape');
  return found;
}

export const marketIdOf = (market: number): string => `M${market}`;
export const fundIdOf = (plan: BookPlan, market: number): string => `fund-${shapeOf(plan, market).settlementAssetId}`;
export const providerIdOf = (plan: BookPlan, market: number): string => `lp-${shapeOf(plan, market).settlementAssetId}`;
export const accountIdOf = (account: number): string => ACCOUNT_IDS[account] ?? `x${account}`;
/** Laps of an exemption without an end. */
export const EVER = 99;
/** A book line does not tell of it. */
export const exemptionsOf = (plan: BookPlan): { accountId: string; laps: number }[] =>
  plan.accounts.flatMap(({ exemptLaps: laps }, index) => (laps > 0 ? [{ accountId: accountIdOf(index), laps }] : []));
const assetOf = (plan: BookPlan, account: AccountPlan): string =>
  shapeOf(plan, account.home % plan.markets.length).settlementAssetId;

export const CHANGE = { changedBy: 'test', reason: 'random book' };
/** Less than from one lap to the next: a market without a new price is stale. */
export const STALE_AFTER_MS = 500;
export const OPENING = '2025-10-10T21:00:00.000000Z';

/** The book as it opens: no price yet, no depth. */
export function openingLines(plan: BookPlan): BookLine[] {
  const lines: BookLine[] = [{ type: 'trader', id: 'venue' }];
  for (const [index, asset] of ['U', 'B'].entries()) {
    const fund = plan.funds[index];
    if (fund === undefined) throw new Error('a fund for each asset');
    const { perEventCap, windowAllowance } = fund;
    lines.push({ type: 'asset', id: asset });
    lines.push({ type: 'fund', id: `fund-${asset}`, assetId: asset, name: asset, perEventCap, windowAllowance });
    const provider = {
      id: `lp-${asset}`,
      traderId: 'venue',
      kind: 'LIQUIDITY_PROVIDER',
      marginAssetId: asset,
    } as const;
    lines.push({ type: 'account', ...provider });
  }
  lines.push({ type: 'venueParameters', ...plan.venue, callDeadlineMs: 1500, ...CHANGE });
  for (const [index, market] of plan.markets.entries()) lines.push(marketLine(plan, index, market));
  for (const [index, account] of plan.accounts.entries()) {
    const id = accountIdOf(index);
    lines.push({ type: 'trader', id });
    lines.push({ type: 'account', id, traderId: id, mode: account.mode, marginAssetId: assetOf(plan, account) });
  }
  for (const [index, fund] of plan.funds.entries()) {
    if (fund.balance !== '0')
      lines.push({ type: 'balance', accountId: index === 0 ? 'fund-U' : 'fund-B', amount: fund.balance });
  }
  for (const [index, account] of plan.accounts.entries()) {
    if (account.balance !== '0')
      lines.push({ type: 'balance', accountId: accountIdOf(index), amount: account.balance });
  }
  for (const [key, { size, cost }] of openHoldings(plan)) {
    const [accountId = '', marketId = ''] = key.split(' ');
    lines.push({ type: 'position', accountId, marketId, size: size.toFixed(), cost: cost.toFixed() });
  }
  return lines;
}

function marketLine(plan: BookPlan, index: number, market: MarketPlan): BookLine {
  const { payoff, settlementAssetId, contractSize, priceTick, sizeStep } = shapeOf(plan, index);
  const { score, allocation, priceBasis, maxDeviation, maxFeeRate, badDebtLimit } = market;
  const brackets = (BRACKETS[market.brackets % BRACKETS.length] ?? [])
    .map((bracket) => bracket.split(':'))
    .map(([floor = '', maintenanceRate = '', initialRate = '']) => ({ floor, maintenanceRate, initialRate }));
  const texts = { contractSize: contractSize.toFixed(), priceTick: priceTick.toFixed(), sizeStep: sizeStep.toFixed() };
  return {
    ...{ type: 'market', id: marketIdOf(index), payoff, settlementAssetId, ...texts, brackets, ...CHANGE },
    ...{ insuranceFundId: fundIdOf(plan, index), liquidityProviderId: providerIdOf(plan, index) },
    ...{ maxDeviation, maxFeeRate, badDebtLimit, priceBand: '0.9', staleAfterMs: STALE_AFTER_MS },
    policy: { score, allocation, priceBasis },
  };
}

/** Positions after all trades, by `account market`; trades that an account may not make are left out. */
export function openHoldings(plan: BookPlan): Map<string, Holding> {
  const holdings = new Map<string, Holding>();
  const marketOf = new Map<string, string>();
  for (const trade of plan.trades) {
    const market = trade.market % plan.markets.length;
    const contract = { ...shapeOf(plan, market), id: marketIdOf(market) };
    const buyer = partyOf(plan, market, trade.buyer);
    const seller = partyOf(plan, market, trade.seller);
    const barred = [buyer, seller].some(
      ({ id, mode }) => mode === 'ISOLATED' && (marketOf.get(id) ?? contract.id) !== contract.id,
    );
    if (buyer.id === seller.id || barred) continue;
    const size = dec(trade.lots).times(contract.sizeStep);
    const worth = value(contract, size, dec(priceText(market, plan, trade.price)));
    book(holdings, `${buyer.id} ${contract.id}`, size, worth);
    book(holdings, `${seller.id} ${contract.id}`, size.neg(), worth.neg());
    for (const { id } of [buyer, seller]) marketOf.set(id, contract.id);
  }
  return holdings;
}

/** An account of the market's asset; the liquidity provider where the plan points to another. */
function partyOf(plan: BookPlan, market: number, index: number): { readonly id: string; readonly mode: string } {
  const account = plan.accounts[index % (plan.accounts.length + 1)];
  const asset = shapeOf(plan, market).settlementAssetId;
  if (account === undefined || assetOf(plan, account) !== asset) return { id: `lp-${asset}`, mode: 'CROSS' };
  return { id: accountIdOf(index % (plan.accounts.length + 1)), mode: account.mode };
}

function book(holdings: Map<string, Holding>, key: string, size: Decimal, worth: Decimal): void {
  const { holding } = fill(holdings.get(key) ?? FLAT, size, worth);
  if (holding.size.isZero()) holdings.delete(key);
  else holdings.set(key, holding);
}

/** Depth as text pairs around a price: gaps are counted in hundredths of a percent of it, best first. */
export function depthText(
  plan: BookPlan,
  market: number,
  price: PricePlan,
  side: 'bids' | 'asks',
  levels: DepthPlan['bids'],
): [price: string, size: string][] {
  const { sizeStep } = shapeOf(plan, market);
  let level = price.level;
  return levels.map(([gap, lots], index) => {
    level += (side === 'bids' ? -1 : 1) * (index === 0 && side === 'bids' ? gap - 1 : gap);
    const text = priceText(market, plan, { level, digits: price.digits });
    return [text, dec(lots).times(sizeStep).toFixed()];
  });
}
