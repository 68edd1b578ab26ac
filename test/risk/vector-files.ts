import { readFileSync } from 'node:fs';
import path from 'node:path';
import { packageRoot } from '../../src/config.js';

export interface Vector<Input, Expected> {
  readonly id: string;
  readonly kind: string;
  readonly source: string;
  readonly input: Input;
  readonly expected: Expected;
}

/** Numbers that venues publish, or that their own tests assert. */
export function readVectors(file: 'dydx' | 'venues'): readonly Vector<unknown, unknown>[] {
  const text = readFileSync(path.join(packageRoot, 'test', 'vectors', `${file}.json`), 'utf8');
  return (JSON.parse(text) as { vectors: Vector<unknown, unknown>[] }).vectors;
}

/** Vectors about things that Backstop does not have, or does not have yet. Every other vector is a test. */
export const ABSENT: ReadonlyMap<string, string> = new Map([
  ['dydx-candeleverage-04', 'a market in final settlement: no such market status'],
  ['dydx-final-08', 'a market in final settlement: no such market status'],
  ['bybit-adl-trigger-1', 'an ADL trigger by the fall of a pool: FUND_EXHAUSTED is the only trigger'],
  ['okx-adl-threshold-secondhand', 'an ADL trigger by the fall of a pool: FUND_EXHAUSTED is the only trigger'],
]);
