import type { Reader } from './connect.js';

/** Things of this database worth a first look; null where there is none yet. */
export interface Sights {
  /** Holds positions in the most markets; the most leveraged kind of account to look at. */
  readonly accountId: string | null;
  /** Whose account that is. */
  readonly traderId: string | null;
  /** The ADL event with the most legs. */
  readonly eventId: string | null;
  /** The fund that has paid most often. */
  readonly fundId: string | null;
}

export async function readSights(reader: Reader): Promise<Sights> {
  const [row] = await reader<Sights[]>`
    select account as "accountId", (select trader_id from account where id = account) as "traderId",
      event as "eventId", fund as "fundId"
    from (select
      (select p.account_id from position p join account a on a.id = p.account_id and a.kind = 'TRADER'
       left join adl_level l on l.account_id = p.account_id and l.market_id = p.market_id
       group by p.account_id order by count(*) desc, max(l.level) desc nulls last, p.account_id limit 1) as account,
      (select event_id::text from deleverage_leg group by event_id order by count(*) desc, event_id desc limit 1) as event,
      (select e.account_id from ledger_entry e join insurance_fund f on f.account_id = e.account_id
       group by e.account_id order by count(*) filter (where e.kind = 'FUND_PAYMENT') desc, e.account_id limit 1) as fund) as sights`;
  return row ?? { accountId: null, traderId: null, eventId: null, fundId: null };
}
