import { createClient, type Client } from 'graphql-ws';
import { ask, failureOf, pause, RequestFailed, waitBefore, type Endpoint } from './request.js';

/** A decimal number as text, such as `-12.5`. Null, where it may be: unknown, which is not zero. */
export type Decimal = string;
/** Such as `2025-10-10T21:03:00.000000Z`. */
export type DateTime = string;

export interface Freshness {
  readonly code: 'FRESH' | 'STALE' | 'MISSING';
  readonly computedAt: DateTime;
}

/** The light of a position. All null unless RANKED. */
export interface AdlIndicator {
  readonly state: 'RANKED' | 'EXEMPT' | 'UNKNOWN';
  /** 5 = first … 1 = last. */
  readonly level: number | null;
  /** 1 = next. */
  readonly rank: number | null;
  readonly queueLength: number | null;
  readonly sizeAhead: Decimal | null;
  readonly percentile: Decimal | null;
  readonly score: {
    readonly value: Decimal | null;
    readonly profitRatio: Decimal | null;
    readonly leverage: Decimal | null;
  } | null;
  readonly freshness: Freshness;
}

export interface PanelPosition {
  readonly id: string;
  readonly market: { readonly symbol: string };
  readonly side: 'LONG' | 'SHORT';
  readonly size: Decimal;
  readonly entryPrice: Decimal | null;
  readonly markPrice: Decimal | null;
  readonly unrealizedPnl: Decimal | null;
  readonly liquidationPrice: Decimal | null;
  readonly adl: AdlIndicator;
}

export interface PanelAccount {
  readonly id: string;
  readonly externalId: string;
  readonly margin: {
    readonly status: 'HEALTHY' | 'WARNING' | 'MARGIN_CALL' | 'LIQUIDATABLE' | 'BANKRUPT' | null;
    readonly held: boolean;
    readonly equity: Decimal | null;
    readonly maintenance: Decimal | null;
    readonly marginRatio: Decimal | null;
    readonly freshness: Freshness;
  };
  readonly positions: readonly PanelPosition[];
  readonly marginCalls: Page<{
    readonly amountRequired: Decimal;
    readonly deadline: DateTime;
    readonly onLapse: string;
  }>;
  readonly deleverageLegs: Page<{
    readonly event: { readonly at: DateTime };
    readonly sizeClosed: Decimal;
    readonly price: Decimal | null;
    readonly concession: Decimal;
    readonly explanation: string;
  }>;
}

interface Page<Node> {
  readonly edges: readonly { readonly node: Node }[];
}

const FRESHNESS = 'freshness { code computedAt }';
const POSITION = `id market { symbol } side size entryPrice markPrice unrealizedPnl liquidationPrice
  adl { state level rank queueLength sizeAhead percentile score { value profitRatio leverage } ${FRESHNESS} }`;
const ACCOUNT = `id externalId margin { status held equity maintenance marginRatio ${FRESHNESS} }
  positions { ${POSITION} }
  marginCalls(statuses: [OPEN]) { edges { node { amountRequired deadline onLapse } } }
  deleverageLegs(first: 5) { edges { node { event { at } sizeClosed price concession explanation } } }`;

export const PANEL = `query { viewer { accounts { ${ACCOUNT} } } }`;
export const LIGHTS = `subscription { position: adlIndicatorChanged { ${POSITION} } }`;
export const MARGINS = `subscription { account: marginChanged { ${ACCOUNT} } }`;

export interface PanelOptions extends Endpoint {
  /** The accounts of the token's trader: whole at first and after each connection, then whenever something of them is another. */
  onAccounts(accounts: readonly PanelAccount[]): void;
  /** The connection is lost, and is made anew after so long. What was shown grows old meanwhile. */
  onLost?(reason: unknown, waitMs: number): void;
  /** A WebSocket where there is none built in: Node.js before 22 takes the package `ws`. */
  readonly webSocket?: unknown;
}

export interface Panel {
  /** Resolves when it was stopped; rejects when it was refused, so that trying again is of no use. */
  readonly ended: Promise<void>;
  stop(): void;
}

/** What the panel shows, asked once. Figures that follow the mark between two changes are as old as their `computedAt`: ask again. */
export async function fetchPanel(endpoint: Endpoint, signal?: AbortSignal): Promise<readonly PanelAccount[]> {
  const { viewer } = await ask<{ viewer: { accounts: readonly PanelAccount[] } | null }>(endpoint, PANEL, {}, signal);
  return viewer?.accounts ?? [];
}

/** Follows the accounts of the token's trader until it is stopped. */
export function openPanel(options: PanelOptions): Panel {
  const stopping = new AbortController();
  return {
    ended: follow(options, stopping.signal),
    stop: () => {
      stopping.abort();
    },
  };
}

async function follow(options: PanelOptions, signal: AbortSignal): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      await connectOnce(options, signal, () => (attempt = 0));
    } catch (reason) {
      if (signal.aborted) return;
      if (reason instanceof RequestFailed && !reason.isPassing) throw reason;
      const waitMs = waitBefore(attempt, reason instanceof RequestFailed ? reason.retryAfterMs : 0);
      options.onLost?.(reason, waitMs);
      await pause(waitMs, signal);
    }
  }
}

/** The query first: a stream begins with what is then the current value, so that nothing is missed in between. */
async function connectOnce(options: PanelOptions, signal: AbortSignal, onValue: () => void): Promise<never> {
  let accounts = await fetchPanel(options, signal);
  options.onAccounts(accounts);
  const client = connect(options);
  const disconnect = (): void => void client.dispose();
  signal.addEventListener('abort', disconnect);
  const show = (next: readonly PanelAccount[]): void => {
    accounts = next;
    onValue();
    options.onAccounts(accounts);
  };
  try {
    await Promise.race([
      read(client, LIGHTS, 'position', (position) => {
        show(withPosition(accounts, position));
      }),
      read(client, MARGINS, 'account', (account) => {
        show(accounts.map((known) => (known.id === account.id ? account : known)));
      }),
    ]);
    throw new Error('the stream has ended');
  } catch (reason) {
    if (isOfToken(reason)) await options.token(true);
    throw reason;
  } finally {
    signal.removeEventListener('abort', disconnect);
    await client.dispose();
  }
}

/** A light is told of known positions only: one that is new, or gone, is told with its account. */
function withPosition(accounts: readonly PanelAccount[], position: PanelPosition): readonly PanelAccount[] {
  const replaced = (known: PanelPosition): PanelPosition =>
    known.id === position.id && known.adl.freshness.computedAt <= position.adl.freshness.computedAt ? position : known;
  return accounts.map((account) => ({ ...account, positions: account.positions.map(replaced) }));
}

const PING_MS = 10_000;
const PONG_MS = 5000;

/** One connection, which is ended when the other side falls silent. It is not made anew by itself, since the query comes first. */
function connect(options: PanelOptions): Client {
  const { url, webSocket } = options;
  let silence: ReturnType<typeof setTimeout> | undefined;
  const client = createClient({
    url: url.replace(/^http/, 'ws'),
    connectionParams: async () => ({ authorization: `Bearer ${await options.token(false)}` }),
    retryAttempts: 0,
    keepAlive: PING_MS,
    ...(webSocket !== undefined && { webSocketImpl: webSocket }),
    on: {
      ping: (received) => {
        if (!received)
          silence = setTimeout(() => {
            client.terminate();
          }, PONG_MS);
      },
      pong: () => {
        clearTimeout(silence);
      },
      closed: () => {
        clearTimeout(silence);
      },
    },
  });
  return client;
}

interface Told {
  readonly position: PanelPosition;
  readonly account: PanelAccount;
}

async function read<What extends keyof Told>(
  client: Client,
  query: string,
  what: What,
  onTold: (value: Told[What]) => void,
): Promise<void> {
  try {
    for await (const { data, errors } of client.iterate<Told>({ query })) {
      if (errors?.[0] !== undefined) throw failureOf(errors[0]);
      if (data !== undefined && data !== null) onTold(data[what]);
    }
  } catch (reason) {
    // What a stream is refused with comes as a list of errors; a connection that closes, as an event.
    throw Array.isArray(reason) && reason.length > 0 ? failureOf(reason[0] as Error) : reason;
  }
}

/** Close codes: the token has ended; the connection is not admitted. */
function isOfToken(reason: unknown): boolean {
  const code = (reason as { readonly code?: unknown } | null)?.code;
  return code === 4401 || code === 4403;
}
