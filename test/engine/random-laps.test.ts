import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { digestOf } from '../../src/engine/digest.js';
import type { DepthLeft } from '../../src/engine/lap.js';
import type { Decimal } from '../../src/risk/decimal.js';
import { brokenLaws } from '../support/lap-laws.js';
import { MemoryLaps } from '../support/memory-laps.js';
import { bookPlan } from '../support/random-plan.js';

const RUNS = 300;

describe('a random lap', () => {
  it('keeps every invariant', () => {
    const seen = {
      expired: 0,
      exempt: 0,
      exemptAtMark: 0,
      liquidations: 0,
      events: 0,
      legs: 0,
      skips: 0,
      atMark: 0,
      covers: 0,
      halts: 0,
      held: 0,
      lapsed: 0,
    };
    fc.assert(
      fc.property(bookPlan, (plan) => {
        const laps = new MemoryLaps(plan);
        for (const index of plan.laps.keys()) {
          const lap = laps.run(index);
          expect(brokenLaws(lap)).toEqual([]);
          const { outcome } = lap;
          seen.liquidations += outcome.liquidations.filter((l) => l.fills.length > 0).length;
          seen.events += outcome.events.length;
          for (const { legs, skips } of outcome.events) {
            seen.legs += legs.length;
            seen.skips += skips.length;
            seen.exempt += skips.filter((skip) => skip.reason === 'EXEMPT').length;
            seen.exemptAtMark += legs.filter((leg) => lap.exemptIds.includes(leg.accountId)).length;
            seen.atMark += legs.filter((leg) => leg.stage === 'CLOSE_AT_MARK').length;
          }
          seen.covers += outcome.covers.length;
          seen.halts += outcome.halts.length;
          seen.held += lap.heldIds.length;
          seen.expired += outcome.exemptionsEnded.length;
          seen.lapsed += outcome.callsEnded.filter((end) => end.status === 'LAPSED').length;
        }
      }),
      { numRuns: RUNS },
    );
    // A property that never meets what it is about says nothing.
    expect(Object.entries(seen).filter(([, count]) => count === 0)).toEqual([]);
  });

  it('does not depend on the order in which accounts are read', () => {
    fc.assert(
      fc.property(bookPlan, (plan) => {
        const [laps, mirrored] = [new MemoryLaps(plan), new MemoryLaps(plan)];
        for (const index of plan.laps.keys()) {
          mirrored.reorder((accounts) => [...accounts].reverse());
          const [lap, other] = [laps.run(index), mirrored.run(index)];
          for (const marketId of lap.book.markets.keys()) {
            for (const side of ['LONG', 'SHORT'] as const) {
              expect(other.book.ranking(marketId, side).id).toBe(lap.book.ranking(marketId, side).id);
            }
          }
          expect(stateOf(other)).toEqual(stateOf(lap));
        }
      }),
      { numRuns: RUNS / 5 },
    );
  });

  it('gives the same for many small fills as for few large ones', () => {
    fc.assert(
      fc.property(bookPlan, (plan) => {
        const [laps, split] = [new MemoryLaps(plan), new MemoryLaps(plan)];
        for (const index of plan.laps.keys()) {
          expect(stateOf(split.run(index, { cut: inLots }))).toEqual(stateOf(laps.run(index)));
        }
      }),
      { numRuns: RUNS / 5 },
    );
  });

  it('is a function of what it was given', () => {
    fc.assert(
      fc.property(bookPlan, (plan) => {
        const [laps, again] = [new MemoryLaps(plan), new MemoryLaps(plan)];
        for (const index of plan.laps.keys()) {
          expect(digestOf(again.run(index).outcome)).toBe(digestOf(laps.run(index).outcome));
        }
      }),
      { numRuns: RUNS / 10 },
    );
  });
});

/** Every level as two of the same price: one lot of it, then the rest. */
function inLots(depth: DepthLeft, lot: Decimal): DepthLeft {
  const cut = (levels: DepthLeft['bids']): DepthLeft['bids'] =>
    levels.flatMap((level) =>
      level.size.gt(lot)
        ? [
            { ...level, size: lot },
            { ...level, size: level.size.minus(lot) },
          ]
        : [level],
    );
  return { ...depth, bids: cut(depth.bids), asks: cut(depth.asks) };
}

function stateOf(lap: ReturnType<MemoryLaps['run']>): string[] {
  return [...lap.book.accountIds()].map((id) => {
    const { balance, positions } = lap.account(id);
    const held = [...positions]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([m, p]) => `${m} ${p.size.toFixed()} ${p.cost.toFixed()}`);
    return `${id} ${balance.toFixed()} ${held.join(', ')}`;
  });
}
