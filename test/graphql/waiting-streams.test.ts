import { describe, expect, it } from '@jest/globals';
import { Pulse } from '../../src/graphql/live/pulse.js';
import { eventStream, stateStream } from '../../src/graphql/live/streams.js';

/** What a stream did, in order; `renewed`: it let go of the book and of what it had read. */
function followed() {
  const done: string[] = [];
  const pulse = new Pulse(60_000);
  return { done, pulse, parts: { pulse }, renew: () => done.push('renewed') };
}

/** Takes what there is, until the stream waits. */
async function drain<T>(stream: AsyncGenerator<T, void>, values: number): Promise<void> {
  for (let i = 0; i < values; i++) await stream.next();
  void stream.next();
  await new Promise((resolve) => setTimeout(resolve, 0));
}

describe('a stream that waits', () => {
  it('holds no book: whoever watches what seldom happens would keep a state of his own alive for days', async () => {
    const { done, pulse, ...of } = followed();
    const events = eventStream(of, {
      name: 'events',
      from: '0',
      read: ({ after }) => {
        done.push(`read after ${after}`);
        return Promise.resolve(after === '0' ? ['1'] : []);
      },
      placeOf: (row) => row,
      show: (row) => done.push(`shown ${row}`),
    });
    await drain(events, 1);
    expect(done).toEqual(['read after 0', 'renewed', 'shown 1', 'renewed']);
    pulse.stop();
  });

  it('of states neither', async () => {
    const { done, pulse, ...of } = followed();
    const states = stateStream(of, () => {
      done.push('looked');
      return [{ name: 'a', state: '1', value: 1 }];
    });
    await drain(states, 1);
    expect(done).toEqual(['renewed', 'looked', 'renewed']);
    pulse.stop();
  });
});
