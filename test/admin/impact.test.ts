import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { decideChange } from '../../src/admin/decide.js';
import { findImpact, type Impact } from '../../src/admin/impact.js';
import { proposeChange, type Proposal } from '../../src/admin/propose.js';
import { BookFollower, type FollowedBook } from '../../src/book/follower.js';
import { Sweeper } from '../../src/book/sweeper.js';
import { readChanges, type ProposedChange } from '../../src/db/read-changes.js';
import { haltMarket } from '../../src/ingest/market-status.js';
import { dec, sum, type Decimal } from '../../src/risk/decimal.js';
import type { MarginStatus } from '../../src/risk/margin.js';
import { createLog } from '../../src/telemetry.js';
import { assertInvariants } from '../support/checks.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { createTestVenue, type TestVenue } from '../support/venue.js';

const STATUSES: readonly MarginStatus[] = ['HEALTHY', 'WARNING', 'MARGIN_CALL', 'LIQUIDATABLE', 'BANKRUPT'];
const person = (subject: string) => ({ subject, scopes: [], requestId: 'r' });
const BRACKETS = { kind: 'BRACKETS_CHANGE', targetId: 'BTCUSDT', reason: 'a test', input: {} } as const;

/** What a book says of a market, account by account, by the exact margins. */
interface Seen {
  readonly statuses: ReadonlyMap<string, MarginStatus>;
  readonly notionals: ReadonlyMap<string, Decimal>;
  readonly maintenance: Decimal;
  readonly levels: ReadonlyMap<string, number>;
}

function look(book: FollowedBook, marketId: string): Seen {
  const statuses = new Map<string, MarginStatus>();
  const notionals = new Map<string, Decimal>();
  const levels = new Map<string, number>();
  const maintenances: Decimal[] = [];
  for (const id of book.accountIds()) {
    const margin = book.margin(id);
    if (margin?.account.kind !== 'TRADER') continue;
    if (!margin.held && margin.status !== null) statuses.set(id, margin.status);
    const position = margin.valuation?.positions.find((one) => one.marketId === marketId);
    if (position === undefined) continue;
    notionals.set(id, position.notional);
    maintenances.push(position.maintenance);
    const indicator = book.indicator(id, marketId);
    if (indicator?.state === 'RANKED') levels.set(id, indicator.level);
  }
  return { statuses, notionals, maintenance: sum(maintenances), levels };
}

/** The impact as it shows afterwards: what was, against what came of it. */
function compared(before: Seen, after: Seen): Impact['statuses'] {
  const severity = (id: string): number => STATUSES.indexOf(before.statuses.get(id) ?? ('HELD' as MarginStatus));
  return STATUSES.map((status, k) => {
    const have = (seen: Seen): string[] => [...seen.statuses].filter(([, s]) => s === status).map(([id]) => id);
    const newcomers = have(after).filter((id) => severity(id) < k);
    return {
      status,
      accountsBefore: have(before).length,
      accountsAfter: have(after).length,
      newAccounts: newcomers.length,
      newNotional: sum(newcomers.map((id) => after.notionals.get(id) ?? dec('0'))),
    };
  });
}

let db: TestDatabase;
let venue: TestVenue;
let book: BookFollower;
const log = createLog('silent');
beforeEach(async () => {
  db = await createTestDatabase();
  venue = await createTestVenue(db.sql, { staleAfterMs: 86_400_000 });
  venue.at = new Date().toISOString();
  book = new BookFollower({ sql: db.sql, log });
});
afterEach(async () => {
  await assertInvariants(db.sql);
  await db.drop();
});

/** Longs of ten at 100, each with its own deposit, against the liquidity provider; shorts of five. */
async function openBook(deposits: readonly number[]): Promise<void> {
  for (const [k, deposit] of deposits.entries()) {
    await venue.account(`long-${k}`, { deposit: String(deposit) });
    await venue.account(`short-${k}`, { deposit: String(deposit) });
    await venue.trade('BTCUSDT', `long-${k}`, 'lp-usdt', '10', '100');
    await venue.trade('BTCUSDT', 'lp-usdt', `short-${k}`, '5', '100');
    await venue.trade('ETHUSDT', `short-${k}`, `long-${k}`, '1', '100');
  }
  await venue.price('BTCUSDT', '100');
  await venue.price('ETHUSDT', '100');
}

async function propose(proposal: Proposal): Promise<ProposedChange> {
  const id = await proposeChange(db.sql, person('ann'), proposal);
  const [change] = await readChanges(db.sql, [id]);
  if (change == null) throw new Error('no change');
  return change;
}

async function approve({ id: changeId, digest }: ProposedChange): Promise<void> {
  await decideChange(db.sql, person('ben'), changeId, { changeId, digest, decision: 'APPROVE' });
}

const suppose: BookFollower['suppose'] = (change) => book.suppose(change);

describe('the impact of a change', () => {
  it('of brackets is what is seen when they are in force', async () => {
    await openBook([9, 11, 14, 17, 19, 21, 26, 31, 60]);
    const rates = fc.tuple(
      fc.integer({ min: 30, max: 600 }),
      fc.integer({ min: 0, max: 400 }),
      fc.integer({ min: 1, max: 1200 }),
    );
    await fc.assert(
      fc.asyncProperty(rates, async ([first, more, floor]) => {
        const rate = (n: number): string => dec(String(n)).div(10_000).toFixed();
        const brackets = [
          { floor: '0', maintenanceRate: rate(first), initialRate: '0.2' },
          { floor: String(floor), maintenanceRate: rate(first + more), initialRate: '0.3' },
        ];
        const change = await propose({ ...BRACKETS, terms: { brackets } });
        const before = look(await book.refresh(), 'BTCUSDT');
        const impact = await findImpact(change, suppose);
        expect(look(await book.refresh(), 'BTCUSDT').statuses).toEqual(before.statuses);
        await approve(change);
        const after = look(await book.refresh(), 'BTCUSDT');
        expect(texts(impact)).toEqual(
          texts({
            ...impact,
            statuses: compared(before, after),
            maintenanceBefore: before.maintenance,
            maintenanceAfter: after.maintenance,
          }),
        );
      }),
      { numRuns: 12 },
    );
  });

  it('of brackets tells who is newly called, liquidatable and bankrupt, and what they hold', async () => {
    await openBook([9, 15, 21, 31]);
    await book.refresh();
    const brackets = [{ floor: '0', maintenanceRate: '0.02', initialRate: '0.04' }];
    const { statuses, maintenanceBefore, maintenanceAfter } = await findImpact(
      await propose({ ...BRACKETS, terms: { brackets } }),
      suppose,
    );
    // Maintenance of 10 at 100 goes from 10 to 20, of 5 from 5 to 10; ETHUSDT adds 1 to each.
    expect(
      statuses.map(
        (s) => `${s.status} ${s.accountsBefore}→${s.accountsAfter} +${s.newAccounts} ${s.newNotional.toFixed()}`,
      ),
    ).toEqual([
      'HEALTHY 5→2 +0 0',
      'WARNING 2→2 +2 1500',
      'MARGIN_CALL 0→1 +1 1000',
      'LIQUIDATABLE 1→3 +2 1500',
      'BANKRUPT 0→0 +0 0',
    ]);
    expect([maintenanceBefore?.toFixed(), maintenanceAfter?.toFixed()]).toEqual(['60', '120']);
  });

  it('of a policy is how many levels it moves', async () => {
    await openBook([9, 11, 14, 17, 26, 31, 60]);
    // Of the same position the return is the same, its leverage and the account's own differ.
    await venue.trade('ETHUSDT', 'long-6', 'short-6', '20', '100');
    await venue.price('BTCUSDT', '101');
    const policy = { score: 'ACCOUNT_RETURN' };
    const change = await propose({ ...BRACKETS, kind: 'POLICY_CHANGE', terms: policy });
    const before = look(await book.refresh(), 'BTCUSDT').levels;
    const impact = await findImpact(change, suppose);
    await approve(change);
    const after = look(await book.refresh(), 'BTCUSDT').levels;
    const moved = [...after].filter(([id, level]) => before.get(id) !== level).length;
    expect(moved).toBeGreaterThan(0);
    expect(impact.levelsChanged).toBe(moved);
    expect(impact.statuses.map(({ newAccounts }) => newAccounts)).toEqual([0, 0, 0, 0, 0]);
  });

  it('of a resumption is who is judged again, and how', async () => {
    await openBook([9, 11, 14, 60]);
    await haltMarket(db.sql, { marketId: 'BTCUSDT', changedBy: 'ann', reason: 'a test' });
    const change = await propose({ ...BRACKETS, kind: 'MARKET_RESUME', terms: {} });
    const held = await book.refresh();
    expect(held.heldIds()).toHaveLength(8);
    const before = look(held, 'BTCUSDT');
    const impact = await findImpact(change, suppose);
    expect(impact.judgedAgain).toBe(8);
    await approve(change);
    const after = await book.refresh();
    expect(after.heldIds()).toEqual([]);
    expect(texts(impact.statuses)).toEqual(texts(compared(before, look(after, 'BTCUSDT'))));
    expect(impact.statuses.some(({ newNotional }) => !newNotional.isZero())).toBe(true);
  });

  it('of a withdrawal is what the fund has left', async () => {
    await venue.deposit('fund-usdt', '10');
    const change = await propose({
      ...BRACKETS,
      kind: 'FUND_WITHDRAWAL',
      targetId: 'fund-usdt',
      terms: { id: 'w', amount: '4' },
    });
    await book.refresh();
    const { balanceBefore, balanceAfter } = await findImpact(change, suppose);
    expect([balanceBefore?.toFixed(), balanceAfter?.toFixed()]).toEqual(['10', '6']);
    await approve(change);
    expect((await book.refresh()).account('fund-usdt')?.balance.toFixed()).toBe('6');
  });

  it('is the same when the book is swept in another thread', async () => {
    await openBook([9, 15, 21, 31]);
    const brackets = [{ floor: '0', maintenanceRate: '0.02', initialRate: '0.04' }];
    const change = await propose({ ...BRACKETS, terms: { brackets } });
    await book.refresh();
    const here = await findImpact(change, suppose);
    const sweeper = new Sweeper();
    const elsewhere = new BookFollower({ sql: db.sql, log, sweeper, sweptElsewhereFrom: 1 });
    await elsewhere.refresh();
    const there = await findImpact(change, (under) => elsewhere.suppose(under));
    await sweeper.stop();
    expect(texts({ ...there, computedAt: here.computedAt })).toEqual(texts(here));
  });
});

/** Amounts as text. */
function texts(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}
