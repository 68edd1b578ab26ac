import type { Refusal } from './contract.js';
import { ceilToGrid, ZERO, type Decimal } from './decimal.js';

/** One maintenance-margin step: from this notional on, these rates, as fractions of notional. */
export interface Bracket {
  readonly floor: Decimal;
  readonly maintenanceRate: Decimal;
  readonly initialRate: Decimal;
}

export interface Step extends Bracket {
  readonly maintenanceDeduction: Decimal;
  readonly initialDeduction: Decimal;
}

/** Brackets with the deductions that make the requirement continuous, by floor ascending. */
export interface Schedule {
  readonly steps: readonly Step[];
}

export function checkBrackets(brackets: readonly Bracket[]): Refusal | null {
  const refuse = (message: string): Refusal => ({ code: 'BAD_INPUT', message });
  const first = brackets[0];
  if (first === undefined) return refuse('a market needs at least one bracket');
  if (!first.floor.isZero()) return refuse('the first bracket must begin at notional 0');
  let before: Bracket | undefined;
  for (const b of brackets) {
    if (b.maintenanceRate.lt(0) || b.maintenanceRate.gte(1)) return refuse('a maintenance rate must be at least 0 and below 1');
    if (b.initialRate.lt(b.maintenanceRate) || b.initialRate.gt(1)) return refuse('an initial rate must be at least the maintenance rate and at most 1');
    if (before !== undefined) {
      if (b.floor.lte(before.floor)) return refuse('bracket floors must ascend without gaps or repeats');
      if (b.maintenanceRate.lt(before.maintenanceRate) || b.initialRate.lt(before.initialRate)) return refuse('bracket rates must not fall');
    }
    before = b;
  }
  return null;
}

/** deduction_b = floor_b · (rate_b − rate_{b−1}) + deduction_{b−1}, for both rates (Binance's maintenance amount). */
export function makeSchedule(brackets: readonly Bracket[]): Schedule {
  const steps: Step[] = [];
  for (const b of brackets) {
    const last = steps.at(-1);
    const deduct = (rate: Decimal, lastRate: Decimal, lastDeduction: Decimal): Decimal => b.floor.times(rate.minus(lastRate)).plus(lastDeduction);
    steps.push({
      ...b,
      maintenanceDeduction: last === undefined ? ZERO : deduct(b.maintenanceRate, last.maintenanceRate, last.maintenanceDeduction),
      initialDeduction: last === undefined ? ZERO : deduct(b.initialRate, last.initialRate, last.initialDeduction),
    });
  }
  return { steps };
}

/** notional · rate − deduction, rounded up to the money grid, per position. */
export function maintenanceOf(schedule: Schedule, notional: Decimal): Decimal {
  const step = stepAt(schedule, notional);
  return ceilToGrid(notional.times(step.maintenanceRate).minus(step.maintenanceDeduction));
}

/** Likewise with the initial rates. */
export function initialOf(schedule: Schedule, notional: Decimal): Decimal {
  const step = stepAt(schedule, notional);
  return ceilToGrid(notional.times(step.initialRate).minus(step.initialDeduction));
}

function stepAt({ steps }: Schedule, notional: Decimal): Step {
  for (let b = steps.length - 1; b >= 0; b--) {
    const step = steps[b];
    if (step !== undefined && (b === 0 || notional.gte(step.floor))) return step;
  }
  throw new RangeError('a schedule without brackets');
}
