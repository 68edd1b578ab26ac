import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Scope } from '../../src/access/caller.js';
import { bearer } from '../support/access.js';
import { actOn, aliceGoesBankrupt, freshVenue, startApi, type Answer, type TestApi } from './api.js';

/* eslint-disable @typescript-eslint/no-explicit-any, @typescript-eslint/no-unsafe-assignment, @typescript-eslint/no-unsafe-member-access, @typescript-eslint/no-unsafe-call, @typescript-eslint/no-unsafe-return, @typescript-eslint/no-unsafe-argument -- answers are JSON, read by the names just asked for */

describe('nobody learns of others', () => {
  let api: TestApi;
  beforeAll(async () => {
    api = await startApi();
    await aliceGoesBankrupt(api);
    await actOn(api, 'traderUpsert', { externalId: 'zoe' }, 'trader { id }');
    await api.sql`
      insert into margin_call (account_id, lap_id, transition_id, amount_required, equity, maintenance, called_at, deadline, latest_deadline, on_lapse)
      select 'bob', lap_id, id, 1, 1, 1, now(), now() + interval '1 hour', now() + interval '1 hour', 'REDUCE_ONLY'
      from margin_status_transition order by id limit 1`;
    await api.book.refresh();
  });
  afterAll(() => api.stop());

  async function askAs(scopes: readonly Scope[] | null, query: string, traderId?: string): Promise<Answer> {
    return api.ask(query, {}, scopes === null ? null : await bearer({ scopes, traderId }));
  }
  const asBob = (query: string): Promise<Answer> => askAs(['read:account'], query, 'bob');
  const asZoe = (query: string): Promise<Answer> => askAs(['read:account'], query, 'zoe');

  it('by a node id: what is another’s answers like what does not exist', async () => {
    const ids = async (query: string): Promise<string[]> =>
      (await api.sql.unsafe<{ id: string }[]>(query)).map(({ id }) => id);
    const [leg, entry, fundEntry] = [
      ...(await ids(`select id from deleverage_leg where account_id = 'bob' limit 1`)),
      ...(await ids(`select id from ledger_entry where account_id = 'bob' order by id limit 1`)),
      ...(await ids(`select id from ledger_entry where account_id = 'fund-usdt' order by id limit 1`)),
    ];
    /** What everybody finds, what bob finds, and what only scopes find. */
    const open = ['Asset:USDT', 'Market:BTCUSDT', 'InsuranceFund:fund-usdt', 'DeleverageEvent:1', 'ForcedTrade:1'];
    open.push(`LedgerEntry:${fundEntry ?? ''}`);
    const own = ['Account:bob', 'Trader:bob', 'Position:bob/BTCUSDT', 'MarginCall:1'];
    own.push(`LedgerEntry:${entry ?? ''}`, `DeleverageLeg:${leg ?? ''}`);
    const others = ['Account:alice', 'Trader:alice', 'Liquidation:1', 'Account:lp-usdt', 'Account:fund-usdt'];
    const technical = ['Job:waterfall', 'JobRun:waterfall/1'];
    const seenBy = async (scopes: readonly Scope[] | null, traderId?: string): Promise<string[]> => {
      const seen: string[] = [];
      for (const id of [...open, ...own, ...others, ...technical]) {
        const query = (asked: string): string => `{ node(id: "${asked}") { __typename id ${FRAGMENTS} } }`;
        const answer = await askAs(scopes, query(id), traderId);
        const missing = await askAs(scopes, query(id.replace(/:.*/, ':999999')), traderId);
        expect(missing).toEqual({ status: 200, data: { node: null } });
        if (answer.data?.node === null) expect(JSON.stringify(answer)).toBe(JSON.stringify(missing));
        else seen.push(answer.data.node.id);
      }
      return seen;
    };
    expect(await seenBy(null)).toEqual(open);
    expect(await seenBy(['read:account'], 'zoe')).toEqual(open);
    expect(await seenBy(['read:account'])).toEqual(open);
    expect(await seenBy([], 'bob')).toEqual(open);
    expect(await seenBy(['read:account'], 'bob')).toEqual([...open, ...own]);
    expect(await seenBy(['write:feed', 'write:admin', 'approve:admin'])).toEqual(open);
    expect(await seenBy(['read:audit'])).toEqual([...open, ...technical]);
    expect(await seenBy(['read:risk'])).toEqual([...open, ...own, ...others, ...technical]);
  });

  it('by an account’s id, however much is asked of it', async () => {
    const query = (id: string): string => `{ account(externalId: "${id}") { id kind trader { externalId }
      margin { equity } positions { size adl { rank } } ledger { edges { node { amount } } } explanation } }`;
    const missing = JSON.stringify(await asZoe(query('nobody')));
    expect(missing).toBe('{"status":200,"data":{"account":null}}');
    for (const id of ['bob', 'alice', 'lp-usdt', 'fund-usdt']) {
      expect(JSON.stringify(await asZoe(query(id)))).toBe(missing);
      expect(JSON.stringify(await askAs(null, query(id)))).toBe(missing);
    }
    expect((await asBob(query('bob'))).data.account).toMatchObject({
      id: 'Account:bob',
      trader: { externalId: 'bob' },
    });
    expect(JSON.stringify(await asBob(query('alice')))).toBe(missing);
  });

  it('from what is public: no names and no bankruptcy price', async () => {
    const answer = await askAs(
      null,
      `{ deleverageEvents { edges { cursor node { id market { symbol } account { id } side priceBasis policy { score } rankingId price priceValue markPrice markValue
          trigger { value trigger } clamped bankruptcyValue bankruptcyPrice deficit fundBalanceBefore fundAllowanceBefore fundAvailableBefore fundPaid
          bestPrice depthSize liquidation { id } size sizeDeleveraged sizeClosedAtMark legCount concession at } } }
        forcedTrades { edges { cursor node { id kind side size value price at account { id } counterparty { id } liquidation { id } leg { id } } } }
        market(symbol: "BTCUSDT") { adl(side: SHORT) { queueLength } adlQueue(side: SHORT) { edges { cursor node { rank level } } pageInfo { endCursor } } } }`,
    );
    expect(answer.errors).toBeUndefined();
    const [{ node: event }] = answer.data.deleverageEvents.edges;
    expect(event).toMatchObject({ price: '97.722222222222222222', size: '9', legCount: 3, account: null });
    const HIDDEN = `account trigger clamped bankruptcyValue bankruptcyPrice deficit fundBalanceBefore fundAllowanceBefore
      fundAvailableBefore fundPaid bestPrice depthSize liquidation`;
    for (const name of HIDDEN.split(/\s+/)) expect([name, event[name]]).toEqual([name, null]);
    const [trade] = answer.data.forcedTrades.edges;
    expect(trade.node).toMatchObject({ kind: 'LIQUIDATION', account: null, counterparty: null, liquidation: null });
    const cursors = [...JSON.stringify(answer.data).matchAll(/"(?:cursor|endCursor)":"([^"]*)"/g)].map(([, text]) =>
      Buffer.from(text ?? '', 'base64url').toString(),
    );
    expect(cursors.length).toBeGreaterThan(5);
    const told = `${JSON.stringify(answer.data)} ${cursors.join(' ')}`;
    expect(told).not.toMatch(/alice|bob|carol|dora|881\.74625|97\.971/);
  });

  it('of an event one’s own leg was part of: why, and not whom', async () => {
    const query = `{ viewer { deleverageLegs { edges { node { account { externalId } concession explanation
      event { account { id } liquidation { id } trigger { value trigger } fundPaid bankruptcyPrice } } } } } }`;
    const { data, errors } = await asBob(query);
    expect(errors).toBeUndefined();
    const [{ node: leg }, ...more] = data.viewer.deleverageLegs.edges;
    expect(more).toEqual([]);
    expect(leg).toMatchObject({
      account: { externalId: 'bob' },
      event: {
        account: null,
        liquidation: null,
        trigger: { value: '2.24625', trigger: '8.74625' },
        fundPaid: '2.24625',
        bankruptcyPrice: '97.971805555555555555',
      },
    });
    const lines = leg.explanation.split('\n');
    expect(lines[0]).toMatch(
      /^ADL event 1 in BTCUSDT, .* UTC: a position \(9 contracts long\) had to be closed, because its account was bankrupt\.$/,
    );
    expect(lines[4]).toMatch(/^Rank: bob was 3 of 3 shorts, with about 7 contracts ahead; /);
    expect(leg.explanation).not.toMatch(/alice|carol|dora/);
    const { data: whole } = await askAs(
      ['read:risk'],
      '{ node(id: "DeleverageLeg:1") { ... on DeleverageLeg { explanation } } }',
    );
    expect(whole.node.explanation).toContain('the position of alice (9 contracts long)');
    for (const field of ['legs { edges { cursor } }', 'skips { reason }', 'explanation', 'equityBefore']) {
      const refused = await asBob(`{ deleverageEvent(id: "DeleverageEvent:1") { ${field} } }`);
      expect(refused.errors[0].extensions).toEqual({ code: 'FORBIDDEN' });
      expect(refused.data).toEqual({ deleverageEvent: null });
    }
  });

  it('from how far one stands behind them: two digits of the size, exact for the risk desk', async () => {
    const fresh = await startApi();
    try {
      const venue = await freshVenue(fresh.sql);
      for (const [id, size] of [
        ['ann', '1234'],
        ['ben', '777'],
        ['cid', '100'],
      ] as const) {
        await venue.account(id, { deposit: String(Number(size) * (id === 'ann' ? 20 : id === 'ben' ? 40 : 80)) });
        await venue.trade('BTCUSDT', 'lp-usdt', id, size, '100');
      }
      await venue.price('BTCUSDT', '97');
      await fresh.book.refresh();
      const adlOf = async (id: string, scopes: Scope[]): Promise<unknown> => {
        const query = `{ account(externalId: "${id}") { positions { adl { rank level sizeAhead percentile } } } }`;
        const { data } = await fresh.ask(query, {}, await bearer({ scopes, traderId: id }));
        return data.account.positions[0].adl;
      };
      expect(await adlOf('cid', ['read:risk'])).toEqual({ rank: 3, level: 1, sizeAhead: '2011', percentile: '1' });
      expect(await adlOf('cid', ['read:account'])).toEqual({ rank: 3, level: 1, sizeAhead: '2000', percentile: '1' });
      expect(await adlOf('ben', ['read:risk'])).toMatchObject({
        sizeAhead: '1234',
        percentile: '0.952629085741354808',
      });
      expect(await adlOf('ben', ['read:account'])).toMatchObject({ sizeAhead: '1200', percentile: '0.95' });

      // The queue goes on by rank for the public, and by score and account for the risk desk; neither takes the other's place.
      const page = async (token: string | null, after: string | null): Promise<Answer> =>
        fresh.ask(
          'query($after: String) { market(symbol: "BTCUSDT") { adlQueue(side: SHORT, first: 2, after: $after) { edges { cursor node { rank level } } pageInfo { hasNextPage endCursor } } } }',
          { after },
          token,
        );
      const first = (await page(null, null)).data.market.adlQueue;
      expect(first.edges.map(({ node }: any) => node.rank)).toEqual([1, 2]);
      const second = (await page(null, first.pageInfo.endCursor)).data.market.adlQueue;
      expect([second.edges.map(({ node }: any) => node.rank), second.pageInfo.hasNextPage]).toEqual([[3], false]);
      const end = (await page(null, second.pageInfo.endCursor)).data.market.adlQueue;
      expect([end.edges, end.pageInfo.endCursor]).toEqual([[], second.pageInfo.endCursor]);
      const risk = await bearer({ scopes: ['read:risk'] });
      const exact = (await page(risk, null)).data.market.adlQueue.pageInfo.endCursor;
      expect((await page(null, exact)).errors[0].extensions.code).toBe('BAD_INPUT');
      expect((await page(risk, first.pageInfo.endCursor)).errors[0].extensions.code).toBe('BAD_INPUT');
    } finally {
      await fresh.stop();
    }
  });

  it('the viewer: who one is, and what is one’s own', async () => {
    const query =
      '{ viewer { scopes trader { externalId } accounts { externalId } deleverageLegs(first: 5) { edges { node { ordinal } } } } }';
    expect(await askAs(null, query)).toEqual({ status: 200, data: { viewer: null } });
    expect((await asBob(query)).data.viewer).toEqual({
      scopes: ['read:account'],
      trader: { externalId: 'bob' },
      accounts: [{ externalId: 'bob' }],
      deleverageLegs: { edges: [{ node: { ordinal: 3 } }] },
    });
    const nobody = { trader: null, accounts: [], deleverageLegs: { edges: [] } };
    expect((await askAs([], query, 'bob')).data.viewer).toEqual({ scopes: [], ...nobody });
    expect((await askAs(['read:risk'], query)).data.viewer).toEqual({ scopes: ['read:risk'], ...nobody });
    expect((await askAs(['read:account'], query, 'ghost')).data.viewer).toEqual({
      scopes: ['read:account'],
      ...nobody,
    });
    const pages = '{ viewer { deleverageLegs(first: 1, after: "x") { edges { cursor } } } }';
    expect((await asBob(pages)).errors[0].extensions.code).toBe('BAD_INPUT');
  });
});

/** Something of every type, so that a fragment of it is met whatever the node is. */
const FRAGMENTS = `... on Account { kind margin { equity } } ... on Asset { symbol } ... on Trader { externalId } ... on Market { symbol }
  ... on Position { size } ... on InsuranceFund { balance } ... on LedgerEntry { amount account { kind } } ... on MarginCall { status }
  ... on Liquidation { closed } ... on DeleverageEvent { price } ... on DeleverageLeg { rank } ... on ForcedTrade { price }
  ... on Job { paused } ... on JobRun { worker }`;
