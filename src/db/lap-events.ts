import type { DeleverageEvent, Leg, Outcome, Skip } from '../risk/outcome.js';
import { entriesOf } from '../risk/ranking.js';
import type { Tx } from './connect.js';
import { idAt, insertMany, insertNumbered, type Column } from './insert-many.js';
import { allSent } from './pipeline.js';
import { positionKey, type ShownLevels } from './lap-inputs.js';
import { ofLap, type LapKey } from './lap-history.js';

/** The events of each ranking that was used, first in the order of the events. */
function byRanking(events: readonly DeleverageEvent[]): DeleverageEvent[] {
  return [...new Map(events.map((event) => [event.ranking.id, event])).values()];
}

export function countRankings(events: readonly DeleverageEvent[]): number {
  return byRanking(events).length;
}

/** Stores the rankings that the events used, once each. */
function insertRankings(
  tx: Tx,
  lap: LapKey,
  ids: readonly string[],
  used: readonly DeleverageEvent[],
): Promise<unknown> {
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
  const inserted = insertNumbered(tx, 'ranking', ids, columns, used);
  const entries = used.flatMap((event, i) =>
    [...entriesOf(event.ranking)].map((entry) => ({ entry, rankingId: idAt(ids, i) })),
  );
  const entryColumns: Column<(typeof entries)[number]>[] = [
    ['ranking_id', 'bigint', (r) => r.rankingId],
    ['rank', 'integer', (r) => r.entry.rank],
    ['account_id', 'text', (r) => r.entry.accountId],
    ['size', 'numeric', (r) => r.entry.size],
    ['size_ahead', 'numeric', (r) => r.entry.sizeAhead],
    ['level', 'integer', (r) => r.entry.level],
    ['score', 'numeric', (r) => r.entry.score.value],
    ['profit_ratio', 'numeric', (r) => r.entry.score.profitRatio],
    ['leverage', 'numeric', (r) => r.entry.score.leverage],
  ];
  return allSent([inserted, insertMany(tx, 'ranking_entry', entryColumns, entries)]);
}

/** Numbers reserved for the rows. */
export interface EventIds {
  readonly liquidations: readonly string[];
  readonly rankings: readonly string[];
  readonly events: readonly string[];
  readonly legs: readonly string[];
}

/** Sends everything about the events. Liquidations have been sent before. */
export function insertEvents(
  tx: Tx,
  lap: LapKey,
  { events, liquidations }: Outcome,
  ids: EventIds,
  shown: ShownLevels,
): Promise<unknown> {
  const used = byRanking(events);
  const rankings = insertRankings(tx, lap, ids.rankings, used);
  const rankingIds = new Map(used.map((event, i) => [event.ranking.id, idAt(ids.rankings, i)]));
  const tried = new Map(liquidations.map((l, i) => [`${l.accountId} ${l.marketId}`, idAt(ids.liquidations, i)]));
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
  return allSent([
    rankings,
    insertNumbered(tx, 'deleverage_event', ids.events, columns, events),
    insertLegs(tx, events, ids, shown),
    insertSkips(tx, events, ids.events),
  ]);
}

async function insertLegs(
  tx: Tx,
  events: readonly DeleverageEvent[],
  ids: EventIds,
  shown: ShownLevels,
): Promise<void> {
  const rows = events.flatMap((event, i) =>
    event.legs.map((leg, k) => ({
      ...{ leg, ordinal: k + 1, eventId: idAt(ids.events, i), bankruptId: event.accountId },
      shown: shown.get(positionKey({ accountId: leg.accountId, marketId: event.marketId })),
    })),
  );
  const plain = (...names: (keyof Leg)[]): Column<(typeof rows)[number]>[] =>
    names.map((name) => [
      name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      'numeric',
      (r) => r.leg[name],
    ]);
  const columns: Column<(typeof rows)[number]>[] = [
    ['event_id', 'bigint', (r) => r.eventId],
    ['ordinal', 'integer', (r) => r.ordinal],
    ['stage', 'text', (r) => r.leg.stage],
    ['account_id', 'text', (r) => r.leg.accountId],
    ['bankrupt_account_id', 'text', (r) => r.bankruptId],
    ['rank', 'integer', (r) => r.leg.rank],
    ['queue_length', 'integer', (r) => r.leg.queueLength],
    ['level_shown', 'integer', (r) => r.shown?.level ?? null],
    ['level_shown_at', 'timestamptz', (r) => r.shown?.at ?? null],
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
  await insertNumbered(tx, 'deleverage_leg', ids.legs, columns, rows);
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
