import { dec } from '../risk/decimal.js';
import type { Instant } from '../risk/instant.js';

/** A stored amount as plain text, without the zeros that the column pads it with. */
export function amount(stored: string): string {
  return dec(stored).toFixed();
}

export function withoutSign(stored: string): string {
  return dec(stored).abs().toFixed();
}

export function isNegative(stored: string): boolean {
  return dec(stored).lt(0);
}

/** `2025-10-10 21:14:00 UTC`; the fraction only where there is one. */
export function time(at: Instant): string {
  const fraction = at.slice(20, 26).replace(/0+$/, '');
  return `${at.slice(0, 10)} ${at.slice(11, 19)}${fraction === '' ? '' : `.${fraction}`} UTC`;
}

export function sideWord(size: string): 'long' | 'short' {
  return isNegative(size) ? 'short' : 'long';
}

/** `3.5 contracts`, `1 contract`; without sign. */
export function contracts(stored: string): string {
  const size = withoutSign(stored);
  return `${size} ${size === '1' ? 'contract' : 'contracts'}`;
}

export function count(n: number, one: string, many = `${one}s`): string {
  return `${n} ${n === 1 ? one : many}`;
}
