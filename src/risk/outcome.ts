import type { Side } from './contract.js';
import type { Decimal } from './decimal.js';
import type { MarginStatus } from './margin.js';
import type { PublishedRanking } from './ranking.js';

/** What a lap decided, in the order in which it decided it, without ids or times of the database. */
export interface Outcome {
  readonly transitions: Transition[];
  readonly callsOpened: CallOpened[];
  readonly callsEnded: CallEnded[];
  readonly callsReleased: { readonly callId: string; readonly accountId: string }[];
  readonly liquidations: Liquidation[];
  readonly events: DeleverageEvent[];
  readonly covers: Cover[];
  /** That ended by their time, before anything else of the lap. */
  readonly exemptionsEnded: ExemptionEnded[];
  readonly halts: { readonly marketId: string; readonly reason: string }[];
  readonly positionChanges: PositionChange[];
  readonly ledger: LedgerChange[];
  /** Accounts in trouble were left for the next lap. */
  more: boolean;
}

export interface ExemptionEnded {
  readonly accountId: string;
  readonly version: number;
}

export interface Transition {
  readonly accountId: string;
  readonly from: MarginStatus | null;
  readonly to: MarginStatus | null;
  readonly held: boolean;
  readonly equity: Decimal | null;
  readonly maintenance: Decimal | null;
}

export interface CallOpened {
  readonly accountId: string;
  readonly amountRequired: Decimal;
  readonly equity: Decimal;
  readonly maintenance: Decimal;
}

export interface CallEnded {
  readonly callId: string;
  readonly accountId: string;
  readonly status: 'MET' | 'LAPSED';
  readonly lapseReason: 'LIQUIDATABLE' | 'DEADLINE' | null;
}

export type LiquidationReason = 'LIQUIDATABLE' | 'BANKRUPT' | 'CALL_LAPSED';

export interface Fill {
  /** Place in the recorded depth, 1 = best. */
  readonly depthLevel: number;
  readonly price: Decimal;
  readonly size: Decimal;
  readonly value: Decimal;
}

export interface Liquidation {
  readonly accountId: string;
  readonly marketId: string;
  readonly reason: LiquidationReason;
  readonly kind: 'PARTIAL' | 'FULL';
  readonly stoppedBy: 'TARGET' | 'DEPTH' | 'DEVIATION' | 'FUND';
  readonly mark: Decimal;
  readonly sizeBefore: Decimal;
  readonly costBefore: Decimal;
  readonly equityBefore: Decimal;
  readonly maintenanceBefore: Decimal;
  readonly bankruptcyValue: Decimal;
  readonly target: Decimal;
  readonly closed: Decimal;
  readonly closeValue: Decimal;
  readonly realizedPnl: Decimal;
  readonly fundDelta: Decimal;
  readonly fundMayPay: Decimal;
  readonly fundBalanceBefore: Decimal;
  readonly depthSnapshotId: string | null;
  readonly bestPrice: Decimal | null;
  readonly depthSize: Decimal;
  readonly equityAfter: Decimal;
  readonly maintenanceAfter: Decimal;
  readonly counterpartyId: string;
  readonly fills: readonly Fill[];
}

export type LegStage = 'DELEVERAGE' | 'CLOSE_AT_MARK';

export interface Leg {
  readonly stage: LegStage;
  readonly accountId: string;
  readonly rank: number | null;
  readonly queueLength: number | null;
  readonly sizeAhead: Decimal | null;
  readonly score: Decimal | null;
  readonly profitRatio: Decimal | null;
  readonly leverage: Decimal | null;
  readonly sizeBefore: Decimal;
  readonly sizeClosed: Decimal;
  readonly sizeAfter: Decimal;
  readonly costBefore: Decimal;
  readonly costAfter: Decimal;
  /** What the counterparty's closed part was worth at the price, and at mark, signed as its position. */
  readonly value: Decimal;
  readonly markValue: Decimal;
  readonly price: Decimal | null;
  readonly realizedPnl: Decimal;
  readonly concession: Decimal;
  readonly equityBefore: Decimal | null;
  readonly equityAfter: Decimal | null;
  readonly maintenanceBefore: Decimal | null;
  readonly maintenanceAfter: Decimal | null;
  readonly leverageBefore: Decimal | null;
  readonly leverageAfter: Decimal | null;
  readonly entryPriceBefore: Decimal | null;
  readonly entryPriceAfter: Decimal | null;
}

export interface Skip {
  readonly accountId: string;
  readonly rank: number | null;
  readonly reason: 'NON_OVERLAPPING_BANKRUPTCY' | 'WOULD_BREACH_MARGIN' | 'EXEMPT' | 'HELD';
  readonly size: Decimal;
  readonly equity: Decimal | null;
  readonly maintenance: Decimal | null;
  readonly initial: Decimal | null;
}

export interface DeleverageEvent {
  readonly marketId: string;
  readonly accountId: string;
  readonly side: Side;
  readonly ranking: PublishedRanking;
  readonly scoreName: string;
  readonly priceBasis: 'BANKRUPTCY' | 'MARK';
  readonly trigger: 'FUND_EXHAUSTED';
  readonly deficit: Decimal;
  readonly fundBalanceBefore: Decimal;
  readonly fundAllowanceBefore: Decimal | null;
  readonly fundMayPay: Decimal;
  readonly fundPaid: Decimal;
  readonly bestPrice: Decimal | null;
  readonly depthSize: Decimal | null;
  readonly liquidated: boolean;
  readonly mark: Decimal;
  readonly markValue: Decimal;
  readonly bankruptcyValue: Decimal;
  readonly bankruptcyPrice: Decimal | null;
  readonly priceValue: Decimal;
  readonly price: Decimal | null;
  readonly clamped: boolean;
  readonly sizeBefore: Decimal;
  readonly costBefore: Decimal;
  readonly equityBefore: Decimal;
  readonly maintenanceBefore: Decimal;
  readonly sizeDeleveraged: Decimal;
  readonly sizeClosedAtMark: Decimal;
  readonly realizedPnl: Decimal;
  readonly legs: readonly Leg[];
  readonly skips: readonly Skip[];
}

export interface Cover {
  readonly accountId: string;
  /** Null: the account had no position that the deficit could be charged to. */
  readonly marketId: string | null;
  readonly fundId: string | null;
  readonly shortfall: Decimal;
  readonly fundBalanceBefore: Decimal | null;
  readonly fundMayPay: Decimal | null;
  readonly fundPaid: Decimal;
  readonly badDebt: Decimal;
}

/** The row of this outcome that a change belongs to: its place in liquidations, events or covers. */
export interface Cause {
  readonly kind: 'LIQUIDATION' | 'DELEVERAGE' | 'COVER';
  readonly index: number;
}

export interface PositionChange {
  readonly accountId: string;
  readonly marketId: string;
  readonly cause: Cause;
  readonly sizeChange: Decimal;
  readonly costChange: Decimal;
  readonly realizedPnl: Decimal;
  readonly sizeAfter: Decimal;
  readonly costAfter: Decimal;
}

export interface LedgerChange {
  readonly accountId: string;
  readonly assetId: string;
  readonly amount: Decimal;
  readonly kind: 'REALIZED_PNL' | 'LIQUIDATION_FEE' | 'FUND_PAYMENT' | 'BAD_DEBT';
  readonly cause: Cause;
  readonly marketId: string | null;
}

export function emptyOutcome(): Outcome {
  return {
    transitions: [],
    callsOpened: [],
    callsEnded: [],
    callsReleased: [],
    liquidations: [],
    events: [],
    covers: [],
    exemptionsEnded: [],
    halts: [],
    positionChanges: [],
    ledger: [],
    more: false,
  };
}
