import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

/** What a lap did, as far as it is counted. */
export interface LapFigures {
  readonly attempts: number;
  readonly counts: Readonly<Record<'accounts' | 'liquidations' | 'events' | 'legs' | 'badDebts', number>>;
  /** Candidates that were passed over, by why. */
  readonly skipsByReason: Readonly<Record<string, number>>;
}

export type OperationKind = 'query' | 'mutation' | 'subscription' | 'none';

/** What is read when somebody looks, rather than counted as it happens. */
export type Collect = (metrics: Metrics) => void | Promise<void>;

const LAP_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20];
const REQUEST_SECONDS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/**
 * The figures of one process, for Prometheus. Labels are of few values: kinds, codes, reasons, and the venue's own
 * markets, funds and chains; never accounts or callers.
 */
export class Metrics {
  readonly #registry = new Registry();
  readonly #collects: Collect[] = [];
  readonly #lapSeconds = this.#histogram('lap_seconds', 'Laps of this process, from claim to commit.', LAP_SECONDS);
  readonly #lapFailures = this.#counter(
    'lap_failures_total',
    'Laps of this process that failed and left nothing behind.',
  );
  readonly #lapRetries = this.#counter(
    'lap_retries_total',
    'Tries of laps that gave way to a writer, before the one that ran.',
  );
  readonly #lapAccounts = this.#gauge('lap_accounts', 'Accounts that the last lap of this process valued and ranked.');
  readonly #liquidations = this.#counter('liquidations_total', 'Liquidations by laps of this process.');
  readonly #events = this.#counter('deleverage_events_total', 'ADL events by laps of this process.');
  readonly #legs = this.#counter('deleverage_legs_total', 'Counterparties deleveraged by laps of this process.');
  readonly #skips = this.#counter('deleverage_skips_total', 'Candidates passed over by laps of this process.', [
    'reason',
  ]);
  readonly #badDebts = this.#counter('bad_debts_total', 'Deficits that laps of this process left unpaid.');
  readonly #requests = this.#counter(
    'requests_total',
    'Requests to /graphql; outcome is OK or the first code of the answer.',
    ['operation', 'outcome'],
  );
  readonly #requestSeconds = this.#histogram(
    'request_seconds',
    'Requests to /graphql, from their first byte to the last of the answer.',
    REQUEST_SECONDS,
    ['operation'],
  );
  readonly #bookSeconds = this.#histogram(
    'book_refresh_seconds',
    'Refreshes of the book, sweep and waiting for a turn included.',
    LAP_SECONDS,
  );
  readonly #sweepSeconds = this.#histogram('sweep_seconds', 'Sweeps of a large book in their own thread.', LAP_SECONDS);
  readonly bookAge = this.#gauge('book_age_seconds', 'Age of the data of the book that queries are answered from.');
  readonly selfCheckDifferences = this.#gauge(
    'self_check_differences',
    'Figures in which the book differed from the views, since this process began.',
  );
  readonly replicationLag = this.#gauge(
    'replication_lag_seconds',
    'How far the standby that is read from is behind; absent without one.',
  );
  readonly priceAge = this.#gauge(
    'price_age_seconds',
    'Age of the newest accepted price; absent where there is none.',
    ['market'],
  );
  readonly fundBalance = this.#gauge(
    'fund_balance_approximate',
    'Balance of an insurance fund as a float: for graphs and alarms, never for books.',
    ['fund'],
  );
  readonly chainPending = this.#gauge('chain_pending_rows', 'Rows that are committed and not sealed yet.', ['chain']);
  readonly jobOverdue = this.#gauge(
    'job_overdue_seconds',
    'How long ago a lap was due that has not come; 0 while none is, or while the job is paused.',
  );

  constructor() {
    // What was never set is absent, not 0: that would be a standby without a lag.
    this.replicationLag.remove();
  }

  ranLap({ attempts, counts, skipsByReason }: LapFigures, seconds: number): void {
    this.#lapSeconds.observe(seconds);
    this.#lapRetries.inc(attempts - 1);
    this.#lapAccounts.set(counts.accounts);
    this.#liquidations.inc(counts.liquidations);
    this.#events.inc(counts.events);
    this.#legs.inc(counts.legs);
    this.#badDebts.inc(counts.badDebts);
    for (const [reason, count] of Object.entries(skipsByReason)) this.#skips.inc({ reason }, count);
  }

  failedLap(): void {
    this.#lapFailures.inc();
  }

  answered(operation: OperationKind, outcome: string, seconds: number): void {
    this.#requests.inc({ operation, outcome });
    this.#requestSeconds.observe({ operation }, seconds);
  }

  tookBook(seconds: number): void {
    this.#bookSeconds.observe(seconds);
  }

  swept(seconds: number): void {
    this.#sweepSeconds.observe(seconds);
  }

  onCollect(collect: Collect): void {
    this.#collects.push(collect);
  }

  /** Memory, processor, garbage and the delay of the event loop of this process as well. */
  watchProcess(): void {
    collectDefaultMetrics({ register: this.#registry });
  }

  /** In Prometheus' text format. A figure that cannot be read is absent, and the rest is told. */
  async text(): Promise<string> {
    await Promise.allSettled(this.#collects.map(async (collect) => collect(this)));
    return this.#registry.metrics();
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  #histogram<L extends string = never>(
    name: string,
    help: string,
    buckets: number[],
    labelNames: L[] = [],
  ): Histogram<L> {
    return new Histogram({ name: `backstop_${name}`, help, buckets, labelNames, registers: [this.#registry] });
  }

  #counter<L extends string = never>(name: string, help: string, labelNames: L[] = []): Counter<L> {
    return new Counter({ name: `backstop_${name}`, help, labelNames, registers: [this.#registry] });
  }

  #gauge<L extends string = never>(name: string, help: string, labelNames: L[] = []): Gauge<L> {
    return new Gauge({ name: `backstop_${name}`, help, labelNames, registers: [this.#registry] });
  }
}
