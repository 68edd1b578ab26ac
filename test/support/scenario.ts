import { expect } from '@jest/globals';
import type { Sql } from '../../src/db/connect.js';
import { runLap, type LapRan } from '../../src/engine/run-lap.js';
import { createAccount, createAsset, createFund, createTrader } from '../../src/ingest/accounts.js';
import { recordDepth } from '../../src/ingest/depth.js';
import { extendMarginCall } from '../../src/ingest/margin-calls.js';
import { haltMarket, resumeMarket } from '../../src/ingest/market-status.js';
import { createMarket, setPolicy, type MarketInput } from '../../src/ingest/markets.js';
import { confirmPrice, recordPrices } from '../../src/ingest/prices.js';
import { recordTrades } from '../../src/ingest/trades.js';
import { recordTransfers } from '../../src/ingest/transfers.js';
import { setVenueParameters } from '../../src/ingest/venue-parameters.js';
import { messageOf } from '../../src/errors.js';
import { addMilliseconds } from '../../src/risk/instant.js';
import { assertInvariants, assertTotals } from './checks.js';
import { createTestDatabase } from './database.js';
import { endExemption, exempt } from './exemptions.js';
import { isTableName, readTable, type TableContext } from './scenario-tables.js';
import { parseScenario, Words, type ScenarioLine } from './scenario-text.js';

/**
 * Plays a scenario: what is given, what happens, laps, and after them the tables that must have come of it. After
 * every line the conserved totals are read, after every lap all invariants: a step that breaks one is named itself.
 *
 *   fund F USDT 10 [perEventCap 5] [windowAllowance 8]     provider LP USDT     trader A USDT 100 [mode ISOLATED]
 *   market X LINEAR USDT fund F provider LP contract 1 tick 0.01 step 1 rates 0:0.05:0.1 [any option of createMarket]
 *   venue onCallLapse LIQUIDATE                            policy X allocation PRO_RATA
 *   trade X 10 at 100 A from B                             deposit A 5        withdraw A 5
 *   price X 97 [index 98]     depth X bids 4@99 3@98 asks 2@101     confirm X     halt X     resume X     extend A 90s
 *   exempt A                  unexempt A
 *   wait 10s                  lap [more]
 *   liquidations of the last lap, say: the name of a table, then its rows, the first of which picks the columns
 */
export async function play(text: string): Promise<void> {
  const database = await createTestDatabase();
  try {
    const stage = new Stage(database.sql);
    for (const line of parseScenario(text)) {
      try {
        await stage.perform(line);
        await (line.text.startsWith('lap') ? assertInvariants(database.sql) : assertTotals(database.sql));
      } catch (error) {
        throw new Error(`line ${line.number}: ${line.text}\n${messageOf(error)}`, { cause: error });
      }
    }
  } finally {
    await database.drop();
  }
}

const START = '2025-10-10T21:00:00.000000Z';
const CHANGE = { changedBy: 'scenario', reason: 'as told' };
const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

class Stage {
  readonly #sql: Sql;
  #at = START;
  #told = 0;
  #lap: LapRan | undefined;
  readonly #suspects = new Map<string, string>();

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  async perform({ text, rows }: ScenarioLine): Promise<void> {
    const words = new Words(text);
    const verb = words.next();
    if (isTableName(verb)) {
      const { columns, expected } = rows;
      const found = await readTable(verb, columns, expected, this.#tableContext());
      expect(found).toEqual(expected);
      return;
    }
    const does = this.#verbs[verb];
    if (does === undefined) throw new Error(`no such line: ${verb}`);
    await does(words);
    words.end();
  }

  #tableContext(): TableContext {
    if (this.#lap === undefined) throw new Error('no lap has run yet');
    return { sql: this.#sql, lap: this.#lap };
  }

  #id(kind: string): string {
    this.#told += 1;
    return `${kind}-${this.#told}`;
  }

  readonly #verbs: Readonly<Record<string, (words: Words) => Promise<void>>> = {
    fund: (words) => this.#fund(words),
    provider: (words) => this.#account(words.next(), words.next(), { kind: 'LIQUIDITY_PROVIDER' }),
    trader: (words) => this.#trader(words),
    market: (words) => this.#market(words),
    venue: async (words) => {
      await setVenueParameters(this.#sql, { ...words.options(), ...CHANGE });
    },
    policy: async (words) => {
      await setPolicy(this.#sql, { marketId: words.next(), ...words.options(), ...CHANGE });
    },
    trade: (words) => this.#trade(words),
    deposit: (words) => this.#transfer(words.next(), words.next()),
    withdraw: (words) => this.#transfer(words.next(), `-${words.next()}`),
    price: (words) => this.#price(words),
    confirm: async (words) => {
      const marketId = words.next();
      await confirmPrice(this.#sql, { marketId, priceId: this.#suspects.get(marketId) ?? 'none', by: 'operator' });
    },
    depth: (words) => this.#depth(words),
    halt: (words) => haltMarket(this.#sql, { marketId: words.next(), at: this.#at, ...CHANGE }),
    resume: (words) => resumeMarket(this.#sql, { marketId: words.next(), at: this.#at, ...CHANGE }),
    extend: (words) => this.#extend(words),
    wait: (words) => {
      this.#at = addMilliseconds(this.#at, milliseconds(words.next()));
      return Promise.resolve();
    },
    exempt: (words) => exempt(this.#sql, words.next()),
    unexempt: (words) => endExemption(this.#sql, words.next()),
    lap: (words) => this.#runLap(words),
  };

  async #account(id: string, assetId: string, terms: object): Promise<void> {
    await createAsset(this.#sql, { id: assetId });
    await createTrader(this.#sql, { id });
    await createAccount(this.#sql, { id, traderId: id, marginAssetId: assetId, ...terms });
  }

  async #trader(words: Words): Promise<void> {
    const [id, assetId, amount] = [words.next(), words.next(), words.next()];
    const { owner = id, ...terms } = words.options() as { owner?: string };
    await createAsset(this.#sql, { id: assetId });
    await createTrader(this.#sql, { id: owner });
    await createAccount(this.#sql, { id, traderId: owner, marginAssetId: assetId, ...terms });
    await this.#transfer(id, amount);
  }

  async #fund(words: Words): Promise<void> {
    const [id, assetId, amount] = [words.next(), words.next(), words.next()];
    await createAsset(this.#sql, { id: assetId });
    await createFund(this.#sql, { id, assetId, name: `Fund ${id}`, ...words.options() });
    await this.#transfer(id, amount);
  }

  async #market(words: Words): Promise<void> {
    const [id, payoff, settlementAssetId] = [words.next(), words.next(), words.next()];
    const { fund, provider, contract, tick, step, rates, ...more } = words.options();
    const brackets = String(rates)
      .split(',')
      .map((bracket) => bracket.split(':'))
      .map(([floor = '', maintenanceRate = '', initialRate = '']) => ({ floor, maintenanceRate, initialRate }));
    await createMarket(this.#sql, {
      ...{ id, payoff, settlementAssetId, brackets, insuranceFundId: fund, liquidityProviderId: provider },
      ...{ contractSize: contract, priceTick: tick, sizeStep: step, ...more, ...CHANGE },
    } as MarketInput);
  }

  /** `trade X 10 at 100 A from B`: A buys. */
  async #trade(words: Words): Promise<void> {
    const [marketId, size] = [words.next(), words.next()];
    const price = words.after('at');
    const buyerId = words.next();
    const sellerId = words.after('from');
    await recordTrades(this.#sql, [{ id: this.#id('trade'), marketId, buyerId, sellerId, size, price, at: this.#at }]);
  }

  async #transfer(accountId: string, amount: string): Promise<void> {
    if (amount === '0') return;
    const [row] = await this.#sql<{ asset: string }[]>`
      select margin_asset_id as asset from account where id = ${accountId}`;
    const transfer = { id: this.#id('transfer'), accountId, assetId: row?.asset ?? 'none', amount, at: this.#at };
    await recordTransfers(this.#sql, [transfer]);
  }

  async #price(words: Words): Promise<void> {
    const [marketId, price, id] = [words.next(), words.next(), this.#id('price')];
    const { index: indexPrice } = words.options() as { index?: string };
    const { states } = await recordPrices(this.#sql, [{ id, marketId, price, indexPrice, at: this.#at }]);
    if (states[0] === 'SUSPECT') this.#suspects.set(marketId, id);
  }

  async #depth(words: Words): Promise<void> {
    const [marketId, id] = [words.next(), this.#id('depth')];
    const bids = words.levels('bids');
    const asks = words.levels('asks');
    await recordDepth(this.#sql, [{ id, marketId, bids, asks, at: this.#at }]);
  }

  async #extend(words: Words): Promise<void> {
    const [accountId, duration] = [words.next(), words.next()];
    const [call] = await this.#sql<{ id: string; deadline: string }[]>`
      select id, deadline from margin_call where account_id = ${accountId} and status = 'OPEN'`;
    if (call === undefined) throw new Error(`${accountId} has no open call`);
    const deadline = addMilliseconds(call.deadline, milliseconds(duration));
    await extendMarginCall(this.#sql, { marginCallId: call.id, deadline, ...CHANGE });
  }

  async #runLap(words: Words): Promise<void> {
    const isMoreExpected = words.isNext('more');
    const result = await runLap(this.#sql, { worker: 'scenario', at: this.#at });
    if (result.kind !== 'RAN') throw new Error(`the lap did not run: ${result.kind}`);
    expect(result.more).toBe(isMoreExpected);
    this.#lap = result;
  }
}

function milliseconds(duration: string): number {
  const [, count = '', unit = ''] = /^(\d+)([a-z]+)$/.exec(duration) ?? [];
  const size = UNITS[unit];
  if (size === undefined) throw new Error(`no duration: ${duration}`);
  return Number.parseInt(count, 10) * size;
}
