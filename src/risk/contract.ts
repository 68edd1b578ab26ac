import { AMOUNT_LIMIT, GRID_PLACES, signOf, truncatedFraction } from './decimal.js';
import type { Decimal } from './decimal.js';

/** Why a value is not accepted. An answer, not an error: the caller decides what to do with it. */
export interface Refusal {
  readonly code: 'BAD_INPUT';
  /** Name of the field that is at fault. */
  readonly field: string;
  readonly message: string;
}

export function refuse(field: string, message: string): Refusal {
  return { code: 'BAD_INPUT', field, message };
}

export type Payoff = 'LINEAR' | 'INVERSE';
export type Side = 'LONG' | 'SHORT';

export interface Contract {
  readonly id: string;
  readonly payoff: Payoff;
  readonly settlementAssetId: string;
  /** LINEAR: units of the base asset a contract stands for. INVERSE: units of the quote currency. */
  readonly contractSize: Decimal;
  readonly priceTick: Decimal;
  /** The smallest size, in contracts; every size is a multiple of it. It is also called a lot. */
  readonly sizeStep: Decimal;
}

export function checkContract(
  contract: Pick<Contract, 'payoff' | 'contractSize' | 'priceTick' | 'sizeStep'>,
): Refusal | null {
  for (const field of ['contractSize', 'priceTick', 'sizeStep'] as const) {
    const x = contract[field];
    if (signOf(x) <= 0 || x.gte(AMOUNT_LIMIT)) return refuse(field, `${field} must be above 0 and below 10^20`);
    if (x.decimalPlaces() > GRID_PLACES) return refuse(field, `${field} has more than ${GRID_PLACES} decimals`);
  }
  const { contractSize, priceTick, sizeStep } = contract;
  const places = contractSize.decimalPlaces() + sizeStep.decimalPlaces() + priceTick.decimalPlaces();
  if (contract.payoff === 'LINEAR' && places > GRID_PLACES) {
    const message = `the decimals of contractSize, sizeStep and priceTick of a linear market add up to ${places}, more than ${GRID_PLACES}: values would not be exact`;
    return refuse('priceTick', message);
  }
  return null;
}

/** Whether a size, of any sign but not 0, is a whole number of lots. */
export function isWholeLots(contract: Contract, size: Decimal): boolean {
  return !size.isZero() && size.abs().lt(AMOUNT_LIMIT) && size.mod(contract.sizeStep).isZero();
}

/** Whether values at this price are exact: positive, and in a LINEAR market with no more decimals than the tick. */
export function isPriceOf(contract: Contract, price: Decimal): boolean {
  const places = contract.payoff === 'LINEAR' ? contract.priceTick.decimalPlaces() : GRID_PLACES;
  return signOf(price) > 0 && price.lt(AMOUNT_LIMIT) && price.decimalPlaces() <= places;
}

/** What a value is made from. */
export type Terms = Pick<Contract, 'payoff' | 'contractSize' | 'sizeStep'>;

/**
 * Worth of a signed size at a price, in the settlement asset. LINEAR: size · contractSize · price, exact.
 * INVERSE: −size · contractSize ÷ price, where the value of one lot is truncated and a size is worth its lots times that,
 * so that the values of parts add up to the value of the whole.
 */
export function value(contract: Terms, size: Decimal, price: Decimal): Decimal {
  if (contract.payoff === 'LINEAR') return size.times(contract.contractSize).times(price);
  const lotValue = truncatedFraction(contract.sizeStep.times(contract.contractSize), price);
  return size.dividedToIntegerBy(contract.sizeStep).times(lotValue).neg();
}

export function sideOf(size: Decimal): Side {
  return size.isNegative() ? 'SHORT' : 'LONG';
}

export function oppositeOf(side: Side): Side {
  return side === 'LONG' ? 'SHORT' : 'LONG';
}

/** x of the same sign as the model: +|x| beside a long, −|x| beside a short. */
export function signedLike(model: Decimal, x: Decimal): Decimal {
  return model.isNegative() ? x.abs().neg() : x.abs();
}
