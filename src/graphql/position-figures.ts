import type { AccountMargin } from '../book/account-margin.js';
import type { MarketState } from '../db/risk-state.js';
import { bankruptcyPrice, bankruptcyValues } from '../risk/bankruptcy.js';
import { sideOf } from '../risk/contract.js';
import type { Decimal } from '../risk/decimal.js';
import { liquidationDistance, liquidationPrice } from '../risk/liquidation-price.js';
import { effectiveLeverage, type AccountValuation, type PositionValuation } from '../risk/margin.js';
import { entryPrice, type Holding } from '../risk/position.js';
import type { Context } from './context.js';

/** A position as its account has it, in the book or by supposition. */
export interface Held {
  readonly margin: AccountMargin;
  readonly holding: Holding;
  readonly market: MarketState;
}

interface Valued extends Held {
  readonly valuation: AccountValuation;
  readonly position: PositionValuation;
  /** Place of the position in the valuation. */
  readonly index: number;
}

/** What is shown of a position, wherever it comes from. */
export function positionFigures<S>(find: (source: S, context: Context) => Held) {
  /** A figure that needs the account's valuation; null while there is none. */
  const figure =
    <T>(of: (valued: Valued) => T | null) =>
    (source: S, _args: unknown, context: Context): T | null => {
      const held = find(source, context);
      const { valuation } = held.margin;
      if (valuation === null) return null;
      const index = valuation.positions.findIndex((position) => position.marketId === held.market.id);
      const position = valuation.positions[index];
      if (position === undefined) throw new Error(`${valuation.accountId} is valued without ${held.market.id}`);
      return of({ ...held, valuation, position, index });
    };
  const fact =
    <T>(of: (held: Held) => T) =>
    (source: S, _args: unknown, context: Context): T =>
      of(find(source, context));
  return {
    side: fact(({ holding }) => sideOf(holding.size)),
    size: fact(({ holding }): Decimal => holding.size.abs()),
    cost: fact(({ holding }): Decimal => holding.cost),
    entryPrice: fact(({ market, holding }) => entryPrice(market, holding)),
    notional: figure(({ position }) => position.notional),
    unrealizedPnl: figure(({ position }) => position.unrealizedPnl),
    effectiveLeverage: figure(({ valuation, index }) => effectiveLeverage(valuation, index)),
    initialMargin: figure(({ position }) => position.initial),
    maintenanceMargin: figure(({ position }) => position.maintenance),
    liquidationPrice: figure(({ valuation, market }) => liquidationPrice(valuation, market.id, market)),
    liquidationDistance: figure(({ valuation, market }) => liquidationDistance(valuation, market.id, market)),
    bankruptcyPrice: figure(({ valuation, market, holding }) => {
      const worth = bankruptcyValues(valuation).get(market.id);
      return worth === undefined ? null : bankruptcyPrice(market, holding.size, worth);
    }),
  };
}
