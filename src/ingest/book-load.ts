import type { Tx } from '../db/connect.js';
import { copyRow, copyRows, openBalances, openPositions, type CopiedTable } from '../db/record-book.js';
import type { Party, TradedMarket } from '../db/record-parties.js';
import type { AccountFact, TraderFact } from '../db/venue.js';
import type { Decimal } from '../risk/decimal.js';
import type { Instant } from '../risk/instant.js';

/** Lines of these types go into the database in bulk. */
export type LoadedType = CopiedTable;

type Rows = Record<CopiedTable, string[]>;

/** Rows that are sent at once. */
const CHUNK_ROWS = 20_000;
const ORDER = ['trader', 'account', 'balance', 'position'] as const;

/**
 * The bulk of a book on its way into the database: while one chunk is stored the next one is read, and no more than
 * these two are held. Whoever else uses the transaction settles first.
 */
export class BookLoad {
  readonly #tx: Tx;
  readonly #at: Instant;
  #rows: Rows = noRows();
  #waiting = 0;
  #sending: Promise<void> = Promise.resolve();

  constructor(tx: Tx, at: Instant) {
    this.#tx = tx;
    this.#at = at;
  }

  addTrader(trader: TraderFact): void {
    this.#wait('trader', copyRow(trader.id, String(trader.verificationLevel)));
  }

  addAccount({ id, traderId, kind, mode, marginAssetId }: AccountFact): void {
    this.#wait('account', copyRow(id, traderId, kind, mode, marginAssetId));
  }

  addBalance({ id, marginAssetId, kind, mode }: Party, amount: Decimal): void {
    this.#wait('balance', copyRow(id, marginAssetId, kind, mode, amount.toFixed()));
  }

  addPosition({ id, kind, mode }: Party, market: TradedMarket, size: Decimal, cost: Decimal): void {
    const row = copyRow(id, market.id, market.settlementAssetId, kind, mode, size.toFixed(), cost.toFixed());
    this.#wait('position', row);
  }

  get isFull(): boolean {
    return this.#waiting >= CHUNK_ROWS;
  }

  /** Begins to send what waits, once all before it is stored. */
  async sendOn(): Promise<void> {
    await this.settle();
    const rows = this.#rows;
    this.#rows = noRows();
    this.#waiting = 0;
    this.#sending = this.#store(rows);
    // It is told to whoever settles; until then it must not count as an error that nobody handles.
    this.#sending.catch(() => undefined);
  }

  async sendAll(): Promise<void> {
    if (this.#waiting > 0) await this.sendOn();
    await this.settle();
  }

  async settle(): Promise<void> {
    await this.#sending;
  }

  async #store(rows: Rows): Promise<void> {
    for (const table of ORDER) await copyRows(this.#tx, table, rows[table]);
    await Promise.all([
      rows.balance.length > 0 ? openBalances(this.#tx, this.#at) : undefined,
      rows.position.length > 0 ? openPositions(this.#tx, this.#at) : undefined,
    ]);
  }

  #wait(table: CopiedTable, row: string): void {
    this.#rows[table].push(row);
    this.#waiting++;
  }
}

function noRows(): Rows {
  return { trader: [], account: [], balance: [], position: [] };
}
