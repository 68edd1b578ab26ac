const DIGIT_BITS = 11;
const BUCKETS = 2 ** DIGIT_BITS;
const MASK = BUCKETS - 1;
/** Three digits of eleven bits hold a word of 32. */
const SHIFTS = [0, DIGIT_BITS, 2 * DIGIT_BITS] as const;

/** Of the longest sort so far: fresh memory costs more than the walks over it. */
let scratch = columnsOf(0);

/**
 * The places of the keys, highest key first; equal ones in the order given. No key may be NaN. A radix sort over the
 * high word of the doubles, in which most keys differ, and a comparing sort of the few that share one. What it returns
 * holds until the next call.
 */
export function placesDescending(keys: Float64Array): Uint32Array {
  const count = keys.length;
  if (scratch.highs.length < count) scratch = columnsOf(count);
  // The words go along with the places: each is read in order.
  let [highs, places] = [scratch.highs.subarray(0, count), scratch.places.subarray(0, count)];
  let [nextHighs, nextPlaces] = [scratch.nextHighs.subarray(0, count), scratch.nextPlaces.subarray(0, count)];
  const words = new Uint32Array(keys.buffer, keys.byteOffset, count * 2);
  for (let i = 0; i < count; i++) {
    highs[i] = descending(words[2 * i + 1] ?? 0);
    places[i] = i;
  }
  const starts = new Uint32Array(BUCKETS);
  for (const shift of SHIFTS) {
    starts.fill(0);
    for (let i = 0; i < count; i++) {
      const digit = ((highs[i] ?? 0) >>> shift) & MASK;
      starts[digit] = (starts[digit] ?? 0) + 1;
    }
    let start = 0;
    for (let digit = 0; digit < BUCKETS; digit++) {
      const size = starts[digit] ?? 0;
      starts[digit] = start;
      start += size;
    }
    for (let i = 0; i < count; i++) {
      const high = highs[i] ?? 0;
      const digit = (high >>> shift) & MASK;
      const to = starts[digit] ?? 0;
      starts[digit] = to + 1;
      nextHighs[to] = high;
      nextPlaces[to] = places[i] ?? 0;
    }
    [highs, places, nextHighs, nextPlaces] = [nextHighs, nextPlaces, highs, places];
  }
  settleRuns(keys, highs, places);
  return places;
}

function columnsOf(count: number) {
  const column = () => new Uint32Array(count);
  return { highs: column(), places: column(), nextHighs: column(), nextPlaces: column() };
}

/** Order of unsigned words that is the descending order of the doubles whose high words they are. */
function descending(high: number): number {
  return high >>> 31 === 0 ? ~high & 0x7fffffff : high;
}

/** Sorts each run of places whose keys have one high word by the whole keys. `highs`: by place in the order. */
function settleRuns(keys: Float64Array, highs: Uint32Array, places: Uint32Array): void {
  let start = 0;
  for (let i = 1; i <= places.length; i++) {
    if (i < places.length && highs[i] === highs[start]) continue;
    if (i - start > 1) places.subarray(start, i).sort((a, b) => (keys[b] ?? 0) - (keys[a] ?? 0));
    start = i;
  }
}
