import type { BookLine } from '../ingest/book-line.js';
import { initialOf } from '../risk/brackets.js';
import { dec, Decimal, max, truncatedFraction, ZERO } from '../risk/decimal.js';
import { ASSETS, CUSHION_PERCENT } from './parameters.js';
import type { TradedMarket } from './traded-market.js';

const HUNDRED = dec('100');
const CUSHION = dec(String(CUSHION_PERCENT)).dividedBy(HUNDRED);

/** A position to be opened; its size is signed, in contracts. */
export interface Leg {
  readonly market: TradedMarket;
  readonly size: Decimal;
  readonly entryPrice: Decimal;
}

/** An account to be opened: it is given so much money that its notional is `leverage` hundredths of its equity. */
export interface Plan {
  readonly accountId: string;
  readonly traderId: string;
  readonly isIsolated: boolean;
  readonly leverage: number;
  readonly legs: readonly Leg[];
}

export function* planLines({ accountId, traderId, isIsolated, leverage, legs }: Plan): Generator<BookLine> {
  const assetId = legs[0]?.market.assetId;
  if (assetId === undefined) throw new Error(`${accountId} holds nothing`);
  yield { type: 'account', id: accountId, traderId, mode: isIsolated ? 'ISOLATED' : 'CROSS', marginAssetId: assetId };
  const amount = deposit(legs, leverage).toDecimalPlaces(ASSETS[assetId].places, Decimal.ROUND_UP).toFixed();
  yield { type: 'balance', accountId, amount };
  for (const { market, size, entryPrice } of legs) {
    market.open(size);
    const texts = { size: size.toFixed(), entryPrice: entryPrice.toFixed() };
    yield { type: 'position', accountId, marketId: market.id, ...texts };
  }
}

/** Equity less what the positions have gained already. */
function deposit(legs: readonly Leg[], leverage: number): Decimal {
  let notional: Decimal = ZERO;
  let initial: Decimal = ZERO;
  let gained: Decimal = ZERO;
  for (const { market, size, entryPrice } of legs) {
    const worth = market.worthAt(size, market.mark);
    notional = notional.plus(worth.abs());
    initial = initial.plus(initialOf(market.schedule, worth.abs()));
    gained = gained.plus(worth).minus(market.worthAt(size, entryPrice));
  }
  const wished = truncatedFraction(notional.times(HUNDRED), dec(String(leverage)));
  return max(wished, initial.times(CUSHION)).minus(gained);
}
