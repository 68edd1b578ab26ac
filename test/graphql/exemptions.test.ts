import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { bearer } from '../support/access.js';
import { assertInvariants } from '../support/checks.js';
import type { TestVenue } from '../support/venue.js';
import { actOn, changeBoth, freshVenue, startApi, tellOfAlice, type TestApi } from './api.js';

/* eslint-disable @typescript-eslint/no-explicit-any, @typescript-eslint/no-unsafe-assignment, @typescript-eslint/no-unsafe-member-access, @typescript-eslint/no-unsafe-return, @typescript-eslint/no-unsafe-call -- answers are JSON, read by the names just asked for */

const WHY = { reason: 'market maker under contract' };
const IMPACT = `impact { queues { market { symbol } side size notional lengthBefore lengthAfter sizeBefore sizeAfter levelsChanged } }`;
const INDICATOR =
  'adl { state level rank queueLength sizeAhead percentile score { value } rankingId toLowerLevel { action } }';
const NOTHING = {
  ...{ state: 'EXEMPT', level: null, rank: null, queueLength: null, sizeAhead: null, percentile: null },
  ...{ score: null, rankingId: null, toLowerLevel: [] },
};

describe('an exemption over HTTP', () => {
  let api: TestApi;
  let venue: TestVenue;
  beforeAll(async () => {
    api = await startApi();
    venue = await freshVenue(api.sql);
    await tellOfAlice(venue);
    await venue.deposit('fund-usdt', '100');
    await api.book.refresh();
  });
  afterAll(async () => {
    await assertInvariants(api.sql);
    await api.stop();
  });

  const until = new Date(Date.now() + 86_400_000).toISOString();
  const ownToken = (account: string): Promise<string> => bearer({ scopes: ['read:account'], traderId: account });

  it('is refused with the path of what is wrong', async () => {
    for (const [mutation, input, code, field] of [
      ['exemptionGrant', { accountId: 'nobody' }, 'UNKNOWN_ACCOUNT', ['input', 'accountId']],
      ['exemptionGrant', { accountId: 'lp-usdt' }, 'CONFLICT', ['input', 'accountId']],
      ['exemptionGrant', { accountId: 'bob', until: '2020-01-01T00:00:00Z' }, 'BAD_INPUT', ['input', 'until']],
      ['exemptionEnd', { accountId: 'bob' }, 'CONFLICT', ['input', 'accountId']],
    ] as const) {
      const { change, userErrors } = await actOn(api, mutation, { ...input, ...WHY }, 'change { id }');
      expect([change, userErrors[0].code, userErrors[0].field]).toEqual([null, code, field]);
    }
  });

  it('shows what it would do to the queues, is approved, and is honoured wherever a queue is told', async () => {
    const input = { accountId: 'bob', until, ...WHY };
    const { change } = await actOn(
      api,
      'exemptionGrant',
      input,
      `change { id kind targetType targetId payload ${IMPACT} }`,
    );
    expect(change).toMatchObject({ kind: 'EXEMPTION_GRANT', targetType: 'Account', targetId: 'bob' });
    expect(JSON.parse(String(change.payload))).toMatchObject({ version: 1 });
    const moved = {
      ...{ market: { symbol: 'BTCUSDT' }, side: 'SHORT', size: '6', notional: '600' },
      ...{ lengthBefore: 3, lengthAfter: 2, sizeBefore: '13', sizeAfter: '7', levelsChanged: 2 },
    };
    expect(change.impact.queues).toEqual([moved]);
    expect((await changeBoth(api, 'exemptionGrant', input)).change.status).toBe('APPLIED');
    // At once: the answer has waited for a book that shows it.
    const query = `{ account(externalId: "bob") { positions { ${INDICATOR} } adlExemption { since until reason change { kind } } }
      market(symbol: "BTCUSDT") { adl(side: SHORT) { queueLength queueSize } adlQueue(side: SHORT) { edges { node { account { externalId } } } } }
      deleveragePreview(input: { marketSymbol: "BTCUSDT", side: SHORT, size: "7", price: "100" }) { legs { account { externalId } } unfilled }
      exempt: accounts(exempt: true) { edges { node { externalId } } }
      others: accounts(exempt: false, statuses: [HEALTHY]) { edges { node { externalId } } } }`;
    const { account, market, deleveragePreview, exempt, others } = (await api.ask(query)).data;
    const names = ({ edges }: any): string[] => edges.map(({ node }: any) => node.externalId);
    expect(account.positions).toEqual([{ adl: NOTHING }]);
    expect(Date.parse(String(account.adlExemption.until))).toBe(Date.parse(until));
    expect(account.adlExemption).toMatchObject({ ...WHY, change: { kind: 'EXEMPTION_GRANT' } });
    expect(market.adl).toEqual({ queueLength: 2, queueSize: '7' });
    expect(market.adlQueue.edges.map(({ node }: any) => node.account.externalId).sort()).toEqual(['carol', 'dora']);
    expect(deleveragePreview.unfilled).toBe('0');
    expect(deleveragePreview.legs.map((leg: any) => leg.account.externalId).sort()).toEqual(['carol', 'dora']);
    expect(names(exempt)).toEqual(['bob']);
    expect(names(others)).toEqual(expect.not.arrayContaining(['bob']));
    expect(names(others)).toContain('carol');
  });

  it('is told to whom it concerns, and its reason to the risk desk alone', async () => {
    const ask = async (fields: string, token: string): Promise<any> =>
      api.ask(`{ account(externalId: "bob") { adlExemption { ${fields} } } }`, {}, token);
    const own = await ask('until change { id }', await ownToken('bob'));
    expect(own.data.account.adlExemption).toMatchObject({ change: null });
    expect(own.data.account.adlExemption.until).not.toBeNull();
    expect((await ask('reason', await ownToken('bob'))).errors[0].extensions.code).toBe('FORBIDDEN');
    expect((await ask('until', await ownToken('carol'))).data.account).toBeNull();
    const desk = await bearer({ scopes: ['read:risk'] });
    expect((await ask('reason', desk)).data.account.adlExemption).toEqual(WHY);
    const text = (await api.ask('{ account(externalId: "bob") { explanation } }', {}, await ownToken('bob'))).data
      .account.explanation;
    expect(text).toMatch(/^Exempt from auto-deleveraging, .*: by change \d+, until .*; it stands\.$/m);
    expect(text).toMatch(/in no ADL queue, since the account is exempt\.$/m);
    expect(text).not.toContain(WHY.reason);
  });

  it('is kept by a simulation', async () => {
    const { data } = await api.ask(
      `{ marginSimulation(input: { accountExternalId: "bob", trades: [{ marketSymbol: "BTCUSDT", size: "1" }] }) {
        before { positions { adl { state level } } } after { positions { adl { state level } } } } }`,
      {},
      await ownToken('bob'),
    );
    const exempt = { positions: [{ adl: { state: 'EXEMPT', level: null } }] };
    expect(data.marginSimulation).toEqual({ before: exempt, after: exempt });
  });

  it('passes over its account in an event, which says so', async () => {
    await venue.price('BTCUSDT', '97');
    await actOn(api, 'jobRun', { name: 'waterfall' }, 'outcome');
    const { deleverageEvents } = await api.read(`{ deleverageEvents { edges { node { explanation
      skips { account { externalId } rank reason size } legs { edges { node { stage account { externalId } explanation } } } } } } }`);
    const [{ node: event }] = deleverageEvents.edges;
    expect(event.skips).toEqual([{ account: { externalId: 'bob' }, rank: null, reason: 'EXEMPT', size: '6' }]);
    const legs = event.legs.edges.map(({ node }: any) => node);
    // The fund pays: carol and dora take 7 at the price, and bob the rest at the mark, where nobody else is left.
    expect(legs.map(({ stage, account }: any) => `${stage} ${account.externalId}`)).toEqual([
      'DELEVERAGE dora',
      'DELEVERAGE carol',
      'CLOSE_AT_MARK bob',
    ]);
    expect(event.explanation).toMatch(
      /^Passed over: bob \(no rank, 6 contracts, equity 118, maintenance [\d.]+\): EXEMPT, it was exempt from auto-deleveraging\.$/m,
    );
    expect(legs[2].explanation).toContain(
      'Rank: bob was no candidate of the queue, being exempt from auto-deleveraging; it was taken as the last resort, at the mark',
    );
  });

  it('is ended by two, and the account is in its place again', async () => {
    expect((await changeBoth(api, 'exemptionEnd', { accountId: 'bob', ...WHY })).change.status).toBe('APPLIED');
    const { account } = (
      await api.ask(
        '{ account(externalId: "bob") { adlExemption { since } explanation positions { adl { state rank } } } }',
      )
    ).data;
    expect(account.adlExemption).toBeNull();
    expect(account.positions).toEqual([{ adl: { state: 'RANKED', rank: 1 } }]);
    expect(account.explanation).toMatch(/; ended by change \d+, .*\.$/m);
  });
});
