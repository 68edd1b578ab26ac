import type { CheckedBook } from './book/self-check.js';
import type { LapMemory } from './engine/run-lap.js';

/** No lap takes longer: the server ends it. */
const LONGEST_LAP_MS = 20_000;

/** The followed book, and with it what the last lap of this process remembers: what one of them missed, both did. */
export function withLapsOf(book: CheckedBook, memory: LapMemory, longestLapMs = LONGEST_LAP_MS): CheckedBook {
  const forget = (): void => {
    delete memory.last;
  };
  return {
    inspect: (look) => book.inspect(look),
    rebuild: async () => {
      forget();
      // A lap that is under way now will remember once more what it began with.
      setTimeout(forget, longestLapMs).unref();
      await book.rebuild();
    },
  };
}
