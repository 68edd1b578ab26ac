import { AMOUNT_LIMIT, GRID_PLACES, ONE, ZERO, ceilToGrid } from './decimal.js';
import type { Decimal } from './decimal.js';
import { refuse } from './contract.js';
import type { Refusal } from './contract.js';

/** One maintenance-margin step. It ends where the next one begins, so there are no gaps. */
export interface Bracket {
  /** Notional from which on it applies. */
  readonly floor: Decimal;
  readonly maintenanceRate: Decimal;
  readonly initialRate: Decimal;
}

export interface ScheduleStep extends Bracket {
  /** What makes the margin continuous at the floor: floor · (rate − rate before) + deduction before. */
  readonly maintenanceDeduction: Decimal;
  readonly initialDeduction: Decimal;
}

/** Ascending by floor; the first floor is 0. */
export interface Schedule {
  readonly steps: readonly ScheduleStep[];
}

export function checkBrackets(brackets: readonly Bracket[]): Refusal | null {
  const first = brackets[0];
  if (first === undefined) return refuse('brackets', 'a market needs at least one bracket');
  if (!first.floor.isZero()) return refuse('brackets', 'the first bracket must begin at 0');
  let before: Bracket | null = null;
  for (const bracket of brackets) {
    const message = faultOf(bracket, before);
    if (message !== null) return refuse('brackets', message);
    before = bracket;
  }
  return null;
}

function faultOf(bracket: Bracket, before: Bracket | null): string | null {
  const { floor, maintenanceRate, initialRate } = bracket;
  const at = `bracket at ${floor.toFixed()}`;
  if (Math.max(floor.decimalPlaces(), maintenanceRate.decimalPlaces(), initialRate.decimalPlaces()) > GRID_PLACES)
    return `${at}: more than ${GRID_PLACES} decimals`;
  if (floor.gte(AMOUNT_LIMIT)) return `${at}: the floor must be below 10^20`;
  if (maintenanceRate.lt(ZERO) || maintenanceRate.gte(ONE))
    return `${at}: the maintenance rate must be at least 0 and below 1`;
  if (initialRate.lt(maintenanceRate)) return `${at}: the initial rate is below the maintenance rate`;
  if (initialRate.gt(ONE)) return `${at}: the initial rate is above 1`;
  if (before === null) return null;
  if (floor.lte(before.floor)) return `${at}: floors must ascend`;
  if (maintenanceRate.lt(before.maintenanceRate))
    return `${at}: the maintenance rate is below that of the bracket before`;
  if (initialRate.lt(before.initialRate)) return `${at}: the initial rate is below that of the bracket before`;
  return null;
}

/** Of brackets that `checkBrackets` accepts. */
export function makeSchedule(brackets: readonly Bracket[]): Schedule {
  const steps: ScheduleStep[] = [];
  let before: ScheduleStep | undefined;
  for (const { floor, maintenanceRate, initialRate } of brackets) {
    const step: ScheduleStep = {
      floor,
      maintenanceRate,
      initialRate,
      maintenanceDeduction: before
        ? floor.times(maintenanceRate.minus(before.maintenanceRate)).plus(before.maintenanceDeduction)
        : ZERO,
      initialDeduction: before
        ? floor.times(initialRate.minus(before.initialRate)).plus(before.initialDeduction)
        : ZERO,
    };
    steps.push(step);
    before = step;
  }
  if (steps.length === 0) throw new Error('a schedule needs a bracket');
  return { steps };
}

/** The bracket that a notional lies in. */
export function stepOf(schedule: Schedule, notional: Decimal): ScheduleStep {
  let found = schedule.steps[0];
  for (const step of schedule.steps) {
    if (notional.lt(step.floor)) break;
    found = step;
  }
  if (found === undefined) throw new Error('a schedule needs a bracket');
  return found;
}

/** notional · rate − deduction, up to the money grid: a requirement is never understated. */
export function maintenanceAt(step: ScheduleStep, notional: Decimal): Decimal {
  const exact = notional.times(step.maintenanceRate);
  return ceilToGrid(step.maintenanceDeduction.isZero() ? exact : exact.minus(step.maintenanceDeduction));
}

/** notional · initialRate − initialDeduction, up to the money grid. */
export function initialAt(step: ScheduleStep, notional: Decimal): Decimal {
  const exact = notional.times(step.initialRate);
  return ceilToGrid(step.initialDeduction.isZero() ? exact : exact.minus(step.initialDeduction));
}

export function maintenanceOf(schedule: Schedule, notional: Decimal): Decimal {
  return maintenanceAt(stepOf(schedule, notional), notional);
}

export function initialOf(schedule: Schedule, notional: Decimal): Decimal {
  return initialAt(stepOf(schedule, notional), notional);
}
