import { dec, type Decimal } from '../risk/decimal.js';
import type { Dice } from './dice.js';
import { INVERSE, INVERSE_TWIN, LEVERAGES, MARKETS, NOTIONALS, SEVERAL, STYLES, WHALES } from './parameters.js';
import type { MarketId } from './parameters.js';
import type { TradedMarket } from './traded-market.js';
import type { Leg, Plan } from './trader-lines.js';

const LINEAR_MARKETS = (Object.keys(MARKETS) as MarketId[])
  .filter((id) => MARKETS[id].payoff === 'LINEAR')
  .map((id) => ({ id, weight: MARKETS[id].weight }));

/** Draws traders and what they hold. */
export class Crowd {
  readonly #dice: Dice;
  readonly #markets: Readonly<Record<MarketId, TradedMarket>>;
  #traders = 0;

  constructor(dice: Dice, markets: Readonly<Record<MarketId, TradedMarket>>) {
    this.#dice = dice;
    this.#markets = markets;
  }

  /** The accounts of one trader. */
  drawTrader(): Plan[] {
    const traderId = this.#nextTraderId();
    switch (this.#dice.pick(STYLES).style) {
      case 'SINGLE':
        return [this.#cross(traderId, 1)];
      case 'ISOLATED':
        return [this.#isolated(traderId)];
      case 'SEVERAL':
        return [this.#cross(traderId, this.#dice.within(SEVERAL))];
      case 'BOTH':
        return [this.#cross(traderId, SEVERAL.from), this.#isolated(traderId)];
      case 'HEDGED':
        return [this.#hedged(traderId)];
      case 'INVERSE':
        return [this.#inverse(traderId)];
      case 'BASIS':
        return this.#basis(traderId);
    }
  }

  /** The whale of a number from 1 on, and the desks that it trades with: their sizes come to its own. */
  *drawWhale(number: number): Generator<Plan> {
    const market = this.#markets[WHALES.markets[(number - 1) % WHALES.markets.length] ?? INVERSE];
    const part = market.sizeOf(this.#dollars(WHALES.dollars).dividedToIntegerBy(String(WHALES.desks)));
    const isLong = market.isNextLong(part, this.#dice);
    const id = String(number).padStart(3, '0');
    const whale = this.#leg(market, signed(part.times(String(WHALES.desks)), isLong), WHALES.leverage.from);
    yield this.#plan(`whale-${id}`, 'cross', this.#dice.within(WHALES.leverage), [whale]);
    for (let desk = 1; desk <= WHALES.desks; desk++) {
      const leg = this.#leg(market, signed(part, !isLong), WHALES.deskLeverage.from);
      yield this.#plan(`desk-${id}-${desk}`, 'cross', this.#dice.within(WHALES.deskLeverage), [leg]);
    }
  }

  /** Markets in which there is more of one side than of the other. */
  gaps(): TradedMarket[] {
    return Object.values(this.#markets).filter(({ net }) => !net.isZero());
  }

  /** One more position in one of those markets, that leaves a gap there. */
  drawIntoGap(): Plan {
    const gaps = this.gaps();
    const market = gaps[this.#dice.below(gaps.length)] ?? this.#markets[INVERSE];
    const leverage = this.#leverage();
    const leg = this.#freeLeg(market, leverage);
    const size = leg.size.plus(market.net).isZero() ? leg.size.times('2') : leg.size;
    return this.#only({ ...leg, size }, leverage);
  }

  /** Whoever takes what is left of one side. */
  drawClosing(market: TradedMarket): Plan {
    const leverage = this.#leverage();
    return this.#only(this.#leg(market, market.net.neg(), leverage), leverage);
  }

  #only(leg: Leg, leverage: number): Plan {
    return this.#plan(this.#nextTraderId(), leg.market.assetId.toLowerCase(), leverage, [leg]);
  }

  #nextTraderId(): string {
    return `t${String(++this.#traders).padStart(7, '0')}`;
  }

  #cross(traderId: string, count: number): Plan {
    const leverage = this.#leverage();
    return this.#plan(
      traderId,
      'usdt',
      leverage,
      this.#distinct(count).map((market) => this.#freeLeg(market, leverage)),
    );
  }

  #isolated(traderId: string): Plan {
    const leverage = this.#leverage();
    const [market] = this.#distinct(1);
    return this.#plan(traderId, 'iso', leverage, market === undefined ? [] : [this.#freeLeg(market, leverage)]);
  }

  #inverse(traderId: string): Plan {
    const leverage = this.#leverage();
    return this.#plan(traderId, 'btc', leverage, [this.#freeLeg(this.#markets[INVERSE], leverage)]);
  }

  /** Long in one market and short in another for the same money, in one account. */
  #hedged(traderId: string): Plan {
    const leverage = this.#leverage();
    const [first, second] = this.#distinct(2);
    if (first === undefined || second === undefined) throw new Error('a hedge takes two markets');
    const [left, right] = this.#opposed([first, leverage], [second, leverage]);
    return this.#plan(traderId, 'usdt', leverage, [left, right]);
  }

  /** The same between the inverse market and its linear twin: an account in each asset. */
  #basis(traderId: string): Plan[] {
    const [coin, dollar] = [this.#leverage(), this.#leverage()];
    const [left, right] = this.#opposed([this.#markets[INVERSE], coin], [this.#markets[INVERSE_TWIN], dollar]);
    return [this.#plan(traderId, 'btc', coin, [left]), this.#plan(traderId, 'usdt', dollar, [right])];
  }

  #opposed(
    [first, leverage]: readonly [TradedMarket, number],
    [second, secondLeverage]: readonly [TradedMarket, number],
  ): [Leg, Leg] {
    const dollars = this.#dollars(this.#dice.pick(NOTIONALS));
    const size = first.sizeOf(dollars);
    const isLong = first.isNextLong(size, this.#dice);
    return [
      this.#leg(first, signed(size, isLong), leverage),
      this.#leg(second, signed(second.sizeOf(dollars), !isLong), secondLeverage),
    ];
  }

  #freeLeg(market: TradedMarket, leverage: number): Leg {
    const size = market.sizeOf(this.#dollars(this.#dice.pick(NOTIONALS)));
    return this.#leg(market, signed(size, market.isNextLong(size, this.#dice)), leverage);
  }

  #leg(market: TradedMarket, size: Decimal, leverage: number): Leg {
    return { market, size, entryPrice: market.drawEntry(leverage, this.#dice) };
  }

  #plan(traderId: string, suffix: string, leverage: number, legs: readonly Leg[]): Plan {
    return { accountId: `${traderId}-${suffix}`, traderId, isIsolated: suffix === 'iso', leverage, legs };
  }

  /** So many linear markets, each once, the popular ones more often. */
  #distinct(count: number): TradedMarket[] {
    const left = [...LINEAR_MARKETS];
    const chosen: TradedMarket[] = [];
    while (chosen.length < count) {
      const choice = this.#dice.pick(left);
      left.splice(left.indexOf(choice), 1);
      chosen.push(this.#markets[choice.id]);
    }
    return chosen;
  }

  #leverage(): number {
    return this.#dice.within(this.#dice.pick(LEVERAGES));
  }

  #dollars(range: { readonly from: number; readonly to: number }): Decimal {
    return dec(String(this.#dice.within(range)));
  }
}

function signed(size: Decimal, isLong: boolean): Decimal {
  return isLong ? size : size.neg();
}
