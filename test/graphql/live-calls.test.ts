import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Client } from 'graphql-ws';
import type { Scope } from '../../src/access/caller.js';
import { readAccounts } from '../../src/db/read-accounts.js';
import { readNewestId } from '../../src/db/read-since.js';
import { runLap } from '../../src/engine/run-lap.js';
import { lookAtCalls } from '../../src/graphql/live/calls.js';
import { Pulse } from '../../src/graphql/live/pulse.js';
import { bearer } from '../support/access.js';
import { assertInvariants } from '../support/checks.js';
import { counted } from '../support/counted-sql.js';
import { connectTo, listen, type Listened } from '../support/live.js';
import type { TestVenue } from '../support/venue.js';
import { actOn, freshVenue, startApi, type TestApi } from './api.js';

const CALLS = `subscription($ids: [String!]) { marginCallChanged(accountIds: $ids) {
  id account { externalId } status deadline lapseReason releasedAt } }`;

interface Told {
  readonly id: string;
  readonly account: { readonly externalId: string };
  readonly status: string;
  readonly deadline: string;
  readonly lapseReason: string | null;
  readonly releasedAt: string | null;
}

let api: TestApi;
let url: string;
let venue: TestVenue;
const clients: Client[] = [];

beforeAll(async () => {
  api = await startApi();
  url = await api.server.listen({ host: '127.0.0.1', port: 0 });
  venue = await freshVenue(api.sql);
  await venue.account('bob', { deposit: '1000' });
  for (const id of ['alice', 'zoe']) {
    await venue.account(id, { deposit: '20' });
    await venue.trade('BTCUSDT', id, 'bob', '10', '100');
  }
  await lapAt('100');
});
afterAll(async () => {
  for (const client of clients) await client.dispose();
  await api.stop();
});

async function lapAt(price: string): Promise<void> {
  await venue.price('BTCUSDT', price);
  await runLap(api.sql, { worker: 'test' });
  await api.book.refresh();
}

async function as(trader: string | null, scopes: readonly Scope[] = ['read:account']): Promise<Client> {
  const client = connectTo(url, await bearer({ subject: trader ?? 'desk', scopes, traderId: trader ?? undefined }));
  clients.push(client);
  return client;
}

const next = async (stream: Listened): Promise<Told> =>
  ((await stream.next()) as { marginCallChanged: Told }).marginCallChanged;

describe('the stream of margin calls', () => {
  it('tells of each call when it is made, extended, met, lapses and is released, each state once', async () => {
    const own = listen(await as('alice'), CALLS);
    // So that the stream has begun, with nothing to tell.
    const desk = await as(null, ['read:risk']);
    await listen(desk, 'subscription { marketAdlChanged { symbol } }').next();
    // Maintenance 9.92, equity 12.
    await lapAt('99.2');
    const made = await next(own);
    expect(made).toMatchObject({ account: { externalId: 'alice' }, status: 'OPEN', releasedAt: null });

    const deadline = new Date(Date.parse(made.deadline) + 60_000).toISOString().replace('Z', '000Z');
    const input = { marginCallId: made.id, deadline, reason: 'a test' };
    const { userErrors } = (await await actOn(api, 'marginCallExtend', input, '')) as {
      readonly userErrors: readonly unknown[];
    };
    expect(userErrors).toEqual([]);
    expect(await next(own)).toEqual({ ...made, deadline });

    await venue.deposit('alice', '100');
    await lapAt('99.2');
    expect(await next(own)).toEqual({ ...made, deadline, status: 'MET' });

    await venue.deposit('alice', '-100');
    await lapAt('99.2');
    const second = await next(own);
    expect([second.status, second.id === made.id]).toEqual(['OPEN', false]);

    // No depth: nothing can be liquidated, and the account stays as it is.
    await lapAt('98.8');
    expect(await next(own)).toEqual({ ...second, status: 'LAPSED', lapseReason: 'LIQUIDATABLE' });
    await venue.deposit('alice', '100');
    await lapAt('98.9');
    const released = await next(own);
    expect(released).toMatchObject({ id: second.id, status: 'LAPSED', releasedAt: expect.any(String) });
    // What has ended has been told.
    await lapAt('98.8');
    await lapAt('98.9');
    expect(own.told).toHaveLength(6);
    own.stop();
  });

  it('begins with the calls that stand, of whom the reader may see', async () => {
    const desk = await as(null, ['read:risk']);
    // Zoe's has lapsed as well, and she is in need still.
    const all = listen(desk, CALLS, { ids: ['alice', 'zoe', 'bob', 'nobody'] });
    const first = await next(all);
    expect(first).toMatchObject({ account: { externalId: 'zoe' }, status: 'LAPSED', releasedAt: null });
    const other = await as('bob');
    const hidden = listen(other, CALLS, { ids: ['alice', 'zoe'] });
    await lapAt('100');
    await venue.deposit('zoe', '100');
    await lapAt('100');
    expect(await next(all)).toEqual({ ...first, releasedAt: expect.any(String) });
    await listen(other, 'subscription { marketAdlChanged { symbol } }').next();
    expect(hidden.told).toEqual([]);
    expect(all.told).toHaveLength(2);
    all.stop();
    hidden.stop();
  });
});

describe('a look at margin calls', () => {
  it('shows a call that was made and has ended since the last one, once, and is read once for all who look', async () => {
    let statements = 0;
    const sql = counted(api.sql, () => {
      statements++;
    });
    const pulse = new Pulse(1_000_000);
    const newest = await readNewestId(api.sql, 'margin_call');
    const [alice, zoe] = await readAccounts(api.sql, ['alice', 'zoe']);
    if (alice == null || zoe == null) throw new Error('nobody there');
    const look = lookAtCalls({ sql, pulse }, [alice], newest);
    const others = [[zoe], [alice, zoe], []].map((accounts) => lookAtCalls({ sql, pulse }, accounts, newest));
    const lookAgain = async (): Promise<string[]> => {
      pulse.beat();
      statements = 0;
      const shown = await look();
      const ofOne = statements;
      for (const other of others) await other();
      expect([ofOne > 0, statements - ofOne]).toEqual([true, 0]);
      return shown.map(({ value: { status } }) => status);
    };
    expect(await lookAgain()).toEqual([]);
    await venue.deposit('alice', '-100');
    await lapAt('99.2');
    await venue.deposit('alice', '100');
    await lapAt('99.2');
    expect(await lookAgain()).toEqual(['MET']);
    expect(await lookAgain()).toEqual([]);
    pulse.stop();
    await assertInvariants(api.sql);
  });
});
