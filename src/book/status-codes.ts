import type { LastStatus } from '../db/risk-state.js';
import type { MarginStatus } from '../risk/margin.js';
import { at } from './column-reader.js';
import { HELD_BIT, NO_STATUS, UNRECORDED } from './screen.js';

/** In the order of their codes. */
export const MARGIN_STATUSES: readonly MarginStatus[] = [
  'HEALTHY',
  'WARNING',
  'MARGIN_CALL',
  'LIQUIDATABLE',
  'BANKRUPT',
];

/** One number for a status and whether it is held. */
export function codeOf(status: number, held: number): number {
  return status + held * HELD_BIT;
}

/** An account without a recorded status was HEALTHY all along. */
export function recordedCode(lastCodes: Uint8Array, slot: number): number {
  const last = at(lastCodes, slot);
  return last === UNRECORDED ? 0 : last;
}

/** The status and whether it is held; undefined: none was recorded. */
export function recordedStatus(lastCodes: Uint8Array, slot: number): Omit<LastStatus, 'transitionId'> | undefined {
  const last = at(lastCodes, slot);
  if (last === UNRECORDED) return undefined;
  return { status: MARGIN_STATUSES[last % HELD_BIT] ?? null, held: last >= HELD_BIT };
}

export function statusCode(status: MarginStatus | null): number {
  return status === null ? NO_STATUS : MARGIN_STATUSES.indexOf(status);
}
