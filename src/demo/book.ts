import type { BookLine } from '../ingest/book-line.js';
import { value, type Contract } from '../risk/contract.js';
import { dec, ZERO, type Decimal } from '../risk/decimal.js';
import {
  CALLED,
  CROSSED,
  CROWDS,
  HEDGED,
  INVERSE_WHALE,
  ISOLATED_EVERY,
  LEVERAGES,
  LIQUIDATED,
  MARKETS,
  OLD_ENTRY,
  RELIEVED,
  SEED,
  WHALE,
  WHALE_SHORTS,
  type DemoMarketId,
} from './parameters.js';
import type { Minute } from './path.js';
import { Random } from './random.js';
import { MARKET_IDS, venueLines } from './venue-lines.js';

interface Opening {
  readonly marketId: DemoMarketId;
  /** Signed contracts. */
  readonly size: Decimal;
  readonly entryPrice: Decimal;
}

interface Owner {
  readonly accountId: string;
  readonly traderId?: string;
  readonly isIsolated?: boolean;
}

interface Range {
  readonly from: string;
  readonly to: string;
  readonly weight: number;
}

export interface Ladder {
  readonly count: number;
  readonly from: string;
  readonly step: string;
}

/** Digits of deposits: cents, and a hundred-millionth of a bitcoin. */
const DEPOSIT_PLACES: Readonly<Record<string, number>> = { USDT: 2, BTC: 8 };

/** The whole book of the demonstration, open at the marks of the first minute, in the order that an import wants. */
export function demoBook(first: Pick<Minute, 'marks'>): BookLine[] {
  const book = new DemoBook(first.marks);
  for (const crowd of CROWDS) book.addCrowd(crowd);
  book.addWhales();
  book.addLadders();
  book.addCrossed();
  book.addHedged();
  book.addLiquidityProviders();
  return [...venueLines(), ...book.owners, ...book.holdings];
}

class DemoBook {
  readonly owners: BookLine[] = [];
  readonly holdings: BookLine[] = [];
  readonly #marks: Minute['marks'];
  readonly #random = new Random(SEED);
  readonly #sizes = new Map<DemoMarketId, Decimal>();

  constructor(marks: Minute['marks']) {
    this.#marks = marks;
  }

  addCrowd({ marketId, name, pairs, notionals }: (typeof CROWDS)[number]): void {
    for (let pair = 1; pair <= pairs; pair++) {
      const notional = this.#within(this.#random.pick<Range>(notionals), '1');
      const size = this.#wholeSteps(marketId, notional.dividedToIntegerBy(this.#worthOfStep(marketId)));
      for (const [side, signed] of [
        ['long', size],
        ['short', size.neg()],
      ] as const) {
        const leverage = this.#within(this.#random.pick<Range>(LEVERAGES), '0.01');
        const entryPrice = this.#entryPrice(marketId, leverage);
        const isIsolated = this.#random.between('1', String(ISOLATED_EVERY), '1').eq(1);
        const owner = { accountId: numbered(`${name}-${side}`, pair), isIsolated };
        this.#add(owner, [{ marketId, size: signed, entryPrice }], leverage);
      }
    }
  }

  addWhales(): void {
    this.#addAtMark({ accountId: WHALE.id }, 'BTCUSDT', dec(WHALE.size), dec(WHALE.leverage));
    for (let n = 1; n <= WHALE_SHORTS.count; n++) {
      const leverage = this.#within(WHALE_SHORTS.leverage, '0.01');
      this.#addAtMark({ accountId: numbered(WHALE_SHORTS.name, n) }, 'BTCUSDT', dec(WHALE_SHORTS.size).neg(), leverage);
    }
    this.#addAtMark(
      { accountId: INVERSE_WHALE.id },
      'BTCUSD',
      dec(INVERSE_WHALE.contracts),
      dec(INVERSE_WHALE.leverage),
    );
  }

  /** Longs whose leverage rises step by step. */
  addLadders(): void {
    for (const ladder of [CALLED, LIQUIDATED, RELIEVED]) {
      for (const [index, leverage] of rungs(ladder).entries())
        this.#addAtMark({ accountId: numbered(ladder.name, index + 1) }, 'BTCUSDT', dec(ladder.size), leverage);
    }
  }

  addCrossed(): void {
    const balance = dec(CROSSED.balance);
    const leverages = CROSSED.xrpLadders.flatMap(rungs);
    for (const [index, xrpLeverage] of leverages.entries()) {
      this.#deposit({ accountId: numbered(CROSSED.name, index + 1) }, 'USDT', balance, [
        this.#worthing('BTCUSDT', balance.times(dec(CROSSED.btcLeverage)), -1),
        this.#worthing('XRPUSDT', balance.times(xrpLeverage), 1),
      ]);
    }
  }

  addHedged(): void {
    for (let n = 1; n <= HEDGED.count; n++) {
      const traderId = numbered(HEDGED.name, n);
      const contracts = this.#within(HEDGED.contracts, '1000');
      const long = this.#worthing('BTCUSDT', contracts, 1);
      const longLeverage = this.#within(HEDGED.longLeverage, '0.01');
      this.#add({ accountId: `${traderId}-usdt`, traderId }, [long], longLeverage);
      const shortLeverage = this.#within(HEDGED.shortLeverage, '0.01');
      this.#addAtMark({ accountId: `${traderId}-btc`, traderId }, 'BTCUSD', contracts.neg(), shortLeverage);
    }
  }

  /** They stand for the rest of the market: whatever the others hold, they hold against it. */
  addLiquidityProviders(): void {
    for (const marketId of MARKET_IDS) {
      const size = this.#sizes.get(marketId) ?? ZERO;
      if (size.isZero()) continue;
      const position = { accountId: MARKETS[marketId].liquidityProviderId, marketId, size: size.neg().toFixed() };
      this.holdings.push({ type: 'position', ...position, entryPrice: this.#marks[marketId].toFixed() });
    }
  }

  #addAtMark(owner: Owner, marketId: DemoMarketId, size: Decimal, leverage: Decimal): void {
    this.#add(owner, [{ marketId, size, entryPrice: this.#marks[marketId] }], leverage);
  }

  /** An account with so much money that its notional is `leverage` times its equity. */
  #add(owner: Owner, openings: readonly Opening[], leverage: Decimal): void {
    let notional: Decimal = ZERO;
    let unrealized: Decimal = ZERO;
    let assetId = 'USDT';
    for (const { marketId, size, entryPrice } of openings) {
      const contract = contractOf(marketId);
      const worth = value(contract, size, this.#marks[marketId]);
      notional = notional.plus(worth.abs());
      unrealized = unrealized.plus(worth.minus(value(contract, size, entryPrice)));
      assetId = contract.settlementAssetId;
    }
    this.#deposit(owner, assetId, notional.dividedBy(leverage).minus(unrealized), openings);
  }

  #deposit(owner: Owner, assetId: string, balance: Decimal, openings: readonly Opening[]): void {
    const { accountId, traderId = accountId, isIsolated = false } = owner;
    this.owners.push({ type: 'trader', id: traderId });
    const mode = isIsolated ? 'ISOLATED' : 'CROSS';
    this.owners.push({ type: 'account', id: accountId, traderId, mode, marginAssetId: assetId });
    const amount = balance.toDecimalPlaces(DEPOSIT_PLACES[assetId] ?? 0).toFixed();
    this.holdings.push({ type: 'balance', accountId, amount });
    for (const { marketId, size, entryPrice } of openings) {
      this.#sizes.set(marketId, (this.#sizes.get(marketId) ?? ZERO).plus(size));
      const texts = { size: size.toFixed(), entryPrice: entryPrice.toFixed() };
      this.holdings.push({ type: 'position', accountId, marketId, ...texts });
    }
  }

  /** A position at the mark worth about so many dollars. */
  #worthing(marketId: DemoMarketId, dollars: Decimal, sign: 1 | -1): Opening {
    const steps = dollars.dividedToIntegerBy(this.#worthOfStep(marketId)).times(sign);
    return { marketId, size: this.#wholeSteps(marketId, steps), entryPrice: this.#marks[marketId] };
  }

  #wholeSteps(marketId: DemoMarketId, steps: Decimal): Decimal {
    return (steps.isZero() ? dec('1') : steps).times(dec(MARKETS[marketId].sizeStep));
  }

  /** In dollars. */
  #worthOfStep(marketId: DemoMarketId): Decimal {
    const { payoff, contractSize, sizeStep } = MARKETS[marketId];
    const contracts = dec(contractSize).times(dec(sizeStep));
    return payoff === 'LINEAR' ? contracts.times(this.#marks[marketId]) : contracts;
  }

  #entryPrice(marketId: DemoMarketId, leverage: Decimal): Decimal {
    const mark = this.#marks[marketId];
    if (leverage.gte(dec(OLD_ENTRY.belowLeverage))) return mark;
    const moved = dec('1').plus(this.#random.between(`-${OLD_ENTRY.furthest}`, OLD_ENTRY.furthest, '0.0001'));
    const tick = dec(MARKETS[marketId].priceTick);
    return mark.times(moved).dividedToIntegerBy(tick).times(tick);
  }

  #within(range: { readonly from: string; readonly to: string }, step: string): Decimal {
    return this.#random.between(range.from, range.to, step);
  }
}

export function rungs({ count, from, step }: Ladder): Decimal[] {
  return Array.from({ length: count }, (_, n) => dec(from).plus(dec(step).times(n)));
}

function contractOf(marketId: DemoMarketId): Contract {
  const { payoff, settlementAssetId, contractSize, priceTick, sizeStep } = MARKETS[marketId];
  const amounts = { contractSize: dec(contractSize), priceTick: dec(priceTick), sizeStep: dec(sizeStep) };
  return { id: marketId, payoff, settlementAssetId, ...amounts };
}

/** `btc-long-007` */
export function numbered(name: string, n: number): string {
  return `${name}-${String(n).padStart(3, '0')}`;
}
