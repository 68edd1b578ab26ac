import type { DeleverageEvent, Leg, Outcome, Skip } from '../risk/outcome.js';
import { entriesOf } from '../risk/ranking.js';
import type { Tx } from './connect.js';
import { idAt, insertMany, insertReturningIds, type Column } from './insert-many.js';
import { ofLap, type LapKey } from './lap-history.js';

/** Stores the rankings that the events used, once each; returns their row ids by digest. */
async function insertRankings(tx: Tx, lap: LapKey, events: readonly DeleverageEvent[]): Promise<Map<string, string>> {
  const used = [...new Map(events.map((event) => [event.ranking.id, event])).values()];
  const columns: Column<DeleverageEvent>[] = [
    ['lap_id', 'bigint', () => lap.id],
    ['market_id', 'text', (r) => r.marketId],
    ['side', 'text', (r) => r.side],
    ['digest', 'text', (r) => r.ranking.id],
    ['policy_version', 'integer', (r) => r.ranking.policyVersion],
    ['score_name', 'text', (r) => r.scoreName],
    ['queue_length', 'integer', (r) => r.ranking.queueLength],
    ['queue_size', 'numeric', (r) => r.ranking.queueSize],
  ];
  const ids = await insertReturningIds(tx, 'ranking', columns, used);
  const entries = used.flatMap((event, i) =>
    [...entriesOf(event.ranking)].map((entry) => ({ ...entry, rankingId: idAt(ids, i) })),
  );
  const entryColumns: Column<(typeof entries)[number]>[] = [
    ['ranking_id', 'bigint', (r) => r.rankingId],
    ['rank', 'integer', (r) => r.rank],
    ['account_id', 'text', (r) => r.accountId],
    ['size', 'numeric', (r) => r.size],
    ['size_ahead', 'numeric', (r) => r.sizeAhead],
    ['level', 'integer', (r) => r.level],
    ['score', 'numeric', (r) => r.score.value],
    ['profit_ratio', 'numeric', (r) => r.score.profitRatio],
    ['leverage', 'numeric', (r) => r.score.leverage],
  ];
  await insertMany(tx, 'ranking_entry', entryColumns, entries);
  return new Map(used.map((event, i) => [event.ranking.id, idAt(ids, i)]));
}

export interface StoredEvents {
  readonly eventIds: readonly string[];
  /** Of each event, in the order of its legs. */
  readonly legIds: readonly (readonly string[])[];
}

export async function insertEvents(
  tx: Tx,
  lap: LapKey,
  outcome: Outcome,
  liquidationIds: readonly string[],
): Promise<StoredEvents> {
  const { events, liquidations } = outcome;
  const rankingIds = await insertRankings(tx, lap, events);
  const tried = new Map(liquidations.map((l, i) => [`${l.accountId} ${l.marketId}`, idAt(liquidationIds, i)]));
  const columns: Column<DeleverageEvent>[] = [
    ...ofLap<DeleverageEvent>(lap),
    ['market_id', 'text', (r) => r.marketId],
    ['account_id', 'text', (r) => r.accountId],
    ['side', 'text', (r) => r.side],
    ['ranking_id', 'bigint', (r) => rankingIds.get(r.ranking.id) ?? null],
    ['liquidation_id', 'bigint', (r) => tried.get(`${r.accountId} ${r.marketId}`) ?? null],
    ['policy_version', 'integer', (r) => r.ranking.policyVersion],
    ['price_basis', 'text', (r) => r.priceBasis],
    ['trigger_metric', 'text', (r) => r.trigger],
    ['deficit', 'numeric', (r) => r.deficit],
    ['fund_balance_before', 'numeric', (r) => r.fundBalanceBefore],
    ['fund_allowance_before', 'numeric', (r) => r.fundAllowanceBefore],
    ['fund_may_pay', 'numeric', (r) => r.fundMayPay],
    ['fund_paid', 'numeric', (r) => r.fundPaid],
    ['best_price', 'numeric', (r) => r.bestPrice],
    ['depth_size', 'numeric', (r) => r.depthSize],
    ['mark', 'numeric', (r) => r.mark],
    ['mark_value', 'numeric', (r) => r.markValue],
    ['bankruptcy_value', 'numeric', (r) => r.bankruptcyValue],
    ['bankruptcy_price', 'numeric', (r) => r.bankruptcyPrice],
    ['price_value', 'numeric', (r) => r.priceValue],
    ['price', 'numeric', (r) => r.price],
    ['clamped', 'boolean', (r) => r.clamped],
    ['size_before', 'numeric', (r) => r.sizeBefore],
    ['cost_before', 'numeric', (r) => r.costBefore],
    ['equity_before', 'numeric', (r) => r.equityBefore],
    ['maintenance_before', 'numeric', (r) => r.maintenanceBefore],
    ['size_deleveraged', 'numeric', (r) => r.sizeDeleveraged],
    ['size_closed_at_mark', 'numeric', (r) => r.sizeClosedAtMark],
    ['realized_pnl', 'numeric', (r) => r.realizedPnl],
  ];
  const eventIds = await insertReturningIds(tx, 'deleverage_event', columns, events);
  const legIds = await insertLegs(tx, events, eventIds);
  await insertSkips(tx, events, eventIds);
  return { eventIds, legIds };
}

async function insertLegs(
  tx: Tx,
  events: readonly DeleverageEvent[],
  eventIds: readonly string[],
): Promise<string[][]> {
  const rows = events.flatMap((event, i) =>
    event.legs.map((leg, k) => ({ ...leg, ordinal: k + 1, eventId: idAt(eventIds, i), bankruptId: event.accountId })),
  );
  const plain = (...names: (keyof Leg)[]): Column<(typeof rows)[number]>[] =>
    names.map((name) => [name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), 'numeric', (r) => r[name]]);
  const columns: Column<(typeof rows)[number]>[] = [
    ['event_id', 'bigint', (r) => r.eventId],
    ['ordinal', 'integer', (r) => r.ordinal],
    ['stage', 'text', (r) => r.stage],
    ['account_id', 'text', (r) => r.accountId],
    ['bankrupt_account_id', 'text', (r) => r.bankruptId],
    ['rank', 'integer', (r) => r.rank],
    ['queue_length', 'integer', (r) => r.queueLength],
    ['level_shown', 'integer', (r) => r.levelShown],
    ['level_shown_at', 'timestamptz', (r) => r.levelShownAt],
    ...plain(
      'sizeAhead',
      'score',
      'profitRatio',
      'leverage',
      'sizeBefore',
      'sizeClosed',
      'sizeAfter',
      'costBefore',
      'costAfter',
    ),
    ...plain(
      'value',
      'markValue',
      'price',
      'realizedPnl',
      'concession',
      'equityBefore',
      'equityAfter',
      'maintenanceBefore',
    ),
    ...plain('maintenanceAfter', 'leverageBefore', 'leverageAfter', 'entryPriceBefore', 'entryPriceAfter'),
  ];
  const ids = await insertReturningIds(tx, 'deleverage_leg', columns, rows);
  let place = 0;
  return events.map((event) => event.legs.map(() => idAt(ids, place++)));
}

async function insertSkips(tx: Tx, events: readonly DeleverageEvent[], eventIds: readonly string[]): Promise<void> {
  const rows = events.flatMap((event, i) => event.skips.map((skip) => ({ ...skip, eventId: idAt(eventIds, i) })));
  const columns: Column<Skip & { eventId: string }>[] = [
    ['event_id', 'bigint', (r) => r.eventId],
    ['account_id', 'text', (r) => r.accountId],
    ['rank', 'integer', (r) => r.rank],
    ['reason', 'text', (r) => r.reason],
    ['size', 'numeric', (r) => r.size],
    ['equity', 'numeric', (r) => r.equity],
    ['maintenance', 'numeric', (r) => r.maintenance],
    ['initial', 'numeric', (r) => r.initial],
  ];
  await insertMany(tx, 'deleverage_skip', columns, rows);
}
