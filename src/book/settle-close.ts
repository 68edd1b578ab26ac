import { at } from './column-reader.js';

/**
 * Sorts exactly whatever stands so close that its floats may err. `order` is descending by floats; `lows`, `highs`: what
 * each exact value may be. `isTied`: all exact values are known to be one.
 */
export function settleClose(
  order: Uint32Array,
  lows: Float64Array,
  highs: Float64Array,
  sortExactly: (close: Uint32Array, isTied: boolean) => void,
): void {
  const count = lows.length;
  // From here on the highest that it or anyone behind it may be.
  for (let i = count - 2; i >= 0; i--) highs[i] = Math.max(at(highs, i), at(highs, i + 1));
  let start = 0;
  let lowest = Number.POSITIVE_INFINITY;
  for (let i = 0; i < count; i++) {
    lowest = Math.min(lowest, at(lows, i));
    if (i + 1 < count && lowest <= at(highs, i + 1)) continue;
    if (i > start) sortExactly(order.subarray(start, i + 1), lowest === at(highs, start));
    start = i + 1;
    lowest = Number.POSITIVE_INFINITY;
  }
}
