import { makeSchedule, type Schedule } from '../risk/brackets.js';
import { value, type Contract } from '../risk/contract.js';
import { dec, max, ONE, ZERO, type Decimal } from '../risk/decimal.js';
import type { Dice } from './dice.js';
import { ENTRY, MARKETS, type AssetId, type MarketId } from './parameters.js';

const TEN_THOUSAND = dec('10000');

/** One market of the venue while it is made: its contract and price, and what has been opened in it so far. */
export class TradedMarket {
  readonly id: MarketId;
  readonly assetId: AssetId;
  readonly mark: Decimal;
  readonly contract: Contract;
  readonly schedule: Schedule;
  /** In contracts. */
  long: Decimal = ZERO;
  net: Decimal = ZERO;
  readonly #dollarsOfStep: Decimal;
  /** Entry prices by their distance from the mark: a few hundred, drawn a million times. */
  readonly #entries = new Map<number, Decimal>();

  constructor(id: MarketId) {
    const { payoff, assetId, mark, priceTick, sizeStep, brackets } = MARKETS[id];
    this.id = id;
    this.assetId = assetId;
    this.mark = dec(mark);
    const amounts = { contractSize: ONE, priceTick: dec(priceTick), sizeStep: dec(sizeStep) };
    this.contract = { id, payoff, settlementAssetId: assetId, ...amounts };
    this.#dollarsOfStep = payoff === 'LINEAR' ? amounts.sizeStep.times(this.mark) : amounts.sizeStep;
    this.schedule = makeSchedule(
      brackets.map(([floor, maintenanceRate, initialRate]) => ({
        ...{ floor: dec(floor), maintenanceRate: dec(maintenanceRate), initialRate: dec(initialRate) },
      })),
    );
  }

  /** A size, without sign, that is worth about so many dollars: whole steps, one at least. */
  sizeOf(dollars: Decimal): Decimal {
    return max(ONE, dollars.dividedToIntegerBy(this.#dollarsOfStep)).times(this.contract.sizeStep);
  }

  /**
   * The side of the next position: whoever comes trades with those who are there. While one side has more than the size,
   * the other side is taken, so that the two never drift apart by more than a large position.
   */
  isNextLong(size: Decimal, dice: Dice): boolean {
    const isLong = dice.coin();
    return this.net.abs().lt(size) ? isLong : this.net.isNegative();
  }

  open(size: Decimal): void {
    this.net = this.net.plus(size);
    if (!size.isNegative()) this.long = this.long.plus(size);
  }

  worthAt(size: Decimal, price: Decimal): Decimal {
    return value(this.contract, size, price);
  }

  drawEntry(leverage: number, dice: Dice): Decimal {
    const farthest = leverage < ENTRY.belowLeverage ? ENTRY.old : ENTRY.fresh;
    const distance = dice.within({ from: -farthest, to: farthest });
    const known = this.#entries.get(distance) ?? this.priceAt(distance);
    this.#entries.set(distance, known);
    return known;
  }

  /** So many ten-thousandths above the mark, below it when negative; outward to a tick. */
  priceAt(distance: number): Decimal {
    const { priceTick } = this.contract;
    const price = this.mark.times(dec(String(10_000 + distance))).dividedBy(TEN_THOUSAND);
    const ticks = price.dividedToIntegerBy(priceTick);
    return (distance > 0 && !ticks.times(priceTick).eq(price) ? ticks.plus(ONE) : ticks).times(priceTick);
  }
}
