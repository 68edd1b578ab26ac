import { createHash } from 'node:crypto';
import { Decimal } from '../risk/decimal.js';
import type { Outcome } from '../risk/outcome.js';
import type { PublishedRanking } from '../risk/ranking.js';

/** Equal for two laps that decided the same on the same state, dry or not: no time and no sequence number is in it. */
export function digestOf(outcome: Outcome): string {
  const text = JSON.stringify(outcome, function (this: Record<string, unknown>, key, value: unknown) {
    // JSON.stringify has already called toJSON of a Decimal: take the value itself, as plain text.
    const raw = this[key];
    if (Decimal.isDecimal(raw)) return raw.toFixed();
    if (key === 'ranking') return (raw as PublishedRanking).id;
    if (key === 'callId' || key === 'depthSnapshotId' || key === 'levelShownAt') return undefined;
    return value;
  });
  return createHash('sha256').update(text).digest('hex');
}
