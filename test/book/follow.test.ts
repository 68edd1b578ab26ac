import { afterAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Sweeper } from '../../src/book/sweeper.js';
import { createTestDatabase } from '../support/database.js';
import { followPlan, type FollowStep } from '../support/follow-plan.js';
import { FollowedVenue } from '../support/followed-venue.js';

const sweeper = new Sweeper();
afterAll(() => sweeper.stop());

async function follow(steps: readonly FollowStep[], by?: Sweeper): Promise<void> {
  const db = await createTestDatabase();
  const venue = await FollowedVenue.open(db, by);
  try {
    for (const step of steps) await venue.run(step);
    await venue.quiet();
    const { followed, busy, anew } = await venue.compare();
    expect(followed).toBe(anew);
    expect(busy).toBe(anew);
    expect(venue.changedMeanwhile()).toBe(0);
  } finally {
    await venue.close();
    await db.drop();
  }
}

describe('a followed book', () => {
  it('says after all that may happen what a book says that is taken anew', async () => {
    await fc.assert(
      fc.asyncProperty(followPlan, (steps) => follow(steps)),
      { numRuns: 6, endOnFailure: true },
    );
  }, 120_000);

  it('does so while another thread sweeps', async () => {
    await fc.assert(
      fc.asyncProperty(followPlan, (steps) => follow(steps, sweeper)),
      { numRuns: 4, endOnFailure: true },
    );
  }, 120_000);
});
