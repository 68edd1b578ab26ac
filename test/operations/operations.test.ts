import { afterEach, describe, expect, it } from '@jest/globals';
import { startApp } from '../../src/app.js';
import { createEngineServer } from '../../src/jobs/engine-server.js';
import { JobRunner } from '../../src/jobs/runner.js';
import { Metrics } from '../../src/operations/metrics.js';
import { createLog } from '../../src/telemetry.js';
import { aliceGoesBankrupt, freshVenue, startApi, type ApiOptions, type TestApi } from '../graphql/api.js';
import { bearer, TEST_ACCESS, TEST_SECRET } from '../support/access.js';
import { createTestDatabase } from '../support/database.js';
import { NO_LIMITS } from '../support/limits.js';
import { createTestVenue } from '../support/venue.js';

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function start(options: ApiOptions = {}): Promise<TestApi> {
  const api = await startApi(options);
  ends.push(() => api.stop());
  return api;
}

async function get(
  { server }: { readonly server: Pick<TestApi['server'], 'app'> },
  url: string,
  headers: Record<string, string> = {},
) {
  const answer = await server.app.inject({ url, headers });
  return { status: answer.statusCode, body: answer.body, type: answer.headers['content-type'] };
}

const json = (text: string): unknown => JSON.parse(text);

describe('a process that answers queries', () => {
  it('is ready while it can answer truly, and says what is wrong all the same', async () => {
    const api = await start();
    const selfCheck = { checked: 0, differences: 0, lastAt: null };
    const ready = async () => {
      const { status, body } = await get(api, '/readyz');
      return [status, json(body)];
    };
    expect(await ready()).toEqual([200, { ready: true, reasons: [], selfCheck }]);
    await api.sql`update job set round = 1, due_at = clock_timestamp() - interval '5 minutes'`;
    const venue = await freshVenue(api.sql);
    venue.at = '2025-01-01T00:00:00Z';
    await venue.price('BTCUSDT', '100');
    expect(await ready()).toEqual([
      200,
      {
        ready: true,
        reasons: [
          { code: 'JOB_LATE', message: expect.stringMatching(/^the job waterfall is overdue by 30\d s$/) },
          { code: 'STALE_PRICE', message: 'no fresh price: BTCUSDT' },
        ],
        selfCheck,
      },
    ]);
  });

  it('is not ready without its database, and alive nevertheless', async () => {
    const api = await start();
    await api.sql`alter table job rename to hidden`;
    const { status, body } = await get(api, '/readyz');
    expect([status, json(body)]).toMatchObject([503, { ready: false, reasons: [{ code: 'DATABASE' }] }]);
    expect(await get(api, '/healthz')).toMatchObject({ status: 200, body: '{"ok":true,"role":"api"}' });
  });

  it('says so when an engine runs in it as well', async () => {
    const database = await createTestDatabase();
    ends.push(() => database.drop());
    const config = { host: '127.0.0.1', port: 0, corsOrigins: [], limits: NO_LIMITS, metricsToken: undefined };
    for (const role of ['all', 'api'] as const) {
      const app = await startApp({
        databaseUrl: database.url,
        config,
        access: TEST_ACCESS,
        log: createLog('silent'),
        role,
      });
      const health = await fetch(new URL('/healthz', app.url));
      await app.stop();
      expect(await health.json()).toEqual({ ok: true, role });
    }
  });

  it('is not ready with an old book', async () => {
    const api = await start();
    const old = { ...api.book.current(), takenAtMs: performance.now() - 60_000 };
    Object.defineProperty(api.book, 'current', { value: () => old });
    const { status, body } = await get(api, '/readyz');
    expect([status, json(body)]).toMatchObject([
      503,
      { ready: false, reasons: [{ code: 'BOOK_AGE', message: expect.stringMatching(/^the book is 6\d{4} ms old$/) }] },
    ]);
  });
});

describe('metrics', () => {
  it('are for this machine, and through a proxy for nobody', async () => {
    const api = await start();
    expect(await get(api, '/metrics')).toMatchObject({ status: 200, type: 'text/plain; version=0.0.4; charset=utf-8' });
    for (const header of ['x-forwarded-for', 'forwarded']) {
      expect((await get(api, '/metrics', { [header]: '127.0.0.1' })).status).toBe(403);
    }
    const far = await api.server.app.inject({ url: '/metrics', remoteAddress: '192.0.2.1' });
    expect([far.statusCode, far.json()]).toMatchObject([403, { errors: [{ extensions: { code: 'FORBIDDEN' } }] }]);
  });

  it('are for whoever has the token, where there is one', async () => {
    const api = await start({ metricsToken: 'a-token-for-metrics' });
    for (const authorization of ['Bearer a-token-for-metricz', 'Bearer ', 'a-token-for-metrics', await bearer()])
      expect((await get(api, '/metrics', { authorization })).status).toBe(401);
    expect((await get(api, '/metrics')).status).toBe(401);
    expect((await get(api, '/metrics', { authorization: 'Bearer a-token-for-metrics' })).status).toBe(200);
  });

  it('tell of requests by kind and outcome, of prices, funds and chains', async () => {
    const api = await start({ limits: { rate: { requests: 4, seconds: 600 } } });
    const venue = await freshVenue(api.sql);
    await venue.price('BTCUSDT', '100');
    await venue.deposit('fund-usdt', '12.5');
    for (const query of [
      '{ __typename }',
      '{ nothing }',
      'mutation { assetCreate(input: { symbol: "X" }) { asset { id } } }',
    ])
      await api.ask(query);
    await api.ask('{ viewer { scopes } }', {}, 'Bearer x');
    for (let i = 0; i < 3; i++) await api.ask('{ __typename }');
    const { body } = await get(api, '/metrics');
    for (const line of [
      'backstop_requests_total{operation="query",outcome="OK"} 2',
      'backstop_requests_total{operation="none",outcome="GRAPHQL_VALIDATION_FAILED"} 1',
      'backstop_requests_total{operation="mutation",outcome="OK"} 1',
      'backstop_requests_total{operation="none",outcome="UNAUTHENTICATED"} 1',
      'backstop_requests_total{operation="none",outcome="RATE_LIMITED"} 2',
      'backstop_request_seconds_count{operation="query"} 2',
      'backstop_fund_balance_approximate{fund="fund-usdt"} 12.5',
      'backstop_chain_pending_rows{chain="AUDIT_LOG"} 1',
      'backstop_chain_pending_rows{chain="DELEVERAGE"} 0',
      'backstop_self_check_differences 0',
    ])
      expect(body.split('\n')).toContain(line);
    expect(body).toMatch(/^backstop_price_age_seconds\{market="BTCUSDT"\} [\d.e-]+$/m);
    expect(body).toMatch(/^backstop_book_age_seconds [\d.e-]+$/m);
    expect(body).not.toContain('tester');
    expect(body).not.toMatch(/^backstop_replication_lag_seconds/m);
  });

  it('tell how long sweeps took, where a book is large enough to be swept in a thread of its own', async () => {
    const database = await createTestDatabase();
    ends.push(() => database.drop());
    await createTestVenue(database.sql);
    const text = async (): Promise<string> => {
      const app = await startApp({
        ...{ databaseUrl: database.url, role: 'api', access: TEST_ACCESS, log: createLog('silent') },
        config: { host: '127.0.0.1', port: 0, corsOrigins: [], limits: NO_LIMITS, metricsToken: undefined },
      });
      const metrics = await (await fetch(app.url.replace(/graphql$/, 'metrics'))).text();
      await app.stop();
      return metrics;
    };
    expect(await text()).toContain('backstop_sweep_seconds_count 0');
    await database.sql`
      insert into account (id, trader_id, kind, mode, margin_asset_id)
      select 'x' || n, 'venue', 'TRADER', 'CROSS', 'USDT' from generate_series(1, 10000) n`;
    const swept = await text();
    expect(swept).toMatch(/^backstop_sweep_seconds_count [1-9]\d*$/m);
    expect(Number(/^backstop_sweep_seconds_sum (\S+)$/m.exec(swept)?.[1])).toBeGreaterThan(0);
  });

  it('do without what cannot be read', async () => {
    const api = await start();
    await freshVenue(api.sql);
    await get(api, '/metrics');
    await api.sql`alter table chain_due rename to hidden`;
    const { status, body } = await get(api, '/metrics');
    expect(status).toBe(200);
    expect(body).toMatch(/^backstop_book_age_seconds /m);
    expect(body).not.toMatch(/^backstop_(chain_pending_rows|fund_balance_approximate)\{/m);
  });
});

describe('an engine', () => {
  it('tells what its laps did, and whether it is of use', async () => {
    const api = await start();
    const { sql } = api;
    const metrics = new Metrics();
    let differences = 0;
    const selfCheck = { status: () => ({ checked: 100, differences, lastAt: null }) };
    const engine = createEngineServer({ sql, name: 'engine/test', selfCheck, metrics, metricsToken: undefined });
    ends.push(() => engine.stop());
    expect(json((await get({ server: engine }, '/healthz')).body)).toEqual({ ok: true, role: 'engine' });
    await aliceGoesBankrupt(api, async () => {
      await sql`update job set due_at = clock_timestamp()`;
      const runner = new JobRunner({ sql, log: createLog('silent'), worker: 'engine/test', metrics });
      runner.start();
      while (!(await metrics.text()).includes('backstop_deleverage_events_total 1'))
        await new Promise((resolve) => setTimeout(resolve, 20));
      await runner.stop();
    });
    const { body } = await get({ server: engine }, '/metrics');
    for (const line of [
      'backstop_liquidations_total 1',
      'backstop_deleverage_legs_total 3',
      'backstop_lap_failures_total 0',
      'backstop_bad_debts_total 0',
    ])
      expect(body.split('\n')).toContain(line);
    expect(body).toMatch(/^backstop_lap_seconds_count [1-9]\d*$/m);
    expect(body).toMatch(/^backstop_lap_accounts [1-9]\d*$/m);
    differences = 2;
    const differs = json((await get({ server: engine }, '/readyz')).body);
    expect(differs).toMatchObject({ ready: true, reasons: [{ code: 'SELF_CHECK', message: '2 figures differed' }] });
    expect((await get({ server: engine }, '/metrics')).body).toMatch(/self_check_differences\S* 2$/m);
    differences = 0;
    await sql`update job set due_at = clock_timestamp() - interval '5 minutes'`;
    const late = await get({ server: engine }, '/readyz');
    expect([late.status, json(late.body)]).toMatchObject([
      503,
      { ready: false, reasons: [{ code: 'JOB_LATE' }], role: 'engine' },
    ]);
  });
});

describe('the log', () => {
  it('has the id of the request in each of its lines, and never a token or what was asked', async () => {
    const api = await start({ logLevel: 'trace' });
    const authorization = await bearer({ subject: 'watched' });
    const broken = authorization.replace(/.{6}$/, 'AAAAAA');
    await api.sql`alter table forced_trade rename to hidden`;
    const ask = async (id: string | undefined, token: string, query: string) => {
      const headers = { authorization: token, ...(id !== undefined && { 'x-request-id': id }) };
      const answer = await api.server.app.inject({ method: 'POST', url: '/graphql', headers, payload: { query } });
      return String(answer.headers['x-request-id']);
    };
    const mutation = 'mutation { assetCreate(input: { symbol: "SECRETCOIN" }) { asset { id } } }';
    expect(await ask('desk-1', authorization, '{ forcedTrades { edges { cursor } } }')).toBe('desk-1');
    expect(await ask('desk-2', broken, '{ forcedTrades { edges { cursor } } }')).toBe('desk-2');
    expect(await ask('desk-3', authorization, mutation)).toBe('desk-3');
    expect(await ask('no good\tid', authorization, '{ __typename }')).toMatch(/^[\da-f-]{36}$/);
    expect(await ask(undefined, authorization, '{ __typename }')).toMatch(/^[\da-f-]{36}$/);
    const lines = api.logged
      .join('')
      .trim()
      .split('\n')
      .map((line) => json(line) as Record<string, unknown>);
    expect(lines.map(({ msg, requestId, outcome }) => [msg, requestId, outcome])).toEqual([
      ['a request met a fault', 'desk-1', undefined],
      ['request', 'desk-1', 'INTERNAL'],
      ['request', 'desk-2', 'UNAUTHENTICATED'],
      ['request', 'desk-3', 'OK'],
      ['request', expect.any(String), 'OK'],
      ['request', expect.any(String), 'OK'],
    ]);
    expect(await api.sql`select request_id from audit_entry`).toEqual([{ request_id: 'desk-3' }]);
    const said = api.logged.join('');
    for (const secret of [
      authorization.slice(7),
      broken.slice(7),
      authorization.split('.')[2] ?? '',
      TEST_SECRET,
      'SECRETCOIN',
    ])
      expect(said).not.toContain(secret);
  });
});
