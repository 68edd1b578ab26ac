import fc from 'fast-check';
import type { Sql } from '../../src/db/connect.js';
import { digestOf } from '../../src/engine/digest.js';
import { runLap, type LapMemory, type LapRan } from '../../src/engine/run-lap.js';
import { recordDepth } from '../../src/ingest/depth.js';
import { importBookLines } from '../../src/ingest/import-book.js';
import { recordPrices, type PriceInput } from '../../src/ingest/prices.js';
import { messageOf } from '../../src/errors.js';
import { addMilliseconds } from '../../src/risk/instant.js';
import { counted } from '../support/counted-sql.js';
import { brokenLaws } from '../support/lap-laws.js';
import { lapMemory } from '../support/lap-memory.js';
import { lapTime, MemoryLaps } from '../support/memory-laps.js';
import { PlainBook } from '../support/plain-book.js';
import { exemptAsOf } from '../support/exemptions.js';
import {
  depthText,
  EVER,
  exemptionsOf,
  marketIdOf,
  OPENING,
  openingLines,
  priceText,
  type BookPlan,
} from '../support/random-book.js';
import { bookPlanOf } from '../support/random-plan.js';

/** What happens to one lap beside its prices and depth. */
interface Twist {
  /** Which of the two processes runs it; each remembers only its own last lap. */
  readonly engine: number;
  /** It is rolled back at this statement first, and then run again; beyond the last one nothing happens. */
  readonly crashAt: number;
  readonly isTriedDry: boolean;
  readonly isFedTwice: boolean;
  /** An old price and an old depth come late. */
  readonly isFedLate: boolean;
  /** The lap's clock against that of its prices. */
  readonly clockStepMs: number;
}

export interface Story {
  readonly plan: BookPlan;
  readonly twists: readonly Twist[];
}

const twist: fc.Arbitrary<Twist> = fc.record({
  engine: fc.nat(1),
  crashAt: fc.oneof(fc.constant(0), fc.integer({ min: 2, max: 60 })),
  isTriedDry: fc.boolean(),
  isFedTwice: fc.boolean(),
  isFedLate: fc.boolean(),
  clockStepMs: fc.constantFrom(0, 0, 0, 0, 200, -3000, 700),
});

/** The same story for the same seed and number of laps. */
export function storyOf(seed: number, laps: number): Story {
  const length = { minLength: laps, maxLength: laps };
  const arbitrary = fc.record({ plan: bookPlanOf(length), twists: fc.array(twist, length) });
  const [story] = fc.sample(arbitrary, { seed, numRuns: 1 });
  if (story === undefined) throw new Error('no story');
  return story;
}

export interface Told {
  readonly laps: number;
  readonly liquidations: number;
  readonly events: number;
  readonly badDebts: number;
  readonly exemptionsEnded: number;
}

/** The number of the lap that went wrong, from 1, and how. */
export class StoryBroke extends Error {
  readonly lap: number;
  constructor(lap: number, cause: unknown) {
    super(messageOf(cause), { cause });
    this.lap = lap;
  }
}

/**
 * Plays a story on an empty database, beside the same laps in memory, which know of no crash, repeat or second
 * process: after every lap both must have decided the same, and no invariant be broken.
 */
export async function playStory(sql: Sql, { plan, twists }: Story): Promise<Told> {
  await importBookLines(sql, openingLines(plan), { at: OPENING });
  for (const { accountId, laps } of exemptionsOf(plan))
    await exemptAsOf(sql, accountId, OPENING, laps === EVER ? null : lapTime(laps));
  const engines = [lapMemory(), lapMemory()];
  // By `risk` alone, which looks at every account: the product's book must lead to the same decisions.
  const inMemory = new MemoryLaps(plan, (state) => new PlainBook(state));
  const told = { laps: 0, liquidations: 0, events: 0, badDebts: 0, exemptionsEnded: 0 };
  for (const [index, each] of twists.entries()) {
    try {
      await feed(sql, plan, index, each);
      const ran = await lapThrough(sql, index, each, engines[each.engine]);
      const expected = inMemory.run(index, { at: ran.at });
      const broken = [...brokenLaws(expected), ...(await violations(sql))];
      if (ran.digest !== digestOf(expected.outcome)) broken.push('the lap decided otherwise than the one in memory');
      if (broken.length > 0) throw new Error(broken.join('\n'));
      told.laps += 1;
      told.liquidations += ran.counts.liquidations;
      told.events += ran.counts.events;
      told.badDebts += ran.counts.badDebts;
      told.exemptionsEnded += ran.counts.exemptionsEnded;
    } catch (error) {
      throw new StoryBroke(index + 1, error);
    }
  }
  return told;
}

async function feed(sql: Sql, plan: BookPlan, index: number, { isFedTwice, isFedLate }: Twist): Promise<void> {
  const told = plan.laps[index];
  if (told === undefined) throw new Error('no such lap');
  const at = lapTime(index);
  const prices: PriceInput[] = [];
  const depths: Parameters<typeof recordDepth>[1][number][] = [];
  for (const market of plan.markets.keys()) {
    const [price, depth] = [told.prices[market], told.depths[market]];
    if (price === undefined || depth === undefined) throw new Error('a market without its prices');
    const marketId = marketIdOf(market);
    const isSilent = ((told.silent >> market) & 1) === 1;
    if (!isSilent) prices.push({ id: `p${index}`, marketId, price: priceText(market, plan, price), at });
    const bids = depthText(plan, market, price, 'bids', depth.bids);
    const asks = depthText(plan, market, price, 'asks', depth.asks);
    depths.push({ id: `d${index}`, marketId, bids, asks, at });
    if (!isFedLate || index === 0) continue;
    const before = lapTime(index - 2);
    depths.unshift({ id: `late${index}`, marketId, bids, asks, at: before });
    if (!isSilent) prices.push({ id: `late${index}`, marketId, price: priceText(market, plan, price), at: before });
  }
  for (let times = isFedTwice ? 2 : 1; times > 0; times--) {
    await recordPrices(sql, prices);
    await recordDepth(sql, depths);
  }
}

async function lapThrough(sql: Sql, index: number, each: Twist, memory: LapMemory | undefined): Promise<LapRan> {
  const options = { worker: `engine-${each.engine}`, at: addMilliseconds(lapTime(index), each.clockStepMs), memory };
  const dry = each.isTriedDry ? await runLap(sql, { ...options, dryRun: true }) : undefined;
  let statements = 0;
  const failing = counted(sql, () => {
    statements += 1;
    if (statements === each.crashAt) throw new Error('crash');
  });
  let result;
  try {
    result = await runLap(failing, options);
  } catch (error) {
    if (!(error instanceof Error && error.message === 'crash')) throw error;
    result = await runLap(sql, options);
  }
  if (result.kind !== 'RAN') throw new Error(`no lap: ${result.kind}`);
  if (dry !== undefined && (dry.kind !== 'RAN' || dry.digest !== result.digest))
    throw new Error('the dry run decided otherwise');
  return result;
}

async function violations(sql: Sql): Promise<string[]> {
  const rows = await sql<{ invariant: number; subject: string; detail: string }[]>`select * from invariant_violations`;
  return rows.map(({ invariant, subject, detail }) => `${invariant}: ${subject} ${detail}`);
}
