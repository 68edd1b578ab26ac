import { createHash } from 'node:crypto';
import { Decimal } from '../risk/decimal.js';
import type { Outcome } from '../risk/outcome.js';

/** Numbers of rows and times of the database: they differ between two laps that decided the same. */
const LEFT_OUT: ReadonlySet<string> = new Set(['callId', 'depthSnapshotId']);

/** Equal for two laps that decided the same on the same state, dry or not: no time and no sequence number is in it. */
export function digestOf(outcome: Outcome): string {
  const parts: string[] = [];
  write(parts, outcome);
  return createHash('sha256').update(parts.join('')).digest('hex');
}

/** A text that no other value gives: names and texts in quotes, amounts plain, all in the order of the code. */
function write(parts: string[], value: unknown): void {
  if (value instanceof Decimal) parts.push(value.toFixed());
  else if (Array.isArray(value)) {
    parts.push('[');
    for (const item of value) {
      write(parts, item);
      parts.push(',');
    }
    parts.push(']');
  } else if (typeof value === 'object' && value !== null) {
    parts.push('{');
    for (const name of Object.keys(value)) {
      if (LEFT_OUT.has(name)) continue;
      const field = (value as Record<string, unknown>)[name];
      parts.push(name, ':');
      // A ranking is told by its own digest.
      write(parts, name === 'ranking' ? (field as { id: string }).id : field);
      parts.push(',');
    }
    parts.push('}');
  } else parts.push(JSON.stringify(value));
}
