import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Client } from 'graphql-ws';
import { sealChains } from '../../src/db/chains.js';
import { withAround } from '../../src/db/transaction.js';
import { encodeCursor } from '../../src/graphql/connection.js';
import { recordTransfers } from '../../src/ingest/transfers.js';
import { bearer } from '../support/access.js';
import { connectTo, listen, type Listened } from '../support/live.js';
import type { TestVenue } from '../support/venue.js';
import { freshVenue, startApi, type TestApi } from './api.js';

const LEDGER = `subscription($after: String, $funds: [String!]) { ledgerEntries(after: $after, insuranceFundIds: $funds) {
  cursor node { id account { externalId } asset { symbol } sequence amount balanceAfter kind } } }`;
const FROM_THE_START = encodeCursor('ledgerEntries', '0');

interface Told {
  readonly cursor: string;
  readonly node: { readonly id: string; readonly amount: string; readonly account: object | null };
}

let api: TestApi;
let url: string;
let venue: TestVenue;
const clients: Client[] = [];

beforeAll(async () => {
  api = await startApi();
  url = await api.server.listen({ host: '127.0.0.1', port: 0 });
  venue = await freshVenue(api.sql);
  await api.book.refresh();
});
afterAll(async () => {
  for (const client of clients) await client.dispose();
  await api.stop();
});

function connected(authorization: string | null = null): Client {
  const client = connectTo(url, authorization);
  clients.push(client);
  return client;
}

const next = async (stream: Listened): Promise<Told> =>
  ((await stream.next()) as { ledgerEntries: Told }).ledgerEntries;

async function amountsOf(stream: Listened, count: number): Promise<string[]> {
  const amounts: string[] = [];
  while (amounts.length < count) amounts.push((await next(stream)).node.amount);
  return amounts;
}

function signal(): { readonly given: Promise<void>; give: () => void } {
  let give = (): void => undefined;
  const given = new Promise<void>((resolve) => {
    give = resolve;
  });
  return { given, give };
}

describe('the stream of fund ledgers', () => {
  it('tells everybody of every entry of a fund, from now on, and of no other account', async () => {
    await venue.deposit('fund-usdt', '1');
    await sealChains(api.sql);
    const client = connected();
    const stream = listen(client, LEDGER);
    await listen(client, 'subscription { marketAdlChanged { symbol } }').next();
    await venue.account('alice', { deposit: '20' });
    await venue.deposit('fund-usdt', '2');
    await venue.deposit('fund-btc', '3');
    await sealChains(api.sql);
    expect(await next(stream)).toMatchObject({
      node: {
        ...{ account: null, asset: { symbol: 'USDT' }, sequence: '2' },
        ...{ amount: '2', balanceAfter: '3', kind: 'TRANSFER' },
      },
    });
    expect(await amountsOf(stream, 1)).toEqual(['3']);
    const desk = listen(connected(await bearer({ scopes: ['read:risk'] })), LEDGER, { after: FROM_THE_START });
    expect(await next(desk)).toMatchObject({ node: { amount: '1', account: { externalId: 'fund-usdt' } } });
    desk.stop();
    stream.stop();
  });

  it('passes by no entry that is committed after one with a larger number', async () => {
    const stream = listen(connected(), LEDGER, { after: FROM_THE_START, funds: ['fund-usdt', 'fund-btc'] });
    const before = await amountsOf(stream, 3);
    const [written, mayCommit] = [signal(), signal()];
    const slowly = withAround(api.sql, async (tx, work) => {
      const answer = await work(tx);
      written.give();
      await mayCommit.given;
      return answer;
    });
    const transfer = { id: 'slow', accountId: 'fund-btc', assetId: 'BTC', amount: '4', at: venue.at };
    const slow = recordTransfers(slowly, [transfer]);
    await written.given;
    await venue.deposit('fund-usdt', '5');
    await sealChains(api.sql);
    expect(await amountsOf(stream, 1)).toEqual(['5']);
    mayCommit.give();
    await slow;
    await sealChains(api.sql);
    expect(await amountsOf(stream, 1)).toEqual(['4']);
    const byNumber = await api.sql<{ amount: string }[]>`
      select trim_scale(e.amount) as amount from ledger_entry e join insurance_fund f using (account_id) order by e.id`;
    expect(byNumber.map(({ amount }) => amount)).toEqual([...before, '4', '5']);
    stream.stop();
  });

  it('goes on behind a cursor without gap or repeat, of the funds that are named', async () => {
    const all = listen(connected(), LEDGER, { after: FROM_THE_START });
    const told: Told[] = [];
    while (told.length < 5) told.push(await next(all));
    expect(new Set(told.map(({ node }) => node.id)).size).toBe(5);
    const rest = listen(connected(), LEDGER, { after: told[1]?.cursor });
    const others = [await next(rest), await next(rest), await next(rest)];
    expect(others).toEqual(told.slice(2));
    const ofOne = listen(connected(), LEDGER, { after: FROM_THE_START, funds: ['fund-btc'] });
    expect(await amountsOf(ofOne, 2)).toEqual(['3', '4']);
    await venue.deposit('fund-usdt', '6');
    await sealChains(api.sql);
    expect(await amountsOf(rest, 1)).toEqual(['6']);
    for (const stream of [all, rest, ofOne]) stream.stop();
  });

  it('tells nothing before it is committed and sealed', async () => {
    const stream = listen(connected(), LEDGER, { after: FROM_THE_START });
    await amountsOf(stream, 6);
    await venue.deposit('fund-usdt', '7');
    await api.book.refresh();
    await new Promise((resolve) => setTimeout(resolve, 1100));
    expect(stream.told).toHaveLength(6);
    await sealChains(api.sql);
    expect(await amountsOf(stream, 1)).toEqual(['7']);
    stream.stop();
  });

  it.each([
    ['a cursor of another list', { after: encodeCursor('ledger', '1') }, 'BAD_INPUT'],
    ['a fund that is not there', { funds: ['fund-usdt', 'alice'] }, 'NOT_FOUND'],
    ['too many funds', { funds: Array.from({ length: 201 }, () => 'fund-usdt') }, 'BAD_INPUT'],
  ])('refuses %s', async (_what, variables, code) => {
    const stream = listen(connected(), LEDGER, variables);
    const ended = (await stream.ended) ?? (stream.told[0] as { errors?: unknown } | undefined)?.errors;
    expect(ended).toMatchObject([{ extensions: { code } }]);
  });
});
