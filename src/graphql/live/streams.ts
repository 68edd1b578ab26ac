import type { Since } from '../../db/read-since.js';
import type { Pulse } from './pulse.js';

/** Something that is shown: `state` says whether it is another than before. */
export interface Shown<T> {
  readonly name: string;
  readonly state: string;
  readonly value: T;
}

/** What a stream is of, before each look as it is now. */
export interface Followed {
  readonly parts: { readonly pulse: Pulse };
  renew(): void;
}

export type Look<T> = () => readonly Shown<T>[] | Promise<readonly Shown<T>[]>;

/**
 * The current value of each thing, then its newest whenever its state is another. What changes while the reader is busy is told
 * once, as it is when he comes back, so a slow reader costs no memory.
 */
export function stateStream<T>(followed: Followed, look: Look<T>): AsyncGenerator<T, void> {
  return untilLeft((reader) => states(followed, reader, look));
}

async function* states<T>(followed: Followed, reader: Reader, look: Look<T>): AsyncGenerator<T, void> {
  const { pulse } = followed.parts;
  let told = new Map<string, string>();
  while (!pulse.isOver && !reader.hasLeft) {
    const { count } = pulse;
    // Once: all that is told of one look is of one book, in which it is there.
    followed.renew();
    const now = new Map<string, string>();
    for (const { name, state, value } of await look()) {
      now.set(name, state);
      if (told.get(name) !== state) yield value;
    }
    told = now;
    // Whoever waits holds no book.
    followed.renew();
    await pulse.after(count);
  }
}

export interface Events<Row, T> {
  /** The same for streams that tell the same. */
  readonly name: string;
  /** Place of the last row that was seen. */
  readonly from: string;
  /** Shared with other readers: nothing of it may end with this one. */
  readonly read: (since: Since) => Promise<readonly Row[]>;
  readonly placeOf: (row: Row) => string;
  readonly show: (row: Row) => T;
}

const ROWS_AT_ONCE = 100;

/** Every row behind a place, in commit order, a page at a time; at the end it waits for news. */
export function eventStream<Row, T>(followed: Followed, events: Events<Row, T>): AsyncGenerator<T, void> {
  return untilLeft((reader) => rowsOf(followed, reader, events));
}

async function* rowsOf<Row, T>(
  followed: Followed,
  reader: Reader,
  { name, from, read, placeOf, show }: Events<Row, T>,
): AsyncGenerator<T, void> {
  const { pulse } = followed.parts;
  let after = from;
  while (!pulse.isOver && !reader.hasLeft) {
    const { count } = pulse;
    const since = { after, limit: ROWS_AT_ONCE };
    const rows = await pulse.shared(`${name} ${after}`, () => read(since));
    for (const row of rows) {
      after = placeOf(row);
      followed.renew();
      yield show(row);
    }
    followed.renew();
    if (rows.length < ROWS_AT_ONCE) await pulse.after(count);
  }
}

interface Reader {
  hasLeft: boolean;
}

/** A generator that waits does not hear that nobody wants its next value; this one finds out when it has waited. */
function untilLeft<T>(make: (reader: Reader) => AsyncGenerator<T, void>): AsyncGenerator<T, void> {
  const reader = { hasLeft: false };
  const stream = make(reader);
  const end = stream.return.bind(stream);
  stream.return = (value) => {
    reader.hasLeft = true;
    return end(value);
  };
  return stream;
}
