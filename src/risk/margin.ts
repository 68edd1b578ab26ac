import { AMOUNT_LIMIT, ONE, ZERO, clampedRatio, max, min, signOf, sum } from './decimal.js';
import type { Decimal } from './decimal.js';
import { value } from './contract.js';
import type { Contract } from './contract.js';
import { initialAt, maintenanceAt, stepOf } from './brackets.js';
import type { Schedule } from './brackets.js';
import type { Holding } from './position.js';

export type MarketStatus = 'ACTIVE' | 'HALTED' | 'SETTLED';
export type ScoreName = 'LEVERAGED_RETURN' | 'ACCOUNT_RETURN';
export type AllocationName = 'QUEUE' | 'PRO_RATA';
export type PriceBasis = 'BANKRUPTCY' | 'MARK';
export type Trigger = 'FUND_EXHAUSTED';
export type AccountKind = 'TRADER' | 'LIQUIDITY_PROVIDER' | 'INSURANCE_FUND';
export type MarginMode = 'CROSS' | 'ISOLATED';
/** Worst last. */
export type MarginStatus = 'HEALTHY' | 'WARNING' | 'MARGIN_CALL' | 'LIQUIDATABLE' | 'BANKRUPT';

export interface MarketParams {
  /** Liquidation fee to the fund, a share of the closed value. */
  readonly maxFeeRate: Decimal;
  /** Farthest price of a forced fill or leg from the mark, a share of the mark. */
  readonly maxDeviation: Decimal;
  /** Farthest new mark from the last accepted one, a share of it, that needs no confirmation. */
  readonly priceBand: Decimal;
  readonly staleAfterMs: number;
}

export interface Policy {
  readonly version: string;
  readonly score: ScoreName;
  readonly allocation: AllocationName;
  readonly priceBasis: PriceBasis;
  readonly trigger: Trigger;
}

export interface Market extends Contract {
  readonly schedule: Schedule;
  readonly status: MarketStatus;
  readonly params: MarketParams;
  readonly policy: Policy;
  /** Account of kind INSURANCE_FUND. */
  readonly fundId: string;
  /** Bad debt of a lap, in the settlement asset, above which the market is halted. */
  readonly badDebtLimit: Decimal;
}

export interface VenueParams {
  /** Margin ratios from which on an account is in WARNING, in MARGIN_CALL. */
  readonly warningRatio: Decimal;
  readonly callRatio: Decimal;
  /** Margin ratio that a partial liquidation brings the account back to. */
  readonly liquidationTarget: Decimal;
  readonly callDeadlineMs: number;
  readonly callExtensionCapMs: number;
  readonly onCallLapse: 'REDUCE_ONLY' | 'LIQUIDATE';
  /** Share of an account's maintenance in markets without a live price from which on it is HELD. */
  readonly staleShare: Decimal;
  readonly accountsPerLap: number;
}

export interface Mark {
  /** The last accepted price. */
  readonly price: Decimal;
  /** Fresh, and its market is not HALTED. */
  readonly live: boolean;
}

export type Marks = ReadonlyMap<string, Mark>;

export interface Account {
  readonly id: string;
  readonly kind: AccountKind;
  readonly mode: MarginMode;
  readonly marginAssetId: string;
  /** By an exemption of its own; always false of what is no trader's. */
  readonly exempt: boolean;
  readonly balance: Decimal;
  /** By market id. */
  readonly positions: ReadonlyMap<string, Holding>;
}

export interface PositionValuation {
  readonly marketId: string;
  readonly size: Decimal;
  readonly cost: Decimal;
  readonly mark: Decimal;
  /** value(size, mark), signed. */
  readonly value: Decimal;
  /** |value|. */
  readonly notional: Decimal;
  /** value − cost. */
  readonly unrealizedPnl: Decimal;
  readonly maintenance: Decimal;
  readonly initial: Decimal;
  readonly live: boolean;
}

/** All amounts in the account's margin asset. */
export interface AccountValuation {
  readonly accountId: string;
  readonly balance: Decimal;
  /** balance + Σ unrealizedPnl. */
  readonly equity: Decimal;
  readonly maintenance: Decimal;
  readonly initial: Decimal;
  readonly notional: Decimal;
  /** By market id, ascending. */
  readonly positions: readonly PositionValuation[];
}

export interface Fraction {
  readonly n: Decimal;
  readonly d: Decimal;
}

/** The account at these marks; null when the price of one of its markets was never received. */
export function valuate(account: Account, markets: ReadonlyMap<string, Market>, marks: Marks): AccountValuation | null {
  const positions: PositionValuation[] = [];
  let equity = account.balance;
  let maintenance: Decimal = ZERO;
  let initial: Decimal = ZERO;
  let notional: Decimal = ZERO;
  for (const [marketId, holding] of account.positions) {
    const market = markets.get(marketId);
    if (market === undefined) throw new Error(`account ${account.id} holds a position in unknown market ${marketId}`);
    const mark = marks.get(marketId);
    if (mark === undefined) return null;
    const position = valuatePosition(market, holding, mark);
    positions.push(position);
    equity = equity.plus(position.unrealizedPnl);
    const first = positions.length === 1;
    maintenance = first ? position.maintenance : maintenance.plus(position.maintenance);
    initial = first ? position.initial : initial.plus(position.initial);
    notional = first ? position.notional : notional.plus(position.notional);
  }
  if (positions.length > 1) positions.sort(byMarketId);
  return { accountId: account.id, balance: account.balance, equity, maintenance, initial, notional, positions };
}

function valuatePosition(market: Market, holding: Holding, mark: Mark): PositionValuation {
  const { size, cost } = holding;
  const worth = value(market, size, mark.price);
  const notional = worth.isNegative() ? worth.neg() : worth;
  const step = stepOf(market.schedule, notional);
  return {
    marketId: market.id,
    size,
    cost,
    mark: mark.price,
    value: worth,
    notional,
    unrealizedPnl: worth.minus(cost),
    maintenance: maintenanceAt(step, notional),
    initial: initialAt(step, notional),
    live: mark.live,
  };
}

function byMarketId(a: PositionValuation, b: PositionValuation): number {
  return a.marketId < b.marketId ? -1 : a.marketId > b.marketId ? 1 : 0;
}

export function indexOfPosition(v: AccountValuation, marketId: string): number {
  const index = v.positions.findIndex((position) => position.marketId === marketId);
  if (index < 0) throw new Error(`account ${v.accountId} has no position in market ${marketId}`);
  return index;
}

export function positionAt(v: AccountValuation, index: number): PositionValuation {
  const position = v.positions[index];
  if (position === undefined) throw new Error(`account ${v.accountId} has no position ${index}`);
  return position;
}

export function positionIn(v: AccountValuation, marketId: string): PositionValuation {
  return positionAt(v, indexOfPosition(v, marketId));
}

/** Ratios are compared by cross-multiplication, so that equity near or below 0 needs no case of its own. */
export function statusOf(v: Pick<AccountValuation, 'equity' | 'maintenance'>, params: VenueParams): MarginStatus {
  if (v.equity.lt(ZERO)) return 'BANKRUPT';
  if (v.equity.lt(v.maintenance)) return 'LIQUIDATABLE';
  if (v.maintenance.isZero()) return 'HEALTHY';
  if (v.maintenance.gte(params.callRatio.times(v.equity))) return 'MARGIN_CALL';
  if (v.maintenance.gte(params.warningRatio.times(v.equity))) return 'WARNING';
  return 'HEALTHY';
}

/**
 * Whether the account is to be left alone for want of a trustworthy price: markets without a live one make up `staleShare`
 * of its maintenance or more, or one of its amounts has outgrown what the database holds.
 */
export function isHeld(v: AccountValuation, params: VenueParams): boolean {
  const outgrown = (x: Decimal): boolean => x.e >= AMOUNT_LIMIT.e;
  if (outgrown(v.balance) || outgrown(v.equity)) return true;
  if (v.positions.some(({ value: worth, cost }) => outgrown(worth) || outgrown(cost))) return true;
  const stale = v.positions.filter((position) => !position.live);
  return stale.length > 0 && sum(stale.map((p) => p.maintenance)).gte(params.staleShare.times(v.maintenance));
}

/** Whether the account is never in a queue, whatever its prices: by an exemption, or as no trader's. */
export function isExempt({ kind, exempt }: Pick<Account, 'kind' | 'exempt'>): boolean {
  return kind !== 'TRADER' || exempt;
}

/**
 * Each position's part of its account as an exact fraction: by maintenance; by notional when that adds up to 0; equal when
 * that does too.
 */
export function weights(v: AccountValuation): (index: number) => Fraction {
  if (v.positions.length === 1) return () => ({ n: ONE, d: ONE });
  if (!v.maintenance.isZero()) return (index) => ({ n: positionAt(v, index).maintenance, d: v.maintenance });
  if (!v.notional.isZero()) return (index) => ({ n: positionAt(v, index).notional, d: v.notional });
  const count = sum(v.positions.map(() => ONE));
  return () => ({ n: ONE, d: count });
}

/** maintenance ÷ equity; null when equity is not above 0. */
export function marginRatio(v: Pick<AccountValuation, 'equity' | 'maintenance'>): Decimal | null {
  return signOf(v.equity) > 0 ? clampedRatio(v.maintenance, v.equity) : null;
}

/** Σ notional ÷ equity; null when equity is not above 0. */
export function accountLeverage(v: Pick<AccountValuation, 'equity' | 'notional'>): Decimal | null {
  return signOf(v.equity) > 0 ? clampedRatio(v.notional, v.equity) : null;
}

/** notional ÷ (equity · weight) of one position; null when equity is not above 0. */
export function effectiveLeverage(v: AccountValuation, index: number): Decimal | null {
  if (signOf(v.equity) <= 0) return null;
  const weight = weights(v)(index);
  return clampedRatio(positionAt(v, index).notional.times(weight.d), v.equity.times(weight.n));
}

/** What the accounts in trouble are ordered by: equity ÷ maintenance. The smaller, the worse. */
export function troubleOf(v: Pick<AccountValuation, 'equity' | 'maintenance'>): Decimal {
  return clampedRatio(v.equity, v.maintenance);
}

type Troubled = Pick<AccountValuation, 'accountId' | 'equity' | 'maintenance'>;

/** Worst first, then by id. */
export function compareTrouble(a: Troubled, b: Troubled): number {
  const order = troubleOf(a).cmp(troubleOf(b));
  return order !== 0 ? order : a.accountId < b.accountId ? -1 : a.accountId > b.accountId ? 1 : 0;
}

/** max(0, min(balance, equity − initial)): no unrealized profit leaves, and what stays meets the initial margin. */
export function withdrawable(v: AccountValuation): Decimal {
  return max(ZERO, min(v.balance, v.equity.minus(v.initial)));
}
