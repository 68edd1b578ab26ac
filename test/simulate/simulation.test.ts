import { expect, it } from '@jest/globals';
import { verifyStoredEvent } from '../../src/verify-event.js';
import { createTestDatabase } from '../support/database.js';
import { playStory, storyOf } from './simulation.js';

/** 501 once found statements that went on after a rollback. */
const SEEDS = [1, 2, 3, 4, 5, 6, 7, 501];
const LAPS = 6;

it('the store and two engines decide what laps in memory do, through crashes, repeats and clock steps', async () => {
  const total = { laps: 0, liquidations: 0, events: 0, badDebts: 0, exemptionsEnded: 0 };
  for (const seed of SEEDS) {
    const database = await createTestDatabase();
    try {
      const told = await playStory(database.sql, storyOf(seed, LAPS));
      const events = await database.sql<{ id: string }[]>`select id from deleverage_event order by id`;
      for (const { id } of events) {
        const differences = (await verifyStoredEvent(database.sql, id)).flatMap((part) => part.differences);
        expect([id, differences]).toEqual([id, []]);
      }
      for (const name of Object.keys(total) as (keyof typeof total)[]) total[name] += told[name];
    } catch (error) {
      throw new Error(`npm run simulate -- --seed ${seed} --laps ${LAPS}`, { cause: error });
    } finally {
      await database.drop();
    }
  }
  expect(total.laps).toBe(SEEDS.length * LAPS);
  expect(Math.min(total.liquidations, total.events, total.badDebts, total.exemptionsEnded)).toBeGreaterThan(0);
});
