import { CHAINS, type Chain } from './chains.js';
import type { Reader } from './connect.js';

/** What there is to watch, by now. Floats: for graphs and alarms. */
export interface Gauges {
  readonly overdueSeconds: number;
  /** Null: it never had a price. */
  readonly prices: readonly { readonly marketId: string; readonly ageSeconds: number | null }[];
  readonly funds: readonly { readonly fundId: string; readonly balance: number }[];
  readonly pending: readonly { readonly chain: Chain; readonly rows: number }[];
}

/** Few rows each, whatever the size of the venue; what waits for the sealer is counted up to so many. */
const MOST_COUNTED = 100_000;

export async function readGauges(reader: Reader): Promise<Gauges> {
  const [[job], prices, funds, pending] = await Promise.all([
    reader<{ seconds: number }[]>`
      select coalesce(max(greatest(extract(epoch from clock_timestamp() - due_at), 0)), 0)::double precision as seconds
      from job where not paused and round > 0`,
    reader<{ marketId: string; ageSeconds: number | null }[]>`
      select market_id as "marketId", extract(epoch from clock_timestamp() - at)::double precision as "ageSeconds"
      from current_mark order by market_id`,
    reader<{ fundId: string; balance: number }[]>`
      select f.account_id as "fundId", coalesce(sum(b.amount), 0)::double precision as balance
      from insurance_fund f left join balance b on b.account_id = f.account_id group by f.account_id order by f.account_id`,
    reader<{ chain: Chain; rows: number }[]>`
      select c.chain, (select count(*) from (
        select from chain_due d where d.chain = c.chain limit ${MOST_COUNTED}) due)::integer as rows
      from unnest(${[...CHAINS]}::text[]) as c (chain)`,
  ]);
  return { overdueSeconds: job?.seconds ?? 0, prices, funds, pending };
}

/** Markets that are open and whose prices stopped coming: nothing is done in them. */
export async function readStaleMarkets(reader: Reader): Promise<string[]> {
  const rows = await reader<{ id: string }[]>`
    select m.id from market m join current_mark k on k.market_id = m.id
    where m.status = 'ACTIVE' and k.at is not null and not k.is_live order by m.id`;
  return rows.map(({ id }) => id);
}
