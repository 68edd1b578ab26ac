import { describe, expect, it } from '@jest/globals';
import { Turns } from '../../src/book/turns.js';

describe('turns', () => {
  it('come one at a time, in the order of asking', async () => {
    const turns = new Turns(60_000);
    const told: string[] = [];
    const take = async (name: string): Promise<void> => {
      const end = await turns.begin();
      told.push(`${name} begins`);
      await new Promise((resolve) => setImmediate(resolve));
      told.push(`${name} ends`);
      end();
    };
    await Promise.all([take('a'), take('b'), take('c')]);
    expect(told).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
  });

  it('do not wait for one that never ends', async () => {
    const turns = new Turns(5);
    await turns.begin();
    const end = await turns.begin();
    end();
    end();
    await turns.begin();
  });
});
