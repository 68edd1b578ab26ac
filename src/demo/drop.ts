import type { Reader } from '../db/connect.js';
import { loadMarkPrices } from '../db/demo-state.js';
import { readClock } from '../db/record-notice.js';
import { dec, type Decimal } from '../risk/decimal.js';
import { DROP_TO, MARKETS, THIN_BOOK } from './parameters.js';

const DROPPED = ['BTCUSDT', 'BTCUSD'] as const;
type Dropped = (typeof DROPPED)[number];

export interface Level {
  readonly price: string;
  readonly size: string;
}

/** The drop as GraphQL takes it: prices and order books of both bitcoin markets in one request. */
export interface Drop {
  readonly query: string;
  readonly variables: {
    readonly depth: {
      readonly depths: readonly { id: string; marketSymbol: string; bids: readonly Level[]; asks: readonly Level[] }[];
    };
    readonly prices: { readonly prices: readonly { id: string; marketSymbol: string; price: string }[] };
  };
}

// The order book first: a lap between the two must not find the thick book of the old price beside the new one.
const QUERY =
  'mutation Drop($depth: DepthRecordInput!, $prices: PricesRecordInput!) {' +
  ' depthRecord(input: $depth) { recorded duplicates userErrors { code message } }' +
  ' pricesRecord(input: $prices) { recorded duplicates userErrors { code message } } }';

/** From the last prices, whatever they are now. Sent twice it counts once: the ids are of this drop. */
export async function planDrop(reader: Reader): Promise<Drop> {
  const marks = await loadMarkPrices(reader, DROPPED);
  const id = `drop-${(await readClock(reader)).replace(/\D/g, '')}`;
  const dropped = DROPPED.flatMap((marketSymbol) => {
    const mark = marks.get(marketSymbol);
    return mark === undefined
      ? []
      : [{ id, marketSymbol, mark: toTick(marketSymbol, mark.times(dec(DROP_TO)), 'DOWN') }];
  });
  return {
    query: QUERY,
    variables: {
      depth: {
        depths: dropped.map(({ marketSymbol, mark }) => ({ id, marketSymbol, ...thinBook(marketSymbol, mark) })),
      },
      prices: { prices: dropped.map(({ marketSymbol, mark }) => ({ id, marketSymbol, price: mark.toFixed() })) },
    },
  };
}

/** What a shell's curl sends. */
export async function dropOperation(reader: Reader): Promise<string> {
  // No quote of any kind that bash would end at: ids, symbols and decimals only.
  return JSON.stringify(await planDrop(reader));
}

function thinBook(marketId: Dropped, mark: Decimal): { readonly bids: Level[]; readonly asks: Level[] } {
  const level = (distance: Decimal, btc: string, rounding: 'UP' | 'DOWN'): Level => ({
    price: toTick(marketId, mark.times(distance.plus(1)), rounding).toFixed(),
    size: sizeOf(marketId, dec(btc), mark),
  });
  return {
    bids: THIN_BOOK.map(([distance, btc]) => level(dec(distance).neg(), btc, 'DOWN')),
    asks: THIN_BOOK.map(([distance, btc]) => level(dec(distance), btc, 'UP')),
  };
}

function sizeOf(marketId: Dropped, btc: Decimal, mark: Decimal): string {
  const { payoff, contractSize, sizeStep } = MARKETS[marketId];
  const units = dec(contractSize).times(dec(sizeStep));
  const worth = payoff === 'LINEAR' ? btc : btc.times(mark);
  return worth.dividedToIntegerBy(units).times(dec(sizeStep)).toFixed();
}

function toTick(marketId: Dropped, price: Decimal, rounding: 'UP' | 'DOWN'): Decimal {
  const tick = dec(MARKETS[marketId].priceTick);
  const down = price.dividedToIntegerBy(tick).times(tick);
  return rounding === 'UP' && down.lt(price) ? down.plus(tick) : down;
}
