import type { Sql } from './db/connect.js';
import { readEventInputs } from './db/read-event-inputs.js';
import { inTransaction } from './db/transaction.js';
import { verifyEvent, type Difference, type VerifiedPart } from './engine/verify-event.js';
import { BackstopError } from './errors.js';

const EVENT_NUMBER = /^[1-9]\d{0,17}$/;
/** Differences that are told of a part; one wrong size moves every size ahead behind it. */
const MOST_TOLD = 20;

/** Makes a stored ADL event again from what is stored of its lap. */
export async function verifyStoredEvent(sql: Sql, event: string): Promise<VerifiedPart[]> {
  const inputs = EVENT_NUMBER.test(event)
    ? await inTransaction(sql, { isolation: 'repeatable read' }, (tx) => readEventInputs(tx, event))
    : undefined;
  if (inputs === undefined) throw new BackstopError('NOT_FOUND', `There is no ADL event ${event}.`);
  return verifyEvent(inputs);
}

export function isEqual(parts: readonly VerifiedPart[]): boolean {
  return parts.every(({ differences }) => differences.length === 0);
}

/** One line a part, and one for each figure that differs. */
export function tellVerifiedEvent(parts: readonly VerifiedPart[]): string {
  return parts.map((part) => `${[tellPart(part), ...tellDifferences(part)].join('\n')}\n`).join('');
}

function tellPart({ part, figures, differences, storedDigest, recomputedDigest }: VerifiedPart): string {
  if (differences.length === 0) return `${part} equal: ${String(figures)} figures, digest ${storedDigest}`;
  const digests = `digest stored ${storedDigest}, recomputed ${recomputedDigest}`;
  return `${part} DIFFERS in ${String(differences.length)} of ${String(figures)} figures; ${digests}`;
}

function tellDifferences({ differences }: VerifiedPart): string[] {
  const told = differences.slice(0, MOST_TOLD).map(tellDifference);
  const more = differences.length - told.length;
  return more > 0 ? [...told, `  … and ${String(more)} more`] : told;
}

function tellDifference({ name, stored, recomputed }: Difference): string {
  return `  ${name}: stored ${stored ?? 'nothing'}, recomputed ${recomputed ?? 'nothing'}`;
}
