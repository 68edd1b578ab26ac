import type { LapMemory } from '../../src/engine/run-lap.js';
import { takeBook, type TakenBook } from '../../src/book/take-book.js';

/** What an engine remembers when nothing but its laps brings its book up to date. */
export function lapMemory(): LapMemory {
  let last: TakenBook | undefined;
  return {
    books: {
      inTurn: (work) => {
        const base = last;
        return work(async (tx, at) => (last = await takeBook(tx, at, base)));
      },
    },
  };
}
