import { setImmediate } from 'node:timers/promises';
import type { Book } from '../book/book.js';
import type { Tx } from '../db/connect.js';
import { reserveIds } from '../db/insert-many.js';
import { countRankings, insertEvents } from '../db/lap-events.js';
import * as history from '../db/lap-history.js';
import { loadShownLevels, type PositionName } from '../db/lap-inputs.js';
import { haltMarkets, publishLevels } from '../db/lap-state.js';
import { lockAccounts, lockMarkets } from '../db/locks.js';
import { allSent, Pipeline } from '../db/pipeline.js';
import { insertExpired } from '../db/record-exemptions.js';
import { appendLedger } from '../db/record-ledger.js';
import { announce } from '../db/record-notice.js';
import { writePositions } from '../db/record-positions.js';
import { addMilliseconds } from '../risk/instant.js';
import type { Cause, Outcome } from '../risk/outcome.js';
import { digestOf } from './digest.js';
import { findLevels } from './find-levels.js';
import type { Lap } from './lap.js';

/** That a lap publishes: the first one of a large venue would not end in its time if it published all. */
const MOST_LEVELS = 100_000;

export interface LapCounts {
  readonly accounts: number;
  readonly transitions: number;
  readonly callsOpened: number;
  readonly callsMet: number;
  readonly callsLapsed: number;
  readonly liquidations: number;
  readonly fills: number;
  readonly events: number;
  readonly legs: number;
  readonly skips: number;
  readonly badDebts: number;
  readonly exemptionsEnded: number;
}

export function countsOf(lap: Lap): LapCounts {
  const { outcome } = lap;
  const total = (xs: readonly (readonly unknown[])[]): number => xs.reduce((sum, x) => sum + x.length, 0);
  return {
    accounts: lap.book.accountCount,
    transitions: outcome.transitions.length,
    callsOpened: outcome.callsOpened.length,
    callsMet: outcome.callsEnded.filter((end) => end.status === 'MET').length,
    callsLapsed: outcome.callsEnded.filter((end) => end.status === 'LAPSED').length,
    liquidations: outcome.liquidations.length,
    fills: total(outcome.liquidations.map((l) => l.fills)),
    events: outcome.events.length,
    legs: total(outcome.events.map((e) => e.legs)),
    skips: total(outcome.events.map((e) => e.skips)),
    badDebts: outcome.covers.filter((cover) => cover.badDebt.gt(0)).length,
    exemptionsEnded: outcome.exemptionsEnded.length,
  };
}

/** Candidates that its events passed over, by why. */
export function skipsByReason({ outcome }: Lap): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { skips } of outcome.events) for (const { reason } of skips) counts[reason] = (counts[reason] ?? 0) + 1;
  return counts;
}

/** What is left of a stored lap beside its rows. */
export interface Stored {
  readonly digest: string;
  /** The state that the lap left. */
  readonly after: Book;
  /** Whether all of its levels are published; the next lap goes on with those that are not. */
  readonly isPublished: boolean;
}

/**
 * Stores what a lap decided. The accounts that it changed are locked first; one that is no longer as the lap saw it
 * fails. Statements are sent one behind the other, so that the database writes while this process makes the next ones.
 */
export async function storeOutcome(
  tx: Tx,
  lap: Lap,
  key: history.LapKey,
  published: Book | undefined,
): Promise<Stored> {
  const { outcome } = lap;
  const writes = new Pipeline();
  const halted = outcome.halts.map((halt) => halt.marketId);
  writes.send(lockMarkets(tx, halted, 'CHANGE'));
  const changed = [...lap.changed()].map((account) => account.id);
  const ended = outcome.exemptionsEnded.map(({ accountId }) => accountId);
  writes.send(lockAccounts(tx, [...changed, ...ended]));
  const reserved = reserveIds(tx, {
    margin_status_transition: outcome.transitions.length,
    liquidation: outcome.liquidations.length,
    ranking: countRankings(outcome.events),
    deleverage_event: outcome.events.length,
    deleverage_leg: outcome.events.reduce((sum, event) => sum + event.legs.length, 0),
    deficit_cover: outcome.covers.length,
  });
  writes.send(reserved);
  const shown = loadShownLevels(tx, legsOf(outcome));
  writes.send(shown);
  try {
    const digest = await whileWriting(() => digestOf(outcome));
    const ids = await reserved;
    const isHistory = leavesHistory(outcome);
    if (isHistory) writes.send(history.insertLap(tx, key, digest, outcome.more));
    writes.send(insertExpired(tx, key, outcome.exemptionsEnded));
    writes.send(storeCalls(tx, lap, key, ids.margin_status_transition));
    writes.send(history.insertLiquidations(tx, key, ids.liquidation, outcome.liquidations));
    const { ranking: rankings, deleverage_event: events, deleverage_leg: legs, liquidation: liquidations } = ids;
    // Costly for the database, so that it has work while the rankings are written out here.
    writes.send(
      storeBookings(tx, outcome, key, { LIQUIDATION: liquidations, DELEVERAGE: events, COVER: ids.deficit_cover }),
    );
    writes.send(insertEvents(tx, key, outcome, { rankings, events, legs, liquidations }, await shown));
    writes.send(history.insertCovers(tx, key, ids.deficit_cover, outcome.covers));
    writes.send(history.insertForcedTrades(tx, key, forcedTrades(outcome, liquidations, legs)));
    writes.send(haltMarkets(tx, key, outcome.halts));
    writes.send(history.insertLapPrices(tx, key, isHistory ? lapPrices(lap) : []));
    const after = await whileWriting(() => lap.bookAfter());
    const { changed: newLevels, gone } = await findLevels(tx, after, published);
    writes.send(publishLevels(tx, key, newLevels.slice(0, MOST_LEVELS), gone));
    writes.send(announce(tx, 'lap'));
    return { digest, after, isPublished: newLevels.length <= MOST_LEVELS };
  } finally {
    await writes.done();
  }
}

/** Works when the statements begun beside it have left for the database, so that both sides are busy at once. */
async function whileWriting<T>(work: () => T): Promise<T> {
  await setImmediate();
  await setImmediate();
  return work();
}

function storeCalls(tx: Tx, lap: Lap, key: history.LapKey, ids: readonly string[]): Promise<unknown> {
  const { outcome, book, venue } = lap;
  // The first of the lap is the one of step 1, which the calls of step 2 follow.
  const transitionOf = new Map([...outcome.transitions.entries()].reverse().map(([i, t]) => [t.accountId, ids[i]]));
  const terms: history.CallTerms = {
    deadline: addMilliseconds(key.at, venue.callDeadlineMs),
    latestDeadline: addMilliseconds(key.at, Math.max(venue.callDeadlineMs, venue.callExtensionCapMs)),
    onLapse: venue.onCallLapse,
  };
  const opened = outcome.callsOpened.map((call) => {
    const transitionId = transitionOf.get(call.accountId) ?? book.lastStatus(call.accountId)?.transitionId;
    if (transitionId === undefined)
      throw new Error(`a margin call of ${call.accountId} without the transition that caused it`);
    return { ...call, transitionId };
  });
  const released = outcome.callsReleased.map((call) => call.callId);
  return allSent([
    history.insertTransitions(tx, key, ids, outcome.transitions),
    history.endCalls(tx, key, outcome.callsEnded),
    history.releaseCalls(tx, key, released),
    history.insertCalls(tx, key, terms, opened),
  ]);
}

async function storeBookings(
  tx: Tx,
  outcome: Outcome,
  key: history.LapKey,
  ids: Record<Cause['kind'], readonly string[]>,
): Promise<void> {
  const causeId = (cause: Cause): string => {
    const id = ids[cause.kind][cause.index];
    if (id === undefined) throw new Error(`no stored ${cause.kind} ${String(cause.index)}`);
    return id;
  };
  await writePositions(
    tx,
    outcome.positionChanges.map((change) => {
      const cause = change.cause.kind;
      if (cause === 'COVER') throw new Error('a cover changes no position');
      return { ...change, cause, causeId: causeId(change.cause), at: key.at };
    }),
  );
  await appendLedger(
    tx,
    outcome.ledger.map((entry) => ({
      ...entry,
      cause: entry.cause.kind,
      causeId: causeId(entry.cause),
      lapId: key.id,
      at: key.at,
    })),
  );
}

/** `side` is that of the account's position that was closed; for the legs of an ADL the account is the bankrupt. */
function forcedTrades(
  outcome: Outcome,
  liquidationIds: readonly string[],
  legIds: readonly string[],
): history.ForcedTrade[] {
  let place = 0;
  const fromLiquidations = outcome.liquidations.flatMap((liquidation, i) =>
    liquidation.fills.map((fill) => ({
      kind: 'LIQUIDATION',
      marketId: liquidation.marketId,
      accountId: liquidation.accountId,
      counterpartyId: liquidation.counterpartyId,
      side: liquidation.sizeBefore.isNegative() ? 'SHORT' : 'LONG',
      size: fill.size,
      value: fill.value,
      price: fill.price,
      liquidationId: liquidationIds[i] ?? null,
      legId: null,
    })),
  );
  const fromLegs = outcome.events.flatMap((event) =>
    event.legs.map((leg) => ({
      kind: leg.stage,
      marketId: event.marketId,
      accountId: event.accountId,
      counterpartyId: leg.accountId,
      side: event.sizeBefore.isNegative() ? 'SHORT' : 'LONG',
      size: leg.sizeClosed,
      value: leg.value.neg(),
      price: leg.price,
      liquidationId: null,
      legId: legIds[place++] ?? null,
    })),
  );
  return [...fromLiquidations, ...fromLegs];
}

/** Position of every leg, by its event's market. */
function legsOf({ events }: Outcome): PositionName[] {
  return events.flatMap(({ marketId, legs }) => legs.map(({ accountId }) => ({ accountId, marketId })));
}

/** A lap that found nothing to do leaves its run alone. */
function leavesHistory(outcome: Outcome): boolean {
  return Object.values(outcome).some((rows) => Array.isArray(rows) && rows.length > 0);
}

function lapPrices(lap: Lap): history.LapPrice[] {
  return [...lap.book.marks].map(([marketId, mark]) => ({ marketId, ...mark }));
}
