import type { Instant } from '../risk/instant.js';
import type { CallEnded, CallOpened, Cover, Liquidation, Transition } from '../risk/outcome.js';
import type { Decimal } from '../risk/decimal.js';
import { idAt, insertMany, insertNumbered, type Column } from './insert-many.js';
import type { Tx } from './connect.js';
import { allSent } from './pipeline.js';

/** The lap that the rows belong to. */
export interface LapKey {
  readonly id: string;
  readonly at: Instant;
}

export function ofLap<T>(lap: LapKey): Column<T>[] {
  return [
    ['lap_id', 'bigint', () => lap.id],
    ['at', 'timestamptz', () => lap.at],
  ];
}

export async function insertLap(tx: Tx, lap: LapKey, digest: string, more: boolean): Promise<void> {
  await tx`insert into lap (id, at, outcome_digest, more) values (${lap.id}, ${lap.at}, ${digest}, ${more})`;
}

export interface LapPrice {
  readonly marketId: string;
  readonly priceMarkId: string;
  readonly price: Decimal;
  readonly live: boolean;
}

export async function insertLapPrices(tx: Tx, lap: LapKey, rows: readonly LapPrice[]): Promise<void> {
  const columns: Column<LapPrice>[] = [
    ['lap_id', 'bigint', () => lap.id],
    ['market_id', 'text', (r) => r.marketId],
    ['price_mark_id', 'bigint', (r) => r.priceMarkId],
    ['price', 'numeric', (r) => r.price],
    ['live', 'boolean', (r) => r.live],
  ];
  await insertMany(tx, 'lap_price', columns, rows);
}

export async function insertTransitions(
  tx: Tx,
  lap: LapKey,
  ids: readonly string[],
  rows: readonly Transition[],
): Promise<void> {
  const columns: Column<Transition>[] = [
    ...ofLap<Transition>(lap),
    ['account_id', 'text', (r) => r.accountId],
    ['from_status', 'text', (r) => r.from],
    ['to_status', 'text', (r) => r.to],
    ['held', 'boolean', (r) => r.held],
    ['equity', 'numeric', (r) => r.equity],
    ['maintenance', 'numeric', (r) => r.maintenance],
  ];
  await insertNumbered(tx, 'margin_status_transition', ids, columns, rows);
}

export interface CallTerms {
  readonly deadline: Instant;
  readonly latestDeadline: Instant;
  readonly onLapse: string;
}

export async function insertCalls(
  tx: Tx,
  lap: LapKey,
  terms: CallTerms,
  rows: readonly (CallOpened & { transitionId: string })[],
): Promise<void> {
  type Row = (typeof rows)[number];
  const columns: Column<Row>[] = [
    ['lap_id', 'bigint', () => lap.id],
    ['account_id', 'text', (r) => r.accountId],
    ['transition_id', 'bigint', (r) => r.transitionId],
    ['amount_required', 'numeric', (r) => r.amountRequired],
    ['equity', 'numeric', (r) => r.equity],
    ['maintenance', 'numeric', (r) => r.maintenance],
    ['called_at', 'timestamptz', () => lap.at],
    ['deadline', 'timestamptz', () => terms.deadline],
    ['latest_deadline', 'timestamptz', () => terms.latestDeadline],
    ['on_lapse', 'text', () => terms.onLapse],
  ];
  await insertMany(tx, 'margin_call', columns, rows);
}

export async function endCalls(tx: Tx, lap: LapKey, rows: readonly CallEnded[]): Promise<void> {
  if (rows.length === 0) return;
  await tx`
    update margin_call c set status = t.status, lapse_reason = t.reason, ended_at = ${lap.at}::timestamptz, ended_lap_id = ${lap.id}::bigint
    from unnest(${rows.map((r) => r.callId)}::bigint[], ${rows.map((r) => r.status)}::text[],
      ${rows.map((r) => r.lapseReason)}::text[]) as t (id, status, reason)
    where c.id = t.id`;
}

export async function releaseCalls(tx: Tx, lap: LapKey, callIds: readonly string[]): Promise<void> {
  if (callIds.length === 0) return;
  await tx`update margin_call set released_at = ${lap.at}::timestamptz where id = any(${[...callIds]}::bigint[])`;
}

export function insertLiquidations(
  tx: Tx,
  lap: LapKey,
  ids: readonly string[],
  rows: readonly Liquidation[],
): Promise<unknown> {
  const columns: Column<Liquidation>[] = [
    ...ofLap<Liquidation>(lap),
    ['account_id', 'text', (r) => r.accountId],
    ['market_id', 'text', (r) => r.marketId],
    ['reason', 'text', (r) => r.reason],
    ['kind', 'text', (r) => r.kind],
    ['stopped_by', 'text', (r) => r.stoppedBy],
    ['mark', 'numeric', (r) => r.mark],
    ['size_before', 'numeric', (r) => r.sizeBefore],
    ['cost_before', 'numeric', (r) => r.costBefore],
    ['equity_before', 'numeric', (r) => r.equityBefore],
    ['maintenance_before', 'numeric', (r) => r.maintenanceBefore],
    ['bankruptcy_value', 'numeric', (r) => r.bankruptcyValue],
    ['target', 'numeric', (r) => r.target],
    ['closed', 'numeric', (r) => r.closed],
    ['close_value', 'numeric', (r) => r.closeValue],
    ['realized_pnl', 'numeric', (r) => r.realizedPnl],
    ['fund_delta', 'numeric', (r) => r.fundDelta],
    ['fund_may_pay', 'numeric', (r) => r.fundMayPay],
    ['fund_balance_before', 'numeric', (r) => r.fundBalanceBefore],
    ['depth_snapshot_id', 'bigint', (r) => r.depthSnapshotId],
    ['best_price', 'numeric', (r) => r.bestPrice],
    ['depth_size', 'numeric', (r) => r.depthSize],
    ['equity_after', 'numeric', (r) => r.equityAfter],
    ['maintenance_after', 'numeric', (r) => r.maintenanceAfter],
  ];
  return allSent([insertNumbered(tx, 'liquidation', ids, columns, rows), insertFills(tx, rows, ids)]);
}

async function insertFills(tx: Tx, liquidations: readonly Liquidation[], ids: readonly string[]): Promise<void> {
  const rows = liquidations.flatMap((liquidation, i) =>
    liquidation.fills.map((fill, k) => ({ ...fill, ordinal: k + 1, id: idAt(ids, i), liquidation })),
  );
  const columns: Column<(typeof rows)[number]>[] = [
    ['liquidation_id', 'bigint', (r) => r.id],
    ['ordinal', 'integer', (r) => r.ordinal],
    ['depth_snapshot_id', 'bigint', (r) => r.liquidation.depthSnapshotId],
    ['depth_side', 'text', (r) => (r.liquidation.sizeBefore.gt(0) ? 'BID' : 'ASK')],
    ['depth_level', 'integer', (r) => r.depthLevel],
    ['price', 'numeric', (r) => r.price],
    ['size', 'numeric', (r) => r.size],
    ['value', 'numeric', (r) => r.value],
  ];
  await insertMany(tx, 'liquidation_fill', columns, rows);
}

export async function insertCovers(tx: Tx, lap: LapKey, ids: readonly string[], rows: readonly Cover[]): Promise<void> {
  const columns: Column<Cover>[] = [
    ...ofLap<Cover>(lap),
    ['account_id', 'text', (r) => r.accountId],
    ['market_id', 'text', (r) => r.marketId],
    ['fund_id', 'text', (r) => r.fundId],
    ['shortfall', 'numeric', (r) => r.shortfall],
    ['fund_balance_before', 'numeric', (r) => r.fundBalanceBefore],
    ['fund_may_pay', 'numeric', (r) => r.fundMayPay],
    ['fund_paid', 'numeric', (r) => r.fundPaid],
    ['bad_debt', 'numeric', (r) => r.badDebt],
  ];
  await insertNumbered(tx, 'deficit_cover', ids, columns, rows);
}

export interface ForcedTrade {
  readonly kind: string;
  readonly marketId: string;
  readonly accountId: string;
  readonly counterpartyId: string;
  readonly side: string;
  readonly size: Decimal;
  readonly value: Decimal;
  readonly price: Decimal | null;
  readonly liquidationId: string | null;
  readonly legId: string | null;
}

export async function insertForcedTrades(tx: Tx, lap: LapKey, rows: readonly ForcedTrade[]): Promise<void> {
  const columns: Column<ForcedTrade>[] = [
    ...ofLap<ForcedTrade>(lap),
    ['kind', 'text', (r) => r.kind],
    ['market_id', 'text', (r) => r.marketId],
    ['account_id', 'text', (r) => r.accountId],
    ['counterparty_id', 'text', (r) => r.counterpartyId],
    ['side', 'text', (r) => r.side],
    ['size', 'numeric', (r) => r.size],
    ['value', 'numeric', (r) => r.value],
    ['price', 'numeric', (r) => r.price],
    ['liquidation_id', 'bigint', (r) => r.liquidationId],
    ['leg_id', 'bigint', (r) => r.legId],
  ];
  await insertMany(tx, 'forced_trade', columns, rows);
}
