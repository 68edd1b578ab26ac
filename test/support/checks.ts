import { expect } from '@jest/globals';
import type { Reader } from '../../src/db/connect.js';

/** What the database itself says about its conserved totals; a row is a broken promise. */
export async function assertInvariants(sql: Reader): Promise<void> {
  const violations = await sql`select * from invariant_violations`;
  expect([...violations]).toEqual([]);
}

/** The conserved totals alone, in a fraction of the time: Σ size = 0, and money moved only from outside or by bad debt. */
export async function assertTotals(sql: Reader): Promise<void> {
  const sizes = await sql`select market_id, sum(size) from position group by market_id having sum(size) <> 0`;
  const money = await sql`
    select a.id from asset a where
      (select coalesce(sum(amount), 0) from balance where asset_id = a.id)
      - (select coalesce(sum(cost), 0) from position where settlement_asset_id = a.id)
      <> (select coalesce(sum(amount), 0) from ledger_entry
          where asset_id = a.id and kind in ('OPENING', 'TRANSFER', 'TRADING_FEE', 'BAD_DEBT'))
         - (select coalesce(sum(o.cost), 0) from opening_position o join market m on m.id = o.market_id
            where m.settlement_asset_id = a.id)`;
  expect({ sizes: [...sizes], money: [...money] }).toEqual({ sizes: [], money: [] });
}
