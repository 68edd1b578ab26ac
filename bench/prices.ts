import type { Sql } from '../src/db/connect.js';
import { dec, type Decimal } from '../src/risk/decimal.js';

export interface Prices {
  readonly marketIds: readonly string[];
  /** The price at the start, so many ticks up. */
  ticked(marketId: string, ticks: number): string;
}

export async function pricesOf(sql: Sql): Promise<Prices> {
  const rows = await sql<{ id: string; price: string; tick: string }[]>`
    select m.id, p.price, m.price_tick as tick
    from market m cross join lateral (
      select price from price_mark where market_id = m.id order by at desc, id desc limit 1) p order by m.id`;
  const known = new Map(rows.map(({ id, price, tick }) => [id, { price: dec(price), tick: dec(tick) }]));
  const of = (marketId: string): { price: Decimal; tick: Decimal } => {
    const found = known.get(marketId);
    if (found === undefined) throw new Error(`no price of ${marketId}`);
    return found;
  };
  return {
    marketIds: rows.map(({ id }) => id),
    ticked: (marketId, ticks) => of(marketId).price.plus(of(marketId).tick.times(ticks)).toFixed(),
  };
}
