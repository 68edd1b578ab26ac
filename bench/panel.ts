import autocannon from 'autocannon';
import { startApp } from '../src/app.js';
import { createLog } from '../src/telemetry.js';

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

/** What a trading UI asks for: margin, positions and lights of one account. */
const QUERY = `query Panel($id: String!) { account(externalId: $id) { externalId margin { status equity marginRatio freshness { code } }
  positions { market { symbol } side size markPrice unrealizedPnl liquidationPrice adl { state level rank sizeAhead freshness { code } } } } }`;

/** One process serves the API and runs the job on its interval, as `npm start` does; the load comes from this one too. */
export async function measurePanel(databaseUrl: string, accountIds: readonly string[]): Promise<PanelTimes> {
  const app = await startApp({ databaseUrl, config: { host: '127.0.0.1', port: 0 }, log: createLog('warn') });
  try {
    const bodies = accountIds.slice(0, ACCOUNTS).map((id) => JSON.stringify({ query: QUERY, variables: { id } }));
    await checkAnswer(app.url, bodies[0] ?? '');
    const result = await autocannon({
      url: app.url,
      connections: CONNECTIONS,
      duration: SECONDS,
      requests: bodies.map((body) => ({ method: 'POST', headers: { 'content-type': 'application/json' }, body })),
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
  } finally {
    await app.stop();
  }
}

async function checkAnswer(url: string, body: string): Promise<void> {
  const answer = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  const { data, errors } = (await answer.json()) as {
    data?: { account?: { positions: { adl: { state: string } }[] } };
    errors?: unknown;
  };
  const states = data?.account?.positions.map((position) => position.adl.state) ?? [];
  if (errors !== undefined || states.length === 0 || states.some((state) => state !== 'RANKED')) {
    throw new Error(`the panel is not answered: ${JSON.stringify(errors ?? data)}`);
  }
}
