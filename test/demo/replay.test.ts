import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { replay, type Replayed } from '../../src/demo/replay.js';
import { assertInvariants } from '../support/checks.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

const GOLDEN = path.join(import.meta.dirname, 'replay.golden.txt');

let database: TestDatabase;
let replayed: Replayed;
let minutes = 0;

beforeAll(async () => {
  database = await createTestDatabase();
  replayed = await replay(database.sql, (done) => {
    minutes = done;
  });
});

afterAll(() => database.drop());

/** The table of the report: label to its cells, one a market. */
function table(): Map<string, string[]> {
  const lines = replayed.report.split('\n');
  const start = lines.findIndex((line) => line.startsWith('---'));
  const rows = lines.slice(start + 2, lines.indexOf('', start));
  return new Map(rows.map((row) => [row.slice(0, 40).trim(), row.slice(40).trim().split(/\s+/)]));
}

describe('the replay of 2025-10-10', () => {
  it('prints the same as ever, to the last digit', () => {
    expect(replayed.report).toBe(readFileSync(GOLDEN, 'utf8'));
    expect(minutes).toBe(46);
  });

  it('reaches every outcome that it tells of', () => {
    const wanted = [...table()].filter(([label]) => !label.startsWith('amounts') && !label.startsWith('fund'));
    expect(wanted.length).toBeGreaterThan(12);
    const empty = wanted.filter(([, cells]) => cells.every((cell) => cell === '0'));
    expect(empty).toEqual([]);
  });

  it('meets margin calls and lets them lapse, at the deadline too', async () => {
    const rows = await database.sql<{ status: string; lapse_reason: string | null }[]>`
      select distinct status, lapse_reason from margin_call order by status, lapse_reason`;
    expect(rows.map((row) => [row.status, row.lapse_reason])).toEqual([
      ['LAPSED', 'DEADLINE'],
      ['LAPSED', 'LIQUIDATABLE'],
      ['MET', null],
    ]);
  });

  it('deleverages a whale over many counterparties in rank order, the last of them in part', async () => {
    const legs = await database.sql<{ rank: number; partial: boolean; conceded: boolean }[]>`
      select l.rank, l.size_after <> 0 as partial, l.concession > 0 as conceded
      from deleverage_event e join deleverage_leg l on l.event_id = e.id
      where e.account_id = 'whale-btc' and l.stage = 'DELEVERAGE' order by l.ordinal`;
    expect(legs.length).toBeGreaterThanOrEqual(5);
    const ranks = legs.map((leg) => leg.rank);
    expect(ranks).toEqual([...ranks].sort((a, b) => a - b));
    expect(legs.map((leg) => leg.partial)).toEqual(legs.map((_, index) => index === legs.length - 1));
    expect(legs.every((leg) => leg.conceded)).toBe(true);
  });

  it('keeps its markets open and everything conserved', async () => {
    const markets = await database.sql`select id from market where status <> 'ACTIVE'`;
    expect(markets).toHaveLength(0);
    expect(replayed.faults).toEqual([]);
    await assertInvariants(database.sql);
  });
});
