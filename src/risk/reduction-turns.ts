import { ONE, ZERO, max, min, signOf } from './decimal.js';
import type { Decimal } from './decimal.js';
import { lotsIn } from './lots.js';
import { positionIn } from './margin.js';
import type { AccountValuation, Market } from './margin.js';

/** A run of reductions, counted in size steps, that ends at `to` and begins behind the run before it. */
export interface Turn {
  readonly to: Decimal;
  /** Whether more of it raises the score. */
  readonly rises: boolean;
}

/**
 * Where reducing a position raises its score instead of lowering it.
 *
 * A reduction at mark leaves equity E and r = uPnL ÷ |cost| as they are, and the score rises with L. ACCOUNT_RETURN: L = n ÷ E
 * falls with the notional n. LEVERAGED_RETURN: L = n · (m + M) ÷ (E · m), where m = rate · n − deduction is its maintenance and M
 * that of the account's other positions. By n it changes as 1 − M · deduction ÷ m²: less than nothing where m < √(M · deduction).
 * So each bracket has at most one turn, and a bracket begins another run, since the formula is another one.
 */
export function reductionTurns(v: AccountValuation, market: Market, most: Decimal): Turn[] {
  const { size, notional, maintenance } = positionIn(v, market.id);
  const rest = v.maintenance.minus(maintenance);
  if (
    market.policy.score === 'ACCOUNT_RETURN' ||
    v.positions.length === 1 ||
    signOf(v.equity) <= 0 ||
    notional.isZero()
  )
    return within([{ to: most, rises: false }], most);
  // Steps after which no less than that notional is left.
  const stepsTo = (left: Decimal): Decimal =>
    lotsIn(size.abs().times(notional.minus(left)), notional.times(market.sizeStep));
  const turns: Turn[] = [];
  for (const { floor, maintenanceRate: rate, maintenanceDeduction: deduction } of [
    ...market.schedule.steps,
  ].reverse()) {
    if (floor.gt(notional)) continue;
    if (signOf(rest) > 0 && signOf(deduction) > 0) {
      const turn = deduction.plus(rest.times(deduction).sqrt());
      // turn ÷ rate is the notional there, compared without the division.
      if (turn.gt(floor.times(rate)))
        turns.push({ to: turn.gte(notional.times(rate)) ? ZERO : stepsTo(turn.dividedBy(rate)), rises: false });
      turns.push({ to: stepsTo(floor), rises: turn.gt(floor.times(rate)) });
    } else turns.push({ to: stepsTo(floor), rises: false });
  }
  return within(turns, most);
}

/** Those that have a step of their own, the last one ending at `most`. */
function within(turns: readonly Turn[], most: Decimal): Turn[] {
  const ends = turns.map(({ to }) => min(max(to, ZERO), most));
  return turns
    .map(({ rises }, k): Turn => ({ to: k === turns.length - 1 ? most : (ends[k] ?? most), rises }))
    .filter(({ to }, k) => to.minus(k === 0 ? ZERO : (ends[k - 1] ?? ZERO)).gte(ONE));
}
