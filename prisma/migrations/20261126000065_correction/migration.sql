-- A trade that should never have been is not taken out of history: another one is its exact opposite and names it, at most once.

alter table trade add column corrects exchange_id references trade (external_id);
-- few of many, so the index holds the few
create unique index trade_corrected_once on trade (corrects) where corrects is not null;
comment on column trade.corrects is 'External id of the trade that it takes back, being its exact opposite. Null: an ordinary trade.';

create function guard_trade_correction() returns trigger language plpgsql as $$
declare
  wrong record;
begin
  select a.external_id, a.corrects into wrong
  from added a join trade t on t.external_id = a.corrects
  where t.corrects is not null
    or (a.market_id, a.buyer_id, a.seller_id, a.size, a.price, a.buyer_fee, a.seller_fee)
      is distinct from (t.market_id, t.seller_id, t.buyer_id, t.size, t.price, -t.seller_fee, -t.buyer_fee)
  limit 1;
  if found then
    raise exception 'Trade % corrects %, but is not its exact opposite, or that is a correction itself.', wrong.external_id, wrong.corrects
      using errcode = 'check_violation', table = tg_table_name;
  end if;
  return null;
end $$;
create trigger trade_corrects_exactly after insert on trade
  referencing new table as added for each statement execute function guard_trade_correction();

create view correction_violations as
-- 18: a trade is corrected at most once, by its exact opposite, which is no correction of a correction
select 18 as invariant, 'trade ' || corrects as subject, format('is corrected %s times', count(*)) as detail
from trade where corrects is not null group by corrects having count(*) > 1
union all
select 18, 'trade ' || c.external_id, format('corrects %s without being its exact opposite', c.corrects)
from trade c left join trade t on t.external_id = c.corrects
where c.corrects is not null and (t.corrects is not null
  or (c.market_id, c.buyer_id, c.seller_id, c.size, c.price, c.buyer_fee, c.seller_fee)
    is distinct from (t.market_id, t.seller_id, t.buyer_id, t.size, t.price, -t.seller_fee, -t.buyer_fee))
union all
-- 18: together the two leave sizes, and balances less costs, as they were
select 18, format('trade %s of %s', told.corrects, told.account_id),
  format('and its correction leave a size of %s and %s of money', trim_scale(told.size), trim_scale(told.money))
from (
  select c.corrects, p.account_id, sum(p.size_change) as size, sum(p.realized_pnl - p.cost_change) + coalesce((
      select sum(e.amount) from ledger_entry e
      where e.account_id = p.account_id and e.kind = 'TRADING_FEE' and e.cause = 'TRADE' and e.cause_id in (c.id, t.id)), 0) as money
  from trade c join trade t on t.external_id = c.corrects
  join position_change p on p.cause = 'TRADE' and p.cause_id in (c.id, t.id)
  where c.corrects is not null group by c.corrects, c.id, t.id, p.account_id) told
where told.size <> 0 or told.money <> 0;

create or replace view invariant_violations as
select * from position_violations
union all select * from money_violations
union all select * from forced_close_violations
union all select * from ranking_violations
union all select * from exemption_violations
union all select * from correction_violations;

comment on view correction_violations is 'Of 18: trades that are corrected twice, or by something else than their opposite.';
comment on column correction_violations.invariant is 'Number of the promise in docs/sql.md.';
comment on column correction_violations.subject is 'What breaks it.';
comment on column correction_violations.detail is 'In what way.';
