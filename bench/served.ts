import { readFile } from 'node:fs/promises';
import { performance } from 'node:perf_hooks';
import autocannon from 'autocannon';
import { closeSql, openSql, type Sql } from '../src/db/connect.js';
import { recordPrices } from '../src/ingest/prices.js';
import { recordTrades } from '../src/ingest/trades.js';
import { bearer } from '../test/support/access.js';
import { startServe, type Served } from '../test/support/serve.js';
import { IMAGE_SETTINGS } from './as-built.js';
import { pricesOf, type Prices } from './prices.js';
import { measureFanOut, type FanOut } from './streams.js';
import { summarize, type Times } from './timing.js';

export interface ServiceTimes {
  /** Resident memory of the process that serves and runs the laps, after all of this. */
  readonly residentMb: number;
  readonly panel: PanelTimes;
  /** A price recorded: until its new ranks are answered. */
  readonly visible: Times;
  readonly visibleMarketPositions: number;
  readonly tradesPerSecond: number;
  readonly fanOut: FanOut;
}

export interface PanelTimes {
  readonly requestsPerSecond: number;
  readonly medianMs: number;
  readonly p99Ms: number;
  readonly connections: number;
  readonly seconds: number;
}

const CONNECTIONS = 10;
const SECONDS = 10;
/** So many different accounts are asked for in turn. */
const ACCOUNTS = 500;
const TICKS = 40;
const TRADES = 1000;
const MARKET = 'ETHUSDT';

/** What a trading UI asks for: margin, positions and lights of one account. */
const PANEL = `query Panel($id: String!) { account(externalId: $id) { externalId margin { status equity marginRatio freshness { code } }
  positions { market { symbol } side size markPrice unrealizedPnl liquidationPrice adl { state level rank sizeAhead freshness { code } } } } }`;
const RANKING = `{ market(symbol: "${MARKET}") { markPrice { price } adl(side: LONG) { rankingId } } }`;

/** A process of its own serves the API and runs the job on its interval, as `backstop serve` does. `program`: as it is built. */
export async function measureService(databaseUrl: string, program: string): Promise<ServiceTimes> {
  const sql = openSql(databaseUrl, { max: 2 });
  const served = await startServe('all', { DATABASE_URL: databaseUrl, ...IMAGE_SETTINGS }, program);
  try {
    const prices = await pricesOf(sql);
    const visible = await measureVisible(sql, served, prices);
    const panel = await measurePanel(sql, served);
    const tradesPerSecond = await measureTrades(sql, prices);
    const fanOut = await measureFanOut(sql, served);
    const [market] = await sql<{ count: number }[]>`select count(*)::integer from position where market_id = ${MARKET}`;
    const residentMb = await residentMbOf(served.pid);
    return { residentMb, panel, fanOut, visible, visibleMarketPositions: market?.count ?? 0, tradesPerSecond };
  } finally {
    served.signal('SIGTERM');
    await served.ended;
    await closeSql(sql);
  }
}

async function measureVisible(sql: Sql, served: Served, prices: Prices): Promise<Times> {
  const rankingId = async (): Promise<string> => {
    const { market } = await ask<{ market: { adl: { rankingId: string } } }>(served, RANKING);
    return market.adl.rankingId;
  };
  const taken: number[] = [];
  for (let i = 0; i < TICKS; i++) {
    const before = await rankingId();
    const price = prices.ticked(MARKET, 1 + (i % 2));
    const start = performance.now();
    await recordPrices(sql, [{ id: `visible-${String(i)}`, marketId: MARKET, price }]);
    while ((await rankingId()) === before) if (performance.now() - start > 60_000) throw new Error('never visible');
    taken.push(performance.now() - start);
    // The lap that the price has hinted at ends before the next.
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  return summarize(taken);
}

async function measurePanel(sql: Sql, served: Served): Promise<PanelTimes> {
  const rows = await sql<{ id: string }[]>`
    select id from (select distinct account_id as id from position tablesample system (10)) p order by md5(id) limit ${ACCOUNTS}`;
  const bodies = rows.map(({ id }) => JSON.stringify({ query: PANEL, variables: { id } }));
  await checkAnswer(served, bodies[0] ?? '');
  const headers = { 'content-type': 'application/json', authorization: await bearer() };
  const result = await autocannon({
    url: `${served.origin}/graphql`,
    connections: CONNECTIONS,
    duration: SECONDS,
    requests: bodies.map((body) => ({ method: 'POST', headers, body })),
  });
  if (result.errors + result.non2xx > 0) throw new Error(`${String(result.errors + result.non2xx)} requests failed`);
  const { requests, latency } = result;
  return {
    requestsPerSecond: requests.average,
    medianMs: latency.p50,
    p99Ms: latency.p99,
    connections: CONNECTIONS,
    seconds: SECONDS,
  };
}

/** Between two thousand accounts, in batches as large as they may be, while the laps go on. */
async function measureTrades(sql: Sql, prices: Prices): Promise<number> {
  const rows = await sql<{ id: string }[]>`
    select a.id from account a where kind = 'TRADER' and mode = 'CROSS' and margin_asset_id = 'USDT' order by md5(id) limit 2000`;
  const ids = rows.map(({ id }) => id);
  const price = prices.ticked(MARKET, 0);
  const start = performance.now();
  let recorded = 0;
  for (let batch = 0; performance.now() - start < SECONDS * 1000; batch++) {
    const trades = Array.from({ length: TRADES }, (_, i) => ({
      id: `bench-${String(batch)}-${String(i)}`,
      marketId: MARKET,
      buyerId: ids[(i * 2 + batch) % ids.length] ?? '',
      sellerId: ids[(i * 2 + 1 + batch) % ids.length] ?? '',
      size: '0.001',
      price,
    }));
    await recordTrades(sql, trades);
    recorded += trades.length;
  }
  return (recorded / (performance.now() - start)) * 1000;
}

async function ask<T>(served: Served, query: string): Promise<T> {
  const answer = await fetch(`${served.origin}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: await bearer() },
    body: JSON.stringify({ query }),
  });
  const { data, errors } = (await answer.json()) as { data?: T; errors?: unknown };
  if (data === undefined || errors !== undefined) throw new Error(JSON.stringify(errors));
  return data;
}

async function checkAnswer(served: Served, body: string): Promise<void> {
  const answer = await fetch(`${served.origin}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: await bearer() },
    body,
  });
  const { data, errors } = (await answer.json()) as {
    data?: { account?: { positions: { adl: { state: string } }[] } };
    errors?: unknown;
  };
  const states = data?.account?.positions.map((position) => position.adl.state) ?? [];
  if (errors !== undefined || states.length === 0 || states.some((state) => state !== 'RANKED')) {
    throw new Error(`the panel is not answered: ${JSON.stringify(errors ?? data)}`);
  }
}

async function residentMbOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${String(pid)}/status`, 'utf8');
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? '0';
  return Number.parseInt(kilobytes, 10) / 1024;
}
