import { setImmediate as nextTurn } from 'node:timers/promises';
import { BackstopError } from '../errors.js';
import type { Sql, Tx } from '../db/connect.js';
import { hasNothing, lockBook, prepareImport } from '../db/record-book.js';
import { announce, readClock } from '../db/record-notice.js';
import { loadTradedMarkets } from '../db/record-parties.js';
import { loadAssetIds } from '../db/record-transfers.js';
import { inTransaction } from '../db/transaction.js';
import type { Instant } from '../risk/instant.js';
import { applyAsset, applyFund, parseAccount, parseAsset, parseFund, parseTrader } from './accounts.js';
import { BookLoad, type LoadedType } from './book-load.js';
import { parseBalance, parsePosition, splitLine, type BookLine, type BookLineType } from './book-line.js';
import { readBookLines } from './book-lines.js';
import { applyDepth, parseDepth } from './depth.js';
import { applyBrackets, applyMarket, applyPolicy, parseBrackets, parseMarket, parsePolicy } from './markets.js';
import { OpeningBook } from './opening-book.js';
import { openRow, readInstant } from './parse.js';
import { applyPrices, parsePrice, type PriceRow } from './prices.js';
import { applyVenueParameters, parseVenueParameters } from './venue-parameters.js';

export interface ImportProgress {
  readonly lines: number;
  readonly positions: number;
}

export interface ImportOptions {
  /** When the positions and balances are taken to have been so; left out: the database clock. */
  readonly at?: Instant;
  /** Refuse, in a sentence, a database in which anything is stored. */
  readonly intoEmpty?: boolean;
  readonly onProgress?: (progress: ImportProgress) => void;
}

export type Imported = Readonly<Record<BookLineType, number>>;

/** Lines between two looks at what else there is to do: the sending of the rows before, for one. */
const LINES_PER_TURN = 100;
const LINES_PER_REPORT = 5000;
/** Prices that are judged at once, like any batch of them. */
const CHUNK_PRICES = 1000;

/** Takes over a whole book from NDJSON, or nothing of it. */
export async function importBook(
  sql: Sql,
  source: AsyncIterable<Uint8Array | string>,
  options: ImportOptions = {},
): Promise<Imported> {
  return importBookLines(sql, readBookLines(source), options);
}

/** The same from lines in memory. */
export async function importBookLines(
  sql: Sql,
  lines: Iterable<BookLine> | AsyncIterable<unknown>,
  options: ImportOptions = {},
): Promise<Imported> {
  const given = readInstant(openRow({ at: options.at }, ['at']), 'at');
  // One attempt: a stream cannot be read twice.
  return inTransaction(sql, { isolation: 'read committed', attempts: 1 }, async (tx) => {
    await lockBook(tx);
    if (options.intoEmpty === true && !(await hasNothing(tx)))
      throw new BackstopError('CONFLICT', 'The database is not empty: a whole venue is made in an empty one only.');
    await prepareImport(tx);
    const book = new BookImport(tx, await OpeningBook.load(tx), given ?? (await readClock(tx)));
    let rowIndex = -1;
    try {
      for await (const line of lines) {
        rowIndex++;
        if (rowIndex % LINES_PER_TURN === 0) await nextTurn();
        if (line === undefined) continue;
        await book.add(line, rowIndex);
        if ((rowIndex + 1) % LINES_PER_REPORT === 0) options.onProgress?.(book.progress(rowIndex + 1));
      }
      await book.finish();
    } catch (error) {
      await book.stop();
      throw withLine(error, rowIndex);
    }
    options.onProgress?.(book.progress(rowIndex + 1));
    return book.counts;
  });
}

/** Refusals of a line say which: counted from 1, as editors do. Those of the book as a whole name no line. */
function withLine(error: unknown, lastIndex: number): unknown {
  if (!(error instanceof BackstopError)) return error;
  const rowIndex = error.rowIndex ?? (error.field === 'size' ? undefined : lastIndex);
  if (rowIndex === undefined) return error;
  const place = error.field === undefined ? { rowIndex } : { rowIndex, field: error.field };
  return new BackstopError(error.code, `line ${rowIndex + 1}: ${error.message}`, { ...place, cause: error });
}

/** One import: lines in, rows out, in the order in which the tables depend on each other. */
class BookImport {
  readonly counts: Record<BookLineType, number> = {
    ...{ asset: 0, trader: 0, account: 0, fund: 0, market: 0, brackets: 0, policy: 0, venueParameters: 0 },
    ...{ balance: 0, position: 0, price: 0, depth: 0 },
  };
  readonly #tx: Tx;
  readonly #opening: OpeningBook;
  readonly #load: BookLoad;
  readonly #assetIds = new Map<string, boolean>();
  #prices: PriceRow[] = [];

  constructor(tx: Tx, opening: OpeningBook, at: Instant) {
    this.#tx = tx;
    this.#opening = opening;
    this.#load = new BookLoad(tx, at);
  }

  progress(lines: number): ImportProgress {
    return { lines, positions: this.counts.position };
  }

  async add(line: unknown, rowIndex: number): Promise<void> {
    const { type, fields } = splitLine(line, rowIndex);
    this.counts[type]++;
    await this.#take(type, fields, rowIndex);
    if (this.#load.isFull) await this.#load.sendOn();
  }

  async finish(): Promise<void> {
    this.#opening.checkSizes();
    await this.#load.sendAll();
    await this.#flushPrices();
    await announce(this.#tx, 'book');
  }

  /** Waits for what is on its way, so that the transaction can be ended. */
  async stop(): Promise<void> {
    await this.#load.settle().catch(() => undefined);
  }

  async #take(type: BookLineType, fields: object, rowIndex: number): Promise<void> {
    switch (type) {
      case 'trader':
        this.#takeTrader(fields, rowIndex);
        break;
      case 'account':
        await this.#takeAccount(fields, rowIndex);
        break;
      case 'balance':
        this.#takeBalance(fields, rowIndex);
        break;
      case 'position':
        await this.#takePosition(fields, rowIndex);
        break;
      case 'price':
        this.#prices.push(parsePrice(fields, rowIndex));
        if (this.#prices.length >= CHUNK_PRICES) await this.#flushPrices();
        break;
      case 'depth':
        await this.#load.settle();
        await applyDepth(this.#tx, [parseDepth(fields, rowIndex)]);
        break;
      default:
        // Few of these, and each looks at the database: what it may refer to must be there.
        await this.#load.sendAll();
        await this.#apply(type, fields, rowIndex);
    }
  }

  async #apply(
    type: Exclude<BookLineType, LoadedType | 'price' | 'depth'>,
    fields: object,
    rowIndex: number,
  ): Promise<void> {
    switch (type) {
      case 'asset':
        await applyAsset(this.#tx, parseAsset(fields, rowIndex));
        this.#assetIds.clear();
        break;
      case 'fund': {
        const fund = parseFund(fields, rowIndex);
        await applyFund(this.#tx, fund);
        this.#opening.addTraderById(fund.traderId);
        const { accountId: id, traderId, assetId: marginAssetId } = fund;
        this.#opening.addAccount(
          { id, traderId, kind: 'INSURANCE_FUND', mode: 'CROSS', marginAssetId },
          () => true,
          rowIndex,
        );
        break;
      }
      case 'market': {
        await applyMarket(this.#tx, parseMarket(fields, rowIndex));
        break;
      }
      case 'brackets':
        await applyBrackets(this.#tx, parseBrackets(fields, rowIndex));
        break;
      case 'policy':
        await applyPolicy(this.#tx, parsePolicy(fields, rowIndex));
        break;
      case 'venueParameters':
        await applyVenueParameters(this.#tx, parseVenueParameters(fields, rowIndex));
    }
  }

  #takeTrader(fields: object, rowIndex: number): void {
    const trader = parseTrader(fields, rowIndex);
    if (this.#opening.addTrader(trader, rowIndex)) this.#load.addTrader(trader);
  }

  async #takeAccount(fields: object, rowIndex: number): Promise<void> {
    const account = parseAccount(fields, rowIndex);
    const isAsset = await this.#isAsset(account.marginAssetId);
    if (this.#opening.addAccount(account, () => isAsset, rowIndex)) this.#load.addAccount(account);
  }

  #takeBalance(fields: object, rowIndex: number): void {
    const balance = parseBalance(fields, rowIndex);
    this.#load.addBalance(this.#opening.addBalance(balance, rowIndex), balance.amount);
  }

  async #takePosition(fields: object, rowIndex: number): Promise<void> {
    const position = parsePosition(fields, rowIndex);
    const { marketId, size } = position;
    if (!this.#opening.markets.has(marketId)) {
      await this.#load.settle();
      for (const market of (await loadTradedMarkets(this.#tx, [marketId])).values())
        this.#opening.markets.set(marketId, market);
    }
    const { party, market, cost } = this.#opening.addPosition(position, rowIndex);
    this.#load.addPosition(party, market, size, cost);
  }

  async #isAsset(id: string): Promise<boolean> {
    let known = this.#assetIds.get(id);
    if (known === undefined) {
      await this.#load.settle();
      known = (await loadAssetIds(this.#tx, [id])).has(id);
      this.#assetIds.set(id, known);
    }
    return known;
  }

  async #flushPrices(): Promise<void> {
    await this.#load.settle();
    if (this.#prices.length > 0) await applyPrices(this.#tx, this.#prices);
    this.#prices = [];
  }
}
