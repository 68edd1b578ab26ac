import { GRID_PLACES, ONE, truncatedFraction, type Decimal } from './decimal.js';

export type Payoff = 'LINEAR' | 'INVERSE';
export type Side = 'LONG' | 'SHORT';

/** Why something is refused: a code and a sentence. */
export interface Refusal {
  readonly code: string;
  readonly message: string;
}

/** What a value depends on: size in contracts, price in quote units per contract unit. */
export interface Contract {
  readonly id: string;
  readonly payoff: Payoff;
  readonly settlementAssetId: string;
  readonly contractSize: Decimal;
  readonly priceTick: Decimal;
  readonly sizeStep: Decimal;
}

type Steps = Pick<Contract, 'payoff' | 'contractSize' | 'priceTick' | 'sizeStep'>;

/** LINEAR: decimals of contract size, size step and tick together at most 18, so that every value is exact. */
export function checkContract(c: Steps): Refusal | null {
  for (const [name, x] of [['contractSize', c.contractSize], ['priceTick', c.priceTick], ['sizeStep', c.sizeStep]] as const) {
    if (!x.gt(0)) return { code: 'BAD_INPUT', message: `${name} must be positive` };
  }
  const places = c.contractSize.decimalPlaces() + c.sizeStep.decimalPlaces() + c.priceTick.decimalPlaces();
  if (c.payoff === 'INVERSE' || places <= GRID_PLACES) return null;
  return {
    code: 'BAD_INPUT',
    message: `contractSize, sizeStep and priceTick have ${String(places)} decimals together; a LINEAR market may have ${String(GRID_PLACES)}`,
  };
}

/**
 * Value of a signed size at a price, in the settlement asset (domain.md §2). LINEAR: size · contractSize · price,
 * exact. INVERSE: −size · contractSize ÷ price, where the value of one size step is truncated and a size is worth its
 * number of steps times that, so that values of parts add up.
 */
export function value(c: Steps, size: Decimal, price: Decimal): Decimal {
  if (c.payoff === 'LINEAR') return size.times(c.contractSize).times(price);
  const ofOneStep = truncatedFraction(c.sizeStep.times(c.contractSize), price);
  return size.dividedToIntegerBy(c.sizeStep).times(ofOneStep).neg();
}

/** The price at which a size has a value, truncated, for display only; null when it would not be positive. */
export function priceOf(c: Steps, size: Decimal, v: Decimal): Decimal | null {
  const contracts = size.times(c.contractSize);
  if (contracts.isZero() || v.isZero()) return null;
  const price = c.payoff === 'LINEAR' ? truncatedFraction(v, contracts) : truncatedFraction(contracts.neg(), v);
  return price.gt(0) ? price : null;
}

export function sideOf(size: Decimal): Side {
  return size.isNegative() ? 'SHORT' : 'LONG';
}

/** +1 or −1. */
export function signOf(size: Decimal): Decimal {
  return size.isNegative() ? ONE.neg() : ONE;
}
