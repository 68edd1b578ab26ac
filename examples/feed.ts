import { ask, pause, RequestFailed, waitBefore, type Endpoint } from './request.js';

/** Ids are the exchange's, and so are the times: sent again, a row must be the same row. */
export interface Price {
  readonly id: string;
  readonly marketSymbol: string;
  /** Decimals are text, such as `-12.5`. */
  readonly price: string;
  readonly indexPrice?: string | null;
  /** Such as `2025-10-10T21:03:00.000000Z`. */
  readonly at: string;
}

export interface Trade {
  readonly id: string;
  readonly marketSymbol: string;
  readonly buyerId: string;
  readonly sellerId: string;
  readonly size: string;
  readonly price: string;
  readonly buyerFee?: string | null;
  readonly sellerFee?: string | null;
  readonly at: string;
}

export interface Refusal {
  readonly code: string;
  readonly message: string;
  /** Path of the value at fault, such as `["input", "trades", "3", "price"]`. Null: the row as a whole. */
  readonly field: readonly string[] | null;
}

export interface FeedOptions extends Endpoint {
  /** A row that Backstop does not take; it is not sent again, and the rows around it are stored without it. */
  onRefused(row: Price | Trade, refusal: Refusal): void;
  /** A try that failed and is made again after so long. */
  onRetry?(failure: RequestFailed, waitMs: number): void;
  /** Rows at once, at most 1,000 (the default). */
  readonly batchSize?: number;
  /** Rows of a kind that wait or are on their way; `put` waits while there are as many. 10,000 unless said otherwise. */
  readonly capacity?: number;
}

export interface Feed {
  readonly prices: Lane<Price>;
  readonly trades: Lane<Trade>;
  /** Resolves once everything that was put is stored or refused; rejects when the feed cannot go on. */
  drained(): Promise<void>;
  /** Ends at once. What was on its way may or may not be stored: put it again into the next feed. */
  stop(): void;
}

interface FeedPayload {
  readonly recorded: number;
  readonly duplicates: number;
  readonly userErrors: readonly Refusal[];
}

interface Kind {
  readonly document: string;
  readonly list: 'prices' | 'trades';
}

const PAYLOAD = '{ recorded duplicates userErrors { code message field } }';
export const RECORD_PRICES = `mutation($input: PricesRecordInput!) { payload: pricesRecord(input: $input) ${PAYLOAD} }`;
export const RECORD_TRADES = `mutation($input: TradesRecordInput!) { payload: tradesRecord(input: $input) ${PAYLOAD} }`;
const LARGEST_BATCH = 1000;
const USUAL_CAPACITY = 10_000;
/** Refusals of a whole request that one row of it can be to blame for. */
const OF_SOME_ROW = new Set(['BAD_USER_INPUT', 'REQUEST_TOO_LARGE']);

/** Streams prices and trades into Backstop, each kind in the order in which it is put. */
export function openFeed(options: FeedOptions): Feed {
  const stopping = new AbortController();
  const prices = new Lane<Price>({ document: RECORD_PRICES, list: 'prices' }, options, stopping.signal);
  const trades = new Lane<Trade>({ document: RECORD_TRADES, list: 'trades' }, options, stopping.signal);
  return {
    prices,
    trades,
    async drained() {
      await Promise.all([prices.drained(), trades.drained()]);
    },
    stop: () => {
      stopping.abort(new Error('the feed was stopped'));
    },
  };
}

/** Rows of one kind on their way to Backstop. */
export class Lane<Row extends Price | Trade> {
  /** Rows that Backstop stored now, and rows that an earlier try had stored. */
  recorded = 0;
  duplicates = 0;
  readonly #kind: Kind;
  readonly #options: FeedOptions;
  readonly #signal: AbortSignal;
  readonly #capacity: number;
  readonly #batchSize: number;
  /** Rows stay here until they are stored. */
  readonly #queue: Row[] = [];
  #lastPut: Promise<void> = Promise.resolve();
  #sending: Promise<void> = Promise.resolve();
  #isSending = false;
  #onRoom: () => void = () => undefined;
  #failure: { readonly reason: unknown } | undefined;

  constructor(kind: Kind, options: FeedOptions, signal: AbortSignal) {
    this.#kind = kind;
    this.#options = options;
    this.#signal = signal;
    this.#capacity = options.capacity ?? USUAL_CAPACITY;
    this.#batchSize = Math.min(LARGEST_BATCH, options.batchSize ?? LARGEST_BATCH);
  }

  /** Rows that are not stored yet. */
  get waiting(): number {
    return this.#queue.length;
  }

  /** Resolves when the row is in the queue: await it, and a slow server slows the sender down. Rejects when the feed cannot go on. */
  put(row: Row): Promise<void> {
    this.#lastPut = this.#lastPut.then(() => this.#enter(row));
    return this.#lastPut;
  }

  async drained(): Promise<void> {
    await this.#lastPut;
    await this.#sending;
    this.#check();
  }

  async #enter(row: Row): Promise<void> {
    while (this.#queue.length >= this.#capacity && this.#failure === undefined)
      await new Promise<void>((resolve) => (this.#onRoom = resolve));
    this.#check();
    this.#queue.push(row);
    if (!this.#isSending) this.#sending = this.#send();
  }

  #check(): void {
    this.#signal.throwIfAborted();
    if (this.#failure !== undefined) throw this.#failure.reason;
  }

  async #send(): Promise<void> {
    this.#isSending = true;
    try {
      while (this.#queue.length > 0) {
        const batch = this.#queue.slice(0, this.#batchSize);
        await this.#store(batch);
        this.#queue.splice(0, batch.length);
        this.#onRoom();
      }
    } catch (reason) {
      this.#failure = { reason };
      this.#onRoom();
    }
    this.#isSending = false;
  }

  /** A batch is stored whole or not at all: what is refused is taken out, and the rest sent again. */
  async #store(batch: readonly Row[]): Promise<void> {
    const toDo = [batch];
    for (let rows = toDo.shift(); rows !== undefined; rows = toDo.shift()) {
      const { recorded, duplicates, userErrors } = await this.#try(rows);
      this.recorded += recorded;
      this.duplicates += duplicates;
      if (userErrors.length > 0) toDo.unshift(...this.#withoutRefused(rows, userErrors));
    }
  }

  /** What to send in place of a batch that was refused. Where no row is named it is looked for by halves. */
  #withoutRefused(rows: readonly Row[], refusals: readonly Refusal[]): (readonly Row[])[] {
    const named = new Map(refusals.map((refusal) => [rows.length === 1 ? 0 : rowOf(refusal), refusal]));
    const left = rows.filter((row, index) => {
      const refusal = named.get(index);
      if (refusal !== undefined) this.#options.onRefused(row, refusal);
      return refusal === undefined;
    });
    const middle = left.length === rows.length ? Math.ceil(rows.length / 2) : left.length;
    return [left.slice(0, middle), left.slice(middle)].filter((part) => part.length > 0);
  }

  /** Until Backstop takes the rows or refuses them. That an earlier try had arrived after all does no harm: ids are the same. */
  async #try(rows: readonly Row[]): Promise<FeedPayload> {
    for (let attempt = 0; ; attempt++) {
      this.#signal.throwIfAborted();
      try {
        return await this.#ask(rows);
      } catch (failure) {
        if (!(failure instanceof RequestFailed)) throw failure;
        const { code, message, isPassing, retryAfterMs } = failure;
        if (OF_SOME_ROW.has(code)) return { recorded: 0, duplicates: 0, userErrors: [{ code, message, field: null }] };
        if (!isPassing) throw failure;
        const waitMs = waitBefore(attempt, retryAfterMs);
        this.#options.onRetry?.(failure, waitMs);
        await pause(waitMs, this.#signal);
      }
    }
  }

  async #ask(rows: readonly Row[]): Promise<FeedPayload> {
    const variables = { input: { [this.#kind.list]: rows } };
    const { payload } = await ask<{ payload: FeedPayload }>(
      this.#options,
      this.#kind.document,
      variables,
      this.#signal,
    );
    const fault = payload.userErrors.find(({ code }) => code === 'INTERNAL');
    if (fault !== undefined) throw new RequestFailed(fault.code, fault.message);
    return payload;
  }
}

function rowOf({ field }: Refusal): number | null {
  const index = field?.[2];
  return index === undefined ? null : Number(index);
}
