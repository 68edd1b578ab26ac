import { initialOf, maintenanceOf, type Schedule } from './brackets.js';
import { value, type Contract } from './contract.js';
import { clampedRatio, max, min, ONE, sum, ZERO, Decimal } from './decimal.js';
import type { Holding } from './position.js';

export type { Holding } from './position.js';

export interface MarketParams {
  readonly maxFeeRate: Decimal;
  readonly maxDeviation: Decimal;
  readonly priceBand: Decimal;
  readonly staleAfterMs: number;
}

export interface Policy {
  readonly version: string;
  readonly score: 'LEVERAGED_RETURN' | 'ACCOUNT_RETURN';
  readonly allocation: 'QUEUE' | 'PRO_RATA';
  readonly priceBasis: 'BANKRUPTCY' | 'MARK';
  readonly trigger: 'FUND_EXHAUSTED';
}

export interface Market extends Contract {
  readonly status: 'ACTIVE' | 'HALTED' | 'SETTLED';
  readonly schedule: Schedule;
  readonly params: MarketParams;
  readonly policy: Policy;
}

export interface VenueParams {
  readonly warningRatio: Decimal;
  readonly callRatio: Decimal;
  readonly liquidationTarget: Decimal;
  readonly callDeadlineMs: number;
  readonly callExtensionCapMs: number;
  readonly onCallLapse: 'REDUCE_ONLY' | 'LIQUIDATE';
  readonly staleShare: Decimal;
  readonly accountsPerLap: number;
}

/** The last accepted price of a market; live: fresh, and the market is not stopped. */
export interface Mark {
  readonly price: Decimal;
  readonly live: boolean;
}

export interface Account {
  readonly id: string;
  readonly kind: 'TRADER' | 'LIQUIDITY_PROVIDER' | 'INSURANCE_FUND';
  readonly mode: 'CROSS' | 'ISOLATED';
  readonly marginAssetId: string;
  readonly balance: Decimal;
  readonly positions: ReadonlyMap<string, Holding>;
}

export interface PositionValuation extends Holding {
  readonly marketId: string;
  readonly mark: Decimal;
  readonly value: Decimal;
  readonly notional: Decimal;
  readonly unrealizedPnl: Decimal;
  readonly maintenance: Decimal;
  readonly initial: Decimal;
  readonly live: boolean;
}

/** All in the account's margin asset. Positions by market id ascending. */
export interface AccountValuation {
  readonly accountId: string;
  readonly balance: Decimal;
  readonly equity: Decimal;
  readonly maintenance: Decimal;
  readonly initial: Decimal;
  readonly notional: Decimal;
  readonly positions: readonly PositionValuation[];
}

/** Null when a price of one of its markets was never received: unknown is not zero. */
export function valuate(account: Account, markets: ReadonlyMap<string, Market>, marks: ReadonlyMap<string, Mark>): AccountValuation | null {
  let equity = account.balance;
  let maintenance = ZERO;
  let initial = ZERO;
  let notional = ZERO;
  const positions: PositionValuation[] = [];
  for (const marketId of [...account.positions.keys()].sort(byBytes)) {
    const holding = account.positions.get(marketId);
    const market = markets.get(marketId);
    const mark = marks.get(marketId);
    if (holding === undefined || market === undefined) throw new RangeError(`no market ${marketId}`);
    if (mark === undefined) return null;
    const position = valuatePosition(market, holding, mark);
    equity = equity.plus(position.unrealizedPnl);
    maintenance = maintenance.plus(position.maintenance);
    initial = initial.plus(position.initial);
    notional = notional.plus(position.notional);
    positions.push(position);
  }
  return { accountId: account.id, balance: account.balance, equity, maintenance, initial, notional, positions };
}

function valuatePosition(market: Market, { size, cost }: Holding, mark: Mark): PositionValuation {
  const worth = value(market, size, mark.price);
  const notional = worth.abs();
  return {
    marketId: market.id,
    size,
    cost,
    mark: mark.price,
    value: worth,
    notional,
    unrealizedPnl: worth.minus(cost),
    maintenance: maintenanceOf(market.schedule, notional),
    initial: initialOf(market.schedule, notional),
    live: mark.live,
  };
}

export type MarginStatus = 'HEALTHY' | 'WARNING' | 'MARGIN_CALL' | 'LIQUIDATABLE' | 'BANKRUPT';

/** By cross-multiplication; the strict and the inclusive bounds are domain.md §2's. */
export function statusOf({ equity, maintenance }: Pick<AccountValuation, 'equity' | 'maintenance'>, p: VenueParams): MarginStatus {
  if (equity.lt(0)) return 'BANKRUPT';
  if (equity.lt(maintenance)) return 'LIQUIDATABLE';
  if (maintenance.isZero()) return 'HEALTHY';
  if (maintenance.gte(p.callRatio.times(equity))) return 'MARGIN_CALL';
  return maintenance.gte(p.warningRatio.times(equity)) ? 'WARNING' : 'HEALTHY';
}

/** An account worth this much is not decided on: amounts of NUMERIC(38,18) end here. */
const VALUE_LIMIT = new Decimal('100000000000000000000');

/**
 * Not touched for want of a trustworthy price: positions in markets that are not live make up the stale share (5 %)
 * of its maintenance or more; or a value of it is out of range.
 */
export function isHeld(v: AccountValuation, p: VenueParams): boolean {
  const isTooLarge = (x: Decimal): boolean => x.abs().gte(VALUE_LIMIT);
  if (isTooLarge(v.balance) || isTooLarge(v.equity)) return true;
  if (v.positions.some((position) => isTooLarge(position.value) || isTooLarge(position.cost))) return true;
  if (v.positions.every((position) => position.live)) return false;
  const stale = sum(v.positions.filter((position) => !position.live).map((position) => position.maintenance));
  return stale.gte(p.staleShare.times(v.maintenance));
}

/** w_k as an exact fraction: by maintenance, by notional when that sums to 0, equal when that does too. */
export function weights(v: AccountValuation): (k: number) => { n: Decimal; d: Decimal } {
  const at = (k: number): PositionValuation => {
    const position = v.positions[k];
    if (position === undefined) throw new RangeError(`no position ${String(k)}`);
    return position;
  };
  if (v.maintenance.gt(0)) return (k) => ({ n: at(k).maintenance, d: v.maintenance });
  if (v.notional.gt(0)) return (k) => ({ n: at(k).notional, d: v.notional });
  return () => ({ n: ONE, d: new Decimal(v.positions.length) });
}

/** maintenance ÷ equity; null when equity ≤ 0. */
export function marginRatio(v: AccountValuation): Decimal | null {
  return v.equity.gt(0) ? clampedRatio(v.maintenance, v.equity) : null;
}

/** Σ notional ÷ equity; null when equity ≤ 0. */
export function accountLeverage(v: AccountValuation): Decimal | null {
  return v.equity.gt(0) ? clampedRatio(v.notional, v.equity) : null;
}

/** notional ÷ (equity · w) of position k; null when equity ≤ 0. */
export function effectiveLeverage(v: AccountValuation, k: number): Decimal | null {
  const position = v.positions[k];
  if (position === undefined || !v.equity.gt(0)) return null;
  const { n, d } = weights(v)(k);
  return clampedRatio(position.notional.times(d), v.equity.times(n));
}

/** What could leave the account without touching its initial margin: max(0, min(balance, equity − initial)). */
export function withdrawable(v: AccountValuation): Decimal {
  return max(ZERO, min(v.balance, v.equity.minus(v.initial)));
}

/** Worst first: equity ÷ maintenance ascending (a deficit without maintenance before all), account id last. */
export function compareTrouble(a: AccountValuation, b: AccountValuation): number {
  const byId = byBytes(a.accountId, b.accountId);
  if (a.maintenance.isZero() || b.maintenance.isZero()) {
    if (a.maintenance.isZero() && b.maintenance.isZero()) return byId;
    return a.maintenance.isZero() ? -1 : 1;
  }
  return a.equity.times(b.maintenance).comparedTo(b.equity.times(a.maintenance)) || byId;
}

/** Ids are ASCII, so code units are bytes. */
export function byBytes(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
