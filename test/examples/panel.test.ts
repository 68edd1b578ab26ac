import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { parse, validate } from 'graphql';
import WebSocket from 'ws';
import { RECORD_PRICES, RECORD_TRADES } from '../../examples/feed.js';
import {
  fetchPanel,
  LIGHTS,
  MARGINS,
  openPanel,
  PANEL,
  type Panel,
  type PanelAccount,
  type PanelOptions,
} from '../../examples/panel.js';
import { loadSchema } from '../../src/graphql/schema.js';
import { createAccount } from '../../src/ingest/accounts.js';
import { bearer } from '../support/access.js';
import type { TestVenue } from '../support/venue.js';
import { freshVenue, startApi, tellOfAlice, type TestApi } from '../graphql/api.js';
import { startLine } from './faulty-proxy.js';

let api: TestApi;
let venue: TestVenue;
let url: string;
const panels: Panel[] = [];

beforeAll(async () => {
  api = await startApi();
  venue = await freshVenue(api.sql);
  await tellOfAlice(venue);
  await api.book.refresh();
  url = await api.server.listen({ host: '127.0.0.1', port: 0 });
});
afterEach(async () => {
  for (const panel of panels.splice(0)) {
    panel.stop();
    await panel.ended.catch(() => undefined);
  }
});
afterAll(() => api.stop());

async function tokenOf(traderId: string, ttlSeconds = 600): Promise<string> {
  const header = await bearer({ subject: traderId, scopes: ['read:account'], traderId, ttlSeconds });
  return header.replace('Bearer ', '');
}

/** A panel, and what it shows of the first account once it is as said. */
function open(options: Omit<PanelOptions, 'url' | 'onAccounts' | 'webSocket'> & { readonly url?: string }) {
  let shown: readonly PanelAccount[] = [];
  let isNew: () => void = () => undefined;
  const panel = openPanel({
    url,
    webSocket: WebSocket,
    ...options,
    onAccounts(accounts) {
      shown = accounts;
      isNew();
    },
  });
  panels.push(panel);
  const shows = async (isSo: (account: PanelAccount, count: number) => boolean): Promise<PanelAccount> => {
    for (;;) {
      const [first] = shown;
      if (first !== undefined && isSo(first, shown.length)) return first;
      await new Promise<void>((resolve) => (isNew = resolve));
    }
  };
  return { panel, shows };
}

const levelOf = (account: PanelAccount): number | null | undefined => account.positions[0]?.adl.level;

async function move(tell: () => Promise<unknown>): Promise<void> {
  await tell();
  await api.book.refresh();
}

describe('the panel', () => {
  it('asks what the contract has', () => {
    for (const document of [PANEL, LIGHTS, MARGINS, RECORD_PRICES, RECORD_TRADES])
      expect(validate(loadSchema(), parse(document))).toEqual([]);
  });

  it('shows what is stored, and then each change', async () => {
    const token = await tokenOf('dora');
    const { panel, shows } = open({ token: () => token });
    const first = await shows(() => true);
    expect(first).toMatchObject({
      id: 'Account:dora',
      externalId: 'dora',
      margin: { status: 'HEALTHY', held: false, equity: '30', freshness: { code: 'FRESH' } },
      positions: [
        {
          id: 'Position:dora/BTCUSDT',
          market: { symbol: 'BTCUSDT' },
          side: 'SHORT',
          size: '3',
          entryPrice: '100',
          markPrice: '100',
          unrealizedPnl: '0',
          adl: { state: 'RANKED', queueLength: 3, freshness: { code: 'FRESH' } },
        },
      ],
      marginCalls: { edges: [] },
      deleverageLegs: { edges: [] },
    });
    await move(() => venue.price('BTCUSDT', '99'));
    expect(await fetchPanel({ url, token: () => token })).toMatchObject([
      { positions: [{ markPrice: '99', adl: { level: 5, rank: 1 } }] },
    ]);
    await move(() => venue.deposit('dora', '100000'));
    const last = await shows((account) => levelOf(account) === 2);
    expect(last.positions[0]?.adl).toMatchObject({ rank: 3, queueLength: 3 });
    await move(() => venue.price('ETHUSDT', '10'));
    await move(() => venue.trade('ETHUSDT', 'dora', 'lp-usdt', '1', '10'));
    await shows(({ positions }) => positions.length === 2);
    await move(() => venue.trade('ETHUSDT', 'lp-usdt', 'dora', '1', '10'));
    await shows(({ positions }) => positions.length === 1);
    panel.stop();
    await panel.ended;
  });

  it('comes back after its line was cut, and shows what happened meanwhile', async () => {
    const line = await startLine(url);
    try {
      const token = await tokenOf('carol');
      let isLost: () => void = () => undefined;
      const lost = new Promise<void>((resolve) => (isLost = resolve));
      const { panel, shows } = open({
        url: line.url,
        token: () => token,
        onLost: () => {
          isLost();
        },
      });
      const before = levelOf(await shows(() => true));
      line.cut();
      await lost;
      await move(() => venue.deposit('carol', '1000000'));
      // No stream tells of an account that is new: the panel was asked for again.
      await move(() => createAccount(api.sql, { id: 'carol-2', traderId: 'carol', marginAssetId: 'USDT' }));
      line.mend();
      await shows((_account, count) => count === 2);
      const after = await shows((account) => levelOf(account) !== before);
      expect(after.margin.equity).toMatch(/^10000\d\d$/);
      await move(() => venue.deposit('carol', '-1000000'));
      await shows((account) => levelOf(account) === before);
      panel.stop();
      await panel.ended;
    } finally {
      await line.close();
    }
  });

  it('asks for a new token when the old one has ended, and goes on with it', async () => {
    const old = await tokenOf('bob', 2);
    const next = await tokenOf('bob');
    let token = old;
    const reasons: unknown[] = [];
    let isRenewed: () => void = () => undefined;
    const renewed = new Promise<void>((resolve) => (isRenewed = resolve));
    const { shows } = open({
      token: (refused) => {
        if (refused) {
          token = next;
          isRenewed();
        }
        return token;
      },
      onLost: (reason) => reasons.push(reason),
    });
    const before = levelOf(await shows(() => true));
    await renewed;
    await move(() => venue.deposit('bob', '50000000'));
    await shows((account) => levelOf(account) !== before);
    expect(reasons.length).toBeGreaterThan(0);
  });

  it('ends when it is refused for good', async () => {
    const { panel } = open({ token: () => 'forged' });
    await expect(panel.ended).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  });
});
