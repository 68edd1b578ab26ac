import type { Sql, Tx } from '../../src/db/connect.js';

/** The same connections, with `before` called before every statement of a transaction or outside of one, and before every commit. */
export function counted<T extends Sql | Tx>(sql: T, before: () => void): T {
  return new Proxy(sql, {
    apply(target, self, words: unknown[]) {
      // Identifiers and lists are made by the same function, and are no statements.
      if (Array.isArray(words[0]) && Object.hasOwn(words[0], 'raw')) before();
      return Reflect.apply(target as unknown as (...words: unknown[]) => unknown, self, words);
    },
    get(target, key, receiver) {
      if (key === 'begin') {
        return (mode: string, work: (tx: Tx) => Promise<unknown>) =>
          (target as Sql).begin(mode, async (tx) => {
            const answer = await work(counted(tx, before));
            before();
            return answer;
          });
      }
      const value: unknown = Reflect.get(target, key, receiver);
      if (key !== 'unsafe') return value;
      return (...words: unknown[]) => {
        before();
        return Reflect.apply(value as (...words: unknown[]) => unknown, target, words);
      };
    },
  });
}
