import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { bearer } from '../support/access.js';
import { assertInvariants } from '../support/checks.js';
import { fingerprintOf } from '../support/fingerprint.js';
import type { TestVenue } from '../support/venue.js';
import { actOn, freshVenue, startApi, type TestApi } from './api.js';

/* eslint-disable @typescript-eslint/no-explicit-any, @typescript-eslint/no-unsafe-assignment, @typescript-eslint/no-unsafe-return, @typescript-eslint/no-unsafe-member-access, @typescript-eslint/no-unsafe-call -- answers are JSON, read by the names just asked for */

const TABLES = ['', '_chunk', '_row', '_result', '_difference'].map((end) => `reconciliation${end}`);
const FIELDS = `reconciliation { id externalId asOf status chunkCount rowCount accountsCompared accountsDiffering differenceCount
  differences(first: 200) { edges { node { accountExternalId marketSymbol assetSymbol theirs ours difference
    lastFacts { kind externalId nodeId change at } } } } }`;

let api: TestApi;
let venue: TestVenue;
let clock: number;
beforeEach(async () => {
  api = await startApi();
  venue = await freshVenue(api.sql);
  clock = Date.now() - 3_600_000;
});
afterEach(async () => {
  await assertInvariants(api.sql);
  await api.stop();
});

/** Some seconds after an hour ago. */
const second = (count: number): string => new Date(clock + count * 1000).toISOString().replace('Z', '000Z');

/** Alice long 3 of BTCUSDT at 100 since second 2, bob short; both paid in 100 at second 1. */
async function tellOfTwo(): Promise<void> {
  venue.at = second(1);
  await venue.account('alice', { deposit: '100' });
  await venue.account('bob', { deposit: '100' });
  await venue.trade('BTCUSDT', 'alice', 'bob', '3', '100', { at: second(2), buyerFee: '0.3' });
}
/** What they hold then. */
const TWO = ['alice BTCUSDT 3', 'bob BTCUSDT -3', 'alice USDT 99.7', 'bob USDT 100'];

/** `account market size` or `account asset amount` each. */
function rowsOf(lines: readonly string[]): { positions: unknown[]; balances: unknown[] } {
  const rows = lines.map((line) => line.split(' '));
  const isBalance = ([, subject = '']: string[]): boolean => subject.length <= 4;
  return {
    positions: rows
      .filter((row) => !isBalance(row))
      .map(([accountId, marketSymbol, size]) => ({ accountId, marketSymbol, size })),
    balances: rows.filter(isBalance).map(([accountId, assetSymbol, amount]) => ({ accountId, assetSymbol, amount })),
  };
}

const add = (id: string, asOf: string, chunk: number, lines: readonly string[]): Promise<any> =>
  actOn(api, 'reconciliationRowsAdd', { id, asOf, chunk, ...rowsOf(lines) }, FIELDS);
const finish = (id: string, chunks: number, rows: number): Promise<any> =>
  actOn(api, 'reconciliationFinish', { id, chunks, rows }, FIELDS);

/** Whole, in one chunk. */
async function reconcile(id: string, asOf: string, lines: readonly string[]): Promise<any> {
  expect((await add(id, asOf, 1, lines)).userErrors).toEqual([]);
  const { reconciliation, userErrors } = await finish(id, 1, lines.length);
  expect(userErrors).toEqual([]);
  return reconciliation;
}

const shown = ({ differences }: any): string[] =>
  differences.edges.map(({ node }: any) =>
    [node.accountExternalId, node.marketSymbol ?? node.assetSymbol, node.theirs, node.ours, node.difference].join(' '),
  );
const factsOf = ({ lastFacts }: any): unknown[] =>
  lastFacts.map(({ kind, externalId, nodeId, change }: any) => [kind, externalId ?? nodeId, change]);
const codesOf = ({ userErrors }: any): unknown[] => userErrors.map(({ code, field }: any) => [code, field]);

describe('a reconciliation', () => {
  it('finds nothing where both say the same, and adjusts nothing', async () => {
    await tellOfTwo();
    const before = await fingerprintOf(api.sql, TABLES);
    const result = await reconcile('s1', second(2), TWO);
    expect(result).toMatchObject({
      externalId: 's1',
      asOf: second(2),
      status: 'FINISHED',
      chunkCount: 1,
      rowCount: 4,
      accountsCompared: 2,
      accountsDiffering: 0,
      differenceCount: 0,
      differences: { edges: [] },
    });
    expect((await reconcile('s2', second(2), ['bob BTCUSDT 7'])).differenceCount).toBe(4);
    expect(await fingerprintOf(api.sql, TABLES)).toBe(before);
  });

  it('compares the state of its instant: what happened since is no difference, what came late is counted', async () => {
    await tellOfTwo();
    // Since: a trade that closes, flips and realizes, a transfer, a funding, a third one with a position of his own.
    await venue.account('carol');
    await venue.deposit('carol', '50', second(3));
    await venue.trade('BTCUSDT', 'bob', 'alice', '5', '110', { at: second(3) });
    await venue.trade('ETHUSDT', 'carol', 'bob', '1', '10', { at: second(3) });
    await venue.deposit('alice', '-20', second(4));
    const payments = [
      { accountId: 'alice', amount: '1' },
      { accountId: 'bob', amount: '-1' },
    ];
    const fundings = [{ id: 'f1', marketSymbol: 'BTCUSDT', payments, at: second(5) }];
    await actOn(api, 'fundingRecord', { fundings }, 'recorded');
    expect(shown(await reconcile('then', second(2), TWO))).toEqual([]);
    // A microsecond earlier the trade had not happened.
    const earlier = new Date(clock + 1999).toISOString().replace('Z', '999Z');
    expect(shown(await reconcile('earlier', earlier, ['alice USDT 100', 'bob USDT 100']))).toEqual([]);
    const later = ['alice BTCUSDT -2', 'bob BTCUSDT 2', 'carol ETHUSDT 1', 'bob ETHUSDT -1'];
    const money = ['alice USDT 110.7', 'bob USDT 69', 'carol USDT 50'];
    expect(shown(await reconcile('after', second(5), [...later, ...money]))).toEqual([]);
    // Told last, of second 1: it belongs to the state of second 2.
    await venue.deposit('bob', '0.5', second(1));
    expect(shown(await reconcile('late', second(2), TWO))).toEqual(['bob USDT 100 100.5 -0.5']);
    // The first result is what it was.
    expect((await finish('then', 1, 4)).reconciliation.differenceCount).toBe(0);
  });

  it('tells each difference to the last digit, by account, with the facts behind it', async () => {
    await tellOfTwo();
    await venue.trade('BTCUSDT', 'alice', 'bob', '0.5', '101', { at: second(3) });
    await venue.account('carol', { deposit: '7' });
    const result = await reconcile('s1', second(10), [
      'alice BTCUSDT 3',
      'alice USDT 99.700000000000000001',
      'bob BTCUSDT -3.5',
      'bob ETHUSDT 0',
      'bob NEWCOIN-PERP 1',
      'bob USDT 100',
      'bob BTC 2',
      'bob DOGE 0',
      'zed BTCUSDT 0',
      'zed USDT 4',
    ]);
    expect(result).toMatchObject({ accountsCompared: 4, accountsDiffering: 4, differenceCount: 8 });
    expect(shown(result)).toEqual([
      'alice BTCUSDT 3 3.5 -0.5',
      'alice USDT 99.700000000000000001 99.7 0.000000000000000001',
      'bob NEWCOIN-PERP 1  1',
      'bob BTC 2 0 2',
      'bob DOGE 0  0',
      'carol USDT  7 -7',
      'zed BTCUSDT 0  0',
      'zed USDT 4  4',
    ]);
    const [first, second_, , btc, , carol, zed] = result.differences.edges.map(({ node }: any) => node);
    expect(factsOf(first)).toEqual([
      ['TRADE', 'trade-2', '0.5'],
      ['TRADE', 'trade-1', '3'],
    ]);
    expect(first.lastFacts[0].at).toBe(second(3));
    expect(factsOf(second_)).toEqual([
      ['TRADE', 'trade-1', '-0.3'],
      ['TRANSFER', 'transfer-1', '100'],
    ]);
    expect([btc, zed].map(factsOf)).toEqual([[], []]);
    expect(factsOf(carol)).toEqual([['TRANSFER', 'transfer-3', '7']]);
  });

  it('counts what Backstop did by the time of its lap, and names it', async () => {
    venue.at = new Date(clock).toISOString();
    await venue.account('alice', { deposit: '20' });
    await venue.account('bob', { deposit: '1000' });
    await venue.trade('BTCUSDT', 'alice', 'bob', '10', '100');
    venue.at = new Date().toISOString();
    await venue.price('BTCUSDT', '97');
    await venue.depth('BTCUSDT', { bids: '1@98.5', asks: '1@99' });
    const [before] = await api.sql<{ now: string }[]>`select clock_timestamp() as now`;
    await actOn(api, 'jobRun', { name: 'waterfall' }, 'outcome');
    const [after] = await api.sql<{ now: string }[]>`select clock_timestamp() as now`;
    const held = ['alice BTCUSDT 10', 'bob BTCUSDT -10', 'alice USDT 20', 'bob USDT 1000'];
    expect(shown(await reconcile('before', before?.now ?? '', held))).toEqual([]);
    const result = await reconcile('after', after?.now ?? '', held);
    const alice = result.differences.edges
      .map(({ node }: any) => node)
      .filter((one: any) => one.accountExternalId === 'alice');
    expect(alice.map((one: any) => [one.marketSymbol, one.theirs, one.ours])).toEqual([
      ['BTCUSDT', '10', '0'],
      [null, '20', '0'],
    ]);
    expect(factsOf(alice[0])).toEqual([
      ['DELEVERAGE', 'DeleverageEvent:1', '-9'],
      ['LIQUIDATION', 'Liquidation:1', '-1'],
      ['TRADE', 'trade-1', '10'],
    ]);
    expect(factsOf(alice[1])).toEqual([
      ['DELEVERAGE', 'DeleverageEvent:1', '-18.5'],
      ['DELEVERAGE', 'DeleverageEvent:1', '0.24625'],
      ['LIQUIDATION', 'Liquidation:1', '-0.24625'],
      ['LIQUIDATION', 'Liquidation:1', '-1.5'],
      ['TRANSFER', 'transfer-1', '20'],
    ]);
    const { node } = await api.read(`{ node(id: "Liquidation:1") { id } }`);
    expect(node).toEqual({ id: 'Liquidation:1' });
  });

  it('keeps the facts as they were when it was compared, five at most', async () => {
    await tellOfTwo();
    for (let k = 0; k < 6; k++) await venue.deposit('alice', '1', second(3 + k));
    await reconcile('s1', second(20), TWO);
    await venue.deposit('alice', '100', second(4));
    const { reconciliation } = await finish('s1', 1, 4);
    expect(shown(reconciliation)).toEqual(['alice USDT 99.7 105.7 -6']);
    const facts = reconciliation.differences.edges[0].node.lastFacts;
    expect(facts.map(({ externalId }: any) => externalId)).toEqual([8, 7, 6, 5, 4].map((k) => `transfer-${String(k)}`));
  });
});

describe('the lists', () => {
  it('are paged, by account and newest first', async () => {
    await tellOfTwo();
    for (const id of ['s1', 's2', 's3']) await reconcile(id, second(2), ['x1 USDT 1', 'x2 USDT 1', 'x3 USDT 1']);
    await add('s4', second(2), 1, []);
    const query = `query($first: Int, $after: String) { reconciliation(externalId: "s2") {
      differences(first: $first, after: $after) { edges { node { accountExternalId } } pageInfo { hasNextPage endCursor } } } }`;
    const seen: unknown[] = [];
    for (let after: string | null = null, more = true; more;) {
      const { reconciliation }: any = await api.read(query, { first: 3, after });
      const { differences } = reconciliation;
      expect(differences.edges.length).toBeLessThanOrEqual(3);
      for (const { node } of differences.edges) seen.push(node.accountExternalId);
      more = differences.pageInfo.hasNextPage;
      after = differences.pageInfo.endCursor;
    }
    expect(seen).toEqual(['alice', 'alice', 'bob', 'bob', 'x1', 'x2', 'x3']);
    const list = `query($after: String) { reconciliations(first: 2, after: $after) {
      edges { node { id externalId status differences { edges { cursor } } } } pageInfo { hasNextPage endCursor } } }`;
    const { reconciliations: one } = await api.read(list);
    const { reconciliations: two } = await api.read(list, { after: one.pageInfo.endCursor });
    const nodes = [...one.edges, ...two.edges].map(({ node }: any) => node);
    expect(nodes.map(({ externalId, status }: any) => [externalId, status])).toEqual([
      ['s4', 'RECEIVING'],
      ['s3', 'FINISHED'],
      ['s2', 'FINISHED'],
      ['s1', 'FINISHED'],
    ]);
    expect(nodes[0].differences).toBeNull();
    expect((await api.read('{ node(id: "Reconciliation:1") { ... on Reconciliation { externalId } } }')).node).toEqual({
      externalId: 's1',
    });
    expect((await api.read('{ reconciliation(externalId: "none") { id } }')).reconciliation).toBeNull();
    const { errors } = await api.ask(
      '{ reconciliation(externalId: "s1") { differences(first: 201) { edges { cursor } } } }',
    );
    expect(errors[0].extensions.code).toBe('BAD_INPUT');
  });

  it('are the auditor’s; the feed sees what it finished', async () => {
    await tellOfTwo();
    const feed = await bearer({ scopes: ['write:feed'] });
    const input = { id: 's1', asOf: second(2), chunk: 1, ...rowsOf(['alice USDT 1']) };
    expect((await actOn(api, 'reconciliationRowsAdd', input, FIELDS, feed)).userErrors).toEqual([]);
    const done = await actOn(api, 'reconciliationFinish', { id: 's1', chunks: 1, rows: 1 }, FIELDS, feed);
    expect(shown(done.reconciliation)[0]).toBe('alice BTCUSDT  3 -3');
    const query = '{ reconciliation(externalId: "s1") { differenceCount begunBy finishedBy } }';
    expect((await api.ask(query, {}, feed)).errors[0].extensions.code).toBe('FORBIDDEN');
    expect((await api.ask(query, {}, await bearer({ scopes: ['read:risk'] }))).errors[0].extensions.code).toBe(
      'FORBIDDEN',
    );
    expect((await api.ask(query, {}, await bearer({ scopes: ['read:audit'] }))).data.reconciliation).toEqual({
      differenceCount: 4,
      begunBy: 'tester',
      finishedBy: 'tester',
    });
  });
});

describe('the chunks of a snapshot', () => {
  it('may come in any order, and again', async () => {
    await tellOfTwo();
    await add('s1', second(2), 2, TWO.slice(2));
    const first = await add('s1', second(2), 1, TWO.slice(0, 2));
    expect(first.reconciliation).toMatchObject({ status: 'RECEIVING', chunkCount: 2, rowCount: 4, differences: null });
    const before = await fingerprintOf(api.sql);
    expect(await add('s1', second(2), 1, TWO.slice(0, 2))).toEqual(first);
    expect(await fingerprintOf(api.sql)).toBe(before);
    const done = await finish('s1', 2, 4);
    expect(done.reconciliation).toMatchObject({ status: 'FINISHED', differenceCount: 0 });
    const after = await fingerprintOf(api.sql);
    expect(await finish('s1', 2, 4)).toEqual(done);
    expect(await add('s1', second(2), 1, TWO.slice(0, 2))).toEqual(done);
    expect(await fingerprintOf(api.sql)).toBe(after);
  });

  it('come at once, each once, and are compared once', async () => {
    await tellOfTwo();
    const adds = [1, 2, 1, 2, 1, 2].map((chunk) => add('s1', second(2), chunk, TWO.slice(2 * chunk - 2, 2 * chunk)));
    expect((await Promise.all(adds)).flatMap(codesOf)).toEqual([]);
    const done = await Promise.all([1, 2, 3].map(() => finish('s1', 2, 4)));
    expect(done.map(({ reconciliation }: any) => reconciliation.differenceCount)).toEqual([0, 0, 0]);
    // Two chunks with one row in common: one of them is refused.
    const both = await Promise.all([1, 2].map((chunk) => add('s2', second(2), chunk, ['alice USDT 1'])));
    expect(both.flatMap(codesOf)).toEqual([['CONFLICT', ['input', 'balances', '0']]]);
  });

  it('are refused with a code when they are wrong, and nothing is stored', async () => {
    await tellOfTwo();
    await add('s1', second(2), 1, TWO);
    const before = await fingerprintOf(api.sql);
    const wrong: [string, () => Promise<any>, string, string[] | null][] = [
      [
        'other content under a number',
        () => add('s1', second(2), 1, ['alice USDT 1']),
        'ID_REUSED',
        ['input', 'chunk'],
      ],
      ['the same in another order', () => add('s1', second(2), 1, TWO.toReversed()), 'ID_REUSED', ['input', 'chunk']],
      ['another instant', () => add('s1', second(3), 2, []), 'ID_REUSED', ['input', 'asOf']],
      [
        'what another chunk has',
        () => add('s1', second(2), 2, ['bob ETHUSDT 1', TWO[0] ?? '']),
        'CONFLICT',
        ['input', 'positions', '1'],
      ],
      [
        'a row twice',
        () => add('s2', second(2), 1, ['bob USDT 1', 'bob USDT 2']),
        'BAD_INPUT',
        ['input', 'balances', '1'],
      ],
      [
        'a malformed id',
        () => add('s2', second(2), 1, ['bob USDT 1', ' USDT 2']),
        'BAD_INPUT',
        ['input', 'balances', '1', 'accountId'],
      ],
      [
        'a market that is no id',
        () => add('s2', second(2), 1, ['bob BTC/USDT 1']),
        'BAD_INPUT',
        ['input', 'positions', '0', 'marketSymbol'],
      ],
      ['an instant to come', () => add('s2', second(7200), 1, TWO), 'BAD_INPUT', ['input', 'asOf']],
      ['chunk 0', () => add('s2', second(2), 0, TWO), 'BAD_INPUT', ['input', 'chunk']],
      ['chunk 100,001', () => add('s2', second(2), 100_001, TWO), 'BAD_INPUT', ['input', 'chunk']],
      [
        '1,001 rows',
        () =>
          add(
            's2',
            second(2),
            1,
            Array.from({ length: 1001 }, (_, k) => `a${String(k)} USDT 1`),
          ),
        'BATCH_TOO_LARGE',
        null,
      ],
      ['an end of what never began', () => finish('s2', 1, 4), 'NOT_FOUND', ['input', 'id']],
      ['an end without a chunk', () => finish('s1', 2, 4), 'CONFLICT', ['input', 'chunks']],
      ['an end with other rows', () => finish('s1', 1, 3), 'CONFLICT', ['input', 'rows']],
      ['an end of no chunks', () => finish('s1', 0, 0), 'BAD_INPUT', ['input', 'chunks']],
    ];
    for (const [name, act, code, field] of wrong) {
      const answer = await act();
      expect([name, answer.reconciliation, codesOf(answer)]).toEqual([name, null, [[code, field]]]);
      expect([name, await fingerprintOf(api.sql)]).toEqual([name, before]);
    }
  });

  it('are refused when some between are missing, after the end, and when it is too late', async () => {
    await tellOfTwo();
    await add('s1', second(2), 1, TWO.slice(0, 2));
    await add('s1', second(2), 3, TWO.slice(2));
    const missing = await finish('s1', 3, 4);
    expect(missing.userErrors[0].message).toBe('chunks: number 2 of s1 did not come');
    expect(codesOf(await finish('s1', 1, 2))).toEqual([['CONFLICT', ['input', 'chunks']]]);
    await add('s1', second(2), 2, []);
    expect((await finish('s1', 3, 4)).userErrors).toEqual([]);
    expect(codesOf(await add('s1', second(2), 4, ['carol USDT 1']))).toEqual([['CONFLICT', ['input', 'id']]]);
    expect(codesOf(await finish('s1', 3, 5))).toEqual([['CONFLICT', ['input', 'rows']]]);
    await add('s2', second(2), 1, TWO);
    await api.sql.begin(async (tx) => {
      await tx`set local session_replication_role = replica`;
      await tx`update reconciliation set begun_at = now() - interval '24 hours 1 second', as_of = now() - interval '25 hours' where external_id = 's2'`;
    });
    const [{ asOf }] = await api.sql<
      [{ asOf: string }]
    >`select as_of as "asOf" from reconciliation where external_id = 's2'`;
    expect((await api.read('{ reconciliation(externalId: "s2") { status } }')).reconciliation.status).toBe('EXPIRED');
    expect(codesOf(await finish('s2', 1, 4))).toEqual([['CONFLICT', ['input', 'id']]]);
    expect(codesOf(await add('s2', asOf, 2, []))).toEqual([['CONFLICT', ['input', 'id']]]);
  });
});
