import { setTimeout as sleep } from 'node:timers/promises';
import { BookFollower, type FollowedBook } from '../../src/book/follower.js';
import type { Sweeper } from '../../src/book/sweeper.js';
import { takeBook } from '../../src/book/take-book.js';
import { closeSql, openSql, type Sql } from '../../src/db/connect.js';
import { readDataInstant } from '../../src/db/standby.js';
import { inTransaction } from '../../src/db/transaction.js';
import { runLap } from '../../src/engine/run-lap.js';
import { createAccount, createTrader } from '../../src/ingest/accounts.js';
import { haltMarket, resumeMarket } from '../../src/ingest/market-status.js';
import { createMarket, setBrackets, setPolicy } from '../../src/ingest/markets.js';
import { confirmPrice, recordPrices } from '../../src/ingest/prices.js';
import { recordTrades } from '../../src/ingest/trades.js';
import { recordTransfers } from '../../src/ingest/transfers.js';
import { setVenueParameters } from '../../src/ingest/venue-parameters.js';
import { createLog, type Log } from '../../src/telemetry.js';
import type { TestDatabase } from './database.js';
import { endExemption, exempt } from './exemptions.js';
import { FOLLOW_MARKETS, FOLLOW_NAMES, RAW_WRITERS, type FollowStep } from './follow-plan.js';
import { RawWriter } from './raw-writer.js';
import { told } from './told-book.js';
import { createTestVenue } from './venue.js';

const CHANGE = { changedBy: 'test', reason: 'while followed' };
/** Whoever waits for a lock is left to wait: what it waits for comes with a later step. */
const PATIENCE_MS = 25;
/** Longer than a test: else two books of different instants would differ for that alone. */
const NEVER_STALE_MS = 86_400_000;
const FOLLOWER = 'backstop-follower';
const FOLLOWER_CONNECTIONS = 2;

/** Also what `told` leaves out: balances, positions and recorded statuses, of held accounts too. */
export function toldWhole(book: FollowedBook): string {
  const accounts = [...book.accountIds()].map((id) => {
    const { balance, positions, kind, mode } = book.account(id) ?? {};
    const held = [...(positions ?? [])].map(([marketId, { size, cost }]) => {
      const indicator = book.indicator(id, marketId);
      const rank =
        indicator?.state === 'RANKED' ? `${String(indicator.rank)} ${indicator.rankingId}` : indicator?.state;
      return `${marketId} ${size.toFixed()} ${cost.toFixed()} ${rank ?? '-'} ${String(book.holds(id, marketId))}`;
    });
    const last = JSON.stringify(book.lastStatus(id) ?? null);
    return `${id} ${String(kind)} ${String(mode)} ${balance?.toFixed() ?? '-'} ${last} ${held.join(', ')}`;
  });
  const terms = [...book.markets.values()].map((market) => JSON.stringify([market, book.marks.get(market.id) ?? null]));
  return [...told(book), ...accounts, ...terms, JSON.stringify(book.venue), String(book.accountCount)].join('\n');
}

export async function takeAnew(sql: Sql): Promise<FollowedBook> {
  const { at } = await readDataInstant(sql);
  return inTransaction(
    sql,
    { isolation: 'repeatable read', readOnly: true },
    async (tx) => (await takeBook(tx, at)).book,
  );
}

interface Held {
  readonly book: FollowedBook;
  readonly said: string;
}

/** A venue in a database of its own, with writers of all kinds and two followers. */
export class FollowedVenue {
  readonly #db: TestDatabase;
  /** What goes through the service, on a pool that does not run out while some of it waits. */
  readonly #pool: Sql;
  readonly #raw: RawWriter[];
  readonly #underWay = new Set<Promise<unknown>>();
  readonly #held: Held[] = [];
  readonly #names: string[];
  readonly #markets: string[];
  readonly #sweeper: Sweeper | undefined;
  readonly #log: Log;
  #followSql: Sql;
  #follower: BookFollower;
  /** Refreshes all the time, in nobody's step. */
  readonly #busySql: Sql;
  readonly #busy: BookFollower;
  #count = 0;
  /** Of steps that were refused: a plan may ask for what cannot be. */
  readonly refusals: string[] = [];

  private constructor(db: TestDatabase, sweeper: Sweeper | undefined, log: Log) {
    this.#db = db;
    this.#sweeper = sweeper;
    this.#log = log;
    this.#pool = openSql(db.url, { max: 24 });
    this.#raw = Array.from({ length: RAW_WRITERS }, () => new RawWriter(db.url));
    this.#names = [...FOLLOW_NAMES, 'lp-usdt', 'fund-usdt'];
    this.#markets = [...FOLLOW_MARKETS];
    this.#followSql = openSql(db.url, { max: FOLLOWER_CONNECTIONS, applicationName: FOLLOWER });
    this.#follower = this.#newFollower();
    this.#busySql = openSql(db.url, { max: 2 });
    this.#busy = new BookFollower({ sql: this.#busySql, log, intervalMs: 3 });
  }

  static async open(db: TestDatabase, sweeper?: Sweeper, log = createLog('silent')): Promise<FollowedVenue> {
    const venue = await createTestVenue(db.sql, { staleAfterMs: NEVER_STALE_MS });
    venue.at = new Date().toISOString();
    for (const name of FOLLOW_NAMES) await venue.account(name, { deposit: '1000' });
    await venue.deposit('fund-usdt', '5000');
    // Without a price everybody would be held, and nobody ranked.
    await venue.price('BTCUSDT', '100');
    const followed = new FollowedVenue(db, sweeper, log);
    await followed.#follower.refresh();
    await followed.#busy.start();
    return followed;
  }

  async close(): Promise<void> {
    await this.#busy.stop();
    await Promise.all([this.#pool, this.#followSql, this.#busySql].map((sql) => closeSql(sql)));
    await Promise.all(this.#raw.map((writer) => writer.close()));
  }

  /** Begins the step, and gives it a moment to end. */
  async run(step: FollowStep): Promise<void> {
    const begun = this.#begin(step).catch((error: unknown) => {
      this.refusals.push(`${step.kind}: ${error instanceof Error ? error.message : String(error)}`);
    });
    this.#underWay.add(begun);
    const done = begun.finally(() => this.#underWay.delete(begun));
    await Promise.race([done, sleep(PATIENCE_MS)]);
  }

  /** Ends all that is open, each other raw connection by a rollback, and waits for all that waited. */
  async quiet(): Promise<void> {
    for (const writer of this.#raw.keys()) await this.run({ kind: writer % 2 === 0 ? 'commit' : 'rollback', writer });
    await Promise.all([...this.#underWay]);
  }

  /** What both followers say after a refresh, and what a book says that is taken anew. */
  async compare(): Promise<{ followed: string; busy: string; anew: string }> {
    // One refresh for each of its connections finds that it was cut.
    for (let i = 0; i < FOLLOWER_CONNECTIONS; i++) await this.#follower.refresh().catch(() => undefined);
    const [followed, busy] = [await this.#follower.refresh(), await this.#busy.refresh()];
    const anew = await takeAnew(this.#db.sql);
    return { followed: toldWhole(followed), busy: toldWhole(busy), anew: toldWhole(anew) };
  }

  /** States that readers held all along and that do not say any more what they said. */
  changedMeanwhile(): number {
    return this.#held.filter(({ book, said }) => toldWhole(book) !== said).length;
  }

  get heldCount(): number {
    return this.#held.length;
  }

  #newFollower(): BookFollower {
    const sweeper = this.#sweeper;
    const swept = sweeper === undefined ? {} : { sweeper, sweptElsewhereFrom: 0 };
    return new BookFollower({ sql: this.#followSql, log: this.#log, ...swept });
  }

  async #begin(step: FollowStep): Promise<unknown> {
    const [pool, id] = [this.#pool, `x${this.#count++}`];
    switch (step.kind) {
      case 'trade':
        return this.#trade(id, this.#market(step.market), this.#name(step.buyer), this.#name(step.seller), step.lots);
      case 'close':
        return this.#close(id, this.#market(step.market), this.#name(step.who));
      case 'exempt':
        return (step.isEnd ? endExemption : exempt)(pool, this.#name(step.who));
      case 'transfer':
        return recordTransfers(pool, [
          { id, accountId: this.#name(step.who), assetId: 'USDT', amount: `${step.amount}.000000000000000001` },
        ]);
      case 'price':
        return recordPrices(pool, [{ id, marketId: this.#market(step.market), price: `${step.price}.01` }]);
      case 'confirm':
        return this.#confirm(this.#market(step.market));
      case 'status':
        return (step.halt ? haltMarket : resumeMarket)(pool, { marketId: this.#market(step.market), ...CHANGE });
      case 'brackets':
        return setBrackets(pool, {
          marketId: this.#market(step.market),
          brackets: [{ floor: '0', maintenanceRate: `0.0${step.variant + 1}`, initialRate: '0.2' }],
          ...CHANGE,
        });
      case 'policy':
        return setPolicy(pool, {
          marketId: this.#market(step.market),
          score: step.variant % 2 === 0 ? 'ACCOUNT_RETURN' : 'LEVERAGED_RETURN',
          ...CHANGE,
        });
      case 'venue':
        return setVenueParameters(pool, { warningRatio: `0.${step.variant + 2}`, ...CHANGE });
      case 'newAccount':
        return this.#newAccount(`new-${id}`);
      case 'newMarket':
        return this.#newMarket(`NEW${id}`);
      case 'lap':
        return runLap(pool, { worker: 'test' });
      case 'refresh':
        return this.#follower.refresh();
      case 'hold': {
        const book = this.#follower.current();
        return this.#held.push({ book, said: toldWhole(book) });
      }
      case 'restart':
        this.#follower = this.#newFollower();
        return this.#follower.refresh();
      case 'cut':
        return this.#cut();
      default:
        return 'who' in step
          ? this.#raw[step.writer]?.write(step.kind, this.#name(step.who), this.#market(step.market))
          : this.#raw[step.writer]?.steer(step.kind);
    }
  }

  #name(who: number): string {
    return this.#names[who % this.#names.length] ?? 'ann';
  }

  #market(market: number): string {
    return this.#markets[market % this.#markets.length] ?? 'BTCUSDT';
  }

  async #trade(id: string, marketId: string, buyerId: string, sellerId: string, lots: number): Promise<unknown> {
    const size = `${Math.floor(lots / 10)}.${lots % 10}01`;
    return recordTrades(this.#pool, [{ id, marketId, buyerId, sellerId, size, price: `${95 + (lots % 11)}.5` }]);
  }

  /** To nothing, at a price that leaves a profit or a loss. */
  async #close(id: string, marketId: string, accountId: string): Promise<unknown> {
    const [position] = await this.#pool<{ size: string; short: boolean }[]>`
      select abs(size)::text as size, size < 0 as short from position
      where account_id = ${accountId} and market_id = ${marketId} and account_kind = 'TRADER'`;
    if (position === undefined) return undefined;
    const [buyerId, sellerId] = position.short ? [accountId, 'lp-usdt'] : ['lp-usdt', accountId];
    return recordTrades(this.#pool, [{ id, marketId, buyerId, sellerId, size: position.size, price: '101.5' }]);
  }

  async #confirm(marketId: string): Promise<unknown> {
    const [suspect] = await this.#pool<{ id: string }[]>`
      select external_id as id from price_mark where market_id = ${marketId} and state = 'SUSPECT' order by id desc limit 1`;
    return suspect && confirmPrice(this.#pool, { marketId, priceId: suspect.id, by: 'test' });
  }

  async #newAccount(id: string): Promise<void> {
    await createTrader(this.#pool, { id });
    await createAccount(this.#pool, { id, traderId: id, mode: 'CROSS', marginAssetId: 'USDT' });
    this.#names.push(id);
  }

  async #newMarket(id: string): Promise<void> {
    await createMarket(this.#pool, {
      ...{ id, payoff: 'LINEAR', settlementAssetId: 'USDT', contractSize: '0.1', priceTick: '0.01', sizeStep: '0.001' },
      ...{ insuranceFundId: 'fund-usdt', liquidityProviderId: 'lp-usdt', staleAfterMs: NEVER_STALE_MS, ...CHANGE },
      brackets: [{ floor: '0', maintenanceRate: '0.01', initialRate: '0.02' }],
    });
    this.#markets.push(id);
  }

  /** The follower loses its connections in the middle of a refresh. */
  async #cut(): Promise<void> {
    const refresh = this.#follower.refresh();
    const ended = refresh.then(
      () => undefined,
      () => undefined,
    );
    await this.#db.sql`
      select pg_terminate_backend(pid) from pg_stat_activity
      where application_name = ${FOLLOWER} and datname = current_database()`;
    await ended;
  }
}
