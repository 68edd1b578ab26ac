-- What must always hold, as views that are empty while it does. Each row names the invariant by its number in
-- docs/sql.md, its subject and what is wrong. Nothing here is read by the service.

create view position_violations as
-- 1: the sizes of a market sum to zero
select 1 as invariant, 'market ' || market_id as subject, format('the sizes sum to %s', trim_scale(sum(size))) as detail
from position group by market_id having sum(size) <> 0
union all
-- 12: each change goes on where the one before it ended, and a position is where its changes end
select 12, format('position of %s in %s', account_id, market_id),
  format('after change %s the changes sum to size %s and cost %s, but it says %s and %s', id, trim_scale(size_sum), trim_scale(cost_sum),
    trim_scale(size_after), trim_scale(cost_after))
from (
  select c.*, sum(size_change) over w as size_sum, sum(cost_change) over w as cost_sum
  from position_change c window w as (partition by account_id, market_id order by id)) chain
where size_sum <> size_after or cost_sum <> cost_after
union all
select 12, format('position of %s in %s', account_id, market_id),
  format('size %s and cost %s, but its changes sum to %s and %s', coalesce(p.size, 0), coalesce(p.cost, 0), coalesce(c.size, 0), coalesce(c.cost, 0))
from position p
full join (select account_id, market_id, sum(size_change) as size, sum(cost_change) as cost from position_change group by 1, 2) c
  using (account_id, market_id)
where (coalesce(p.size, 0), coalesce(p.cost, 0)) <> (coalesce(c.size, 0), coalesce(c.cost, 0))
union all
-- 13: nobody trades with itself, by whatever way
select 13, 'forced trade ' || id, 'an account is its own counterparty' from forced_trade where account_id = counterparty_id
union all
select 13, 'leg ' || l.id, format('its bankrupt is %s, but that of its event is %s', l.bankrupt_account_id, e.account_id)
from deleverage_leg l join deleverage_event e on e.id = l.event_id where l.bankrupt_account_id <> e.account_id;

create view money_violations as
-- 2: Σ balances − Σ cost moves only by what comes from outside, trading fees and bad debt
select 2 as invariant, 'asset ' || a.id as subject,
  format('balances less costs come to %s, but transfers, openings, fees and bad debts to %s', trim_scale(held.total), trim_scale(came.total)) as detail
from asset a
cross join lateral (
  select coalesce((select sum(amount) from balance where asset_id = a.id), 0)
    - coalesce((select sum(cost) from position where settlement_asset_id = a.id), 0) as total) held
cross join lateral (
  select coalesce((select sum(amount) from ledger_entry where asset_id = a.id
                   and kind in ('OPENING', 'TRANSFER', 'TRADING_FEE', 'BAD_DEBT')), 0)
    - coalesce((select sum(o.cost) from opening_position o join market m on m.id = o.market_id where m.settlement_asset_id = a.id), 0)
    as total) came
where held.total <> came.total
union all
-- 2, 3: what one side pays the other receives
select case when kind = 'FUNDING' then 2 else 3 end, format('%s of %s %s', kind, lower(cause), cause_id),
  format('payments and receipts in %s differ by %s', asset_id, trim_scale(sum(amount)))
from ledger_entry where kind in ('FUNDING', 'LIQUIDATION_FEE', 'FUND_PAYMENT')
group by asset_id, kind, cause, cause_id having sum(amount) <> 0
union all
-- 3: a fund never falls below zero, not for one entry
select 3, 'fund ' || f.account_id, format('entry %s leaves %s', e.sequence, trim_scale(e.balance_after))
from insurance_fund f join ledger_entry e on e.account_id = f.account_id where e.balance_after < 0
union all
select 3, 'fund ' || f.account_id, format('its balance is %s', trim_scale(b.amount))
from insurance_fund f join balance b on b.account_id = f.account_id where b.amount < 0
union all
-- 3: what is told of a fund is what its ledger says
select 3, format('%s %s', lower(told.cause), told.id), format('the fund is said to have paid %s, its ledger says %s', trim_scale(told.paid),
    trim_scale(coalesce(-sum(e.amount), 0)))
from (
  select 'LIQUIDATION' as cause, l.id, l.market_id, -l.fund_delta as paid from liquidation l
  union all select 'DELEVERAGE', d.id, d.market_id, d.fund_paid from deleverage_event d
  union all select 'COVER', c.id, c.market_id, c.fund_paid from deficit_cover c) told
left join market m on m.id = told.market_id
left join ledger_entry e on e.account_id = m.insurance_fund_id and e.cause = told.cause and e.cause_id = told.id
group by told.cause, told.id, told.paid having told.paid <> coalesce(-sum(e.amount), 0)
union all
-- 5: a covered account ends at nothing owed, and its bad debt is booked
select 5, 'cover ' || c.id, format('bad debt %s is told, %s is booked', trim_scale(c.bad_debt), trim_scale(coalesce(sum(e.amount), 0)))
from deficit_cover c left join ledger_entry e on e.cause = 'COVER' and e.cause_id = c.id and e.kind = 'BAD_DEBT' and e.account_id = c.account_id
group by c.id, c.bad_debt having c.bad_debt <> coalesce(sum(e.amount), 0)
union all
select 5, format('account %s in lap %s', account_id, lap_id), format('is left with %s after its deficit was covered', trim_scale(balance_after))
from (
  select distinct on (e.account_id, e.lap_id) e.account_id, e.lap_id, e.balance_after
  from ledger_entry e join deficit_cover c on c.id = e.cause_id and c.account_id = e.account_id
  where e.cause = 'COVER' order by e.account_id, e.lap_id, e.sequence desc) last_cover
where balance_after < 0
union all
-- 12: the ledger has no gap, sums to what it says, and ends at the balance
select 12, format('ledger of %s in %s', account_id, asset_id),
  format('entry %s is number %s and leaves %s, where its entries sum to %s', sequence, number, trim_scale(balance_after), trim_scale(total))
from (
  select e.*, row_number() over w as number, sum(amount) over w as total
  from ledger_entry e window w as (partition by account_id, asset_id order by sequence)) chain
where sequence <> number or balance_after <> total
union all
select 12, format('balance of %s in %s', b.account_id, b.asset_id),
  format('is %s after entry %s, but its ledger sums to %s after entry %s', trim_scale(b.amount), b.sequence, trim_scale(coalesce(e.total, 0)), coalesce(e.last, 0))
from balance b
left join (select account_id, asset_id, sum(amount) as total, max(sequence) as last from ledger_entry group by 1, 2) e using (account_id, asset_id)
where b.amount <> coalesce(e.total, 0) or b.sequence <> coalesce(e.last, 0)
union all
select 12, format('%s %s of %s', lower(cause), cause_id, account_id),
  format('its positions realized %s, its ledger booked %s', trim_scale(coalesce(p.pnl, 0)), trim_scale(coalesce(e.pnl, 0)))
from (
  select account_id, cause, cause_id, sum(realized_pnl) as pnl from position_change group by 1, 2, 3) p
full join (
  select account_id, cause, cause_id, sum(amount) as pnl from ledger_entry where kind = 'REALIZED_PNL' group by 1, 2, 3) e
  using (account_id, cause, cause_id)
where coalesce(p.pnl, 0) <> coalesce(e.pnl, 0)
union all
-- 15: a deficit is charged to the fund of its own market
select 15, 'cover ' || c.id, format('%s is charged to %s, the fund of another market', c.market_id, c.fund_id)
from deficit_cover c join market m on m.id = c.market_id where c.fund_id <> m.insurance_fund_id
union all
select 15, 'ledger entry ' || e.id, format('%s pays for %s, which has another fund', e.account_id, e.market_id)
from ledger_entry e join insurance_fund f on f.account_id = e.account_id join market m on m.id = e.market_id
where e.kind in ('LIQUIDATION_FEE', 'FUND_PAYMENT') and m.insurance_fund_id <> e.account_id;

create view forced_close_violations as
-- 4: a forced close only shrinks, and never flips
select 4 as invariant, format('%s %s of %s', lower(c.cause), c.cause_id, c.account_id) as subject,
  format('takes its size in %s from %s to %s', c.market_id, trim_scale(c.size_after - c.size_change), trim_scale(c.size_after)) as detail
from position_change c
left join liquidation l on c.cause = 'LIQUIDATION' and l.id = c.cause_id
where (c.cause = 'DELEVERAGE' or c.cause = 'LIQUIDATION' and l.account_id = c.account_id)
  and (abs(c.size_after) >= abs(c.size_after - c.size_change) or sign(c.size_after) * sign(c.size_after - c.size_change) < 0)
union all
-- 4: what is told of a close is what the position did
select 4, 'liquidation ' || l.id, format('closed %s, its fills %s, its forced trades %s', trim_scale(l.closed), trim_scale(f.size), trim_scale(t.size))
from liquidation l
cross join lateral (select coalesce(sum(size), 0) as size, coalesce(sum(value), 0) as value from liquidation_fill where liquidation_id = l.id) f
cross join lateral (select coalesce(sum(size), 0) as size from forced_trade where liquidation_id = l.id) t
where f.size <> l.closed or t.size <> l.closed or f.value <> l.close_value
union all
select 4, 'event ' || e.id, format('%s deleveraged and %s closed at mark, its legs %s and %s', trim_scale(e.size_deleveraged),
    trim_scale(e.size_closed_at_mark), trim_scale(l.deleveraged), trim_scale(l.at_mark))
from deleverage_event e
cross join lateral (
  select coalesce(sum(size_closed) filter (where stage = 'DELEVERAGE'), 0) as deleveraged,
    coalesce(sum(size_closed) filter (where stage = 'CLOSE_AT_MARK'), 0) as at_mark
  from deleverage_leg where event_id = e.id) l
where l.deleveraged <> e.size_deleveraged or l.at_mark <> e.size_closed_at_mark
union all
select 4, 'leg ' || l.id, format('its forced trades come to %s of %s', trim_scale(coalesce(sum(t.size), 0)), trim_scale(l.size_closed))
from deleverage_leg l left join forced_trade t on t.leg_id = l.id
group by l.id, l.size_closed having coalesce(sum(t.size), 0) <> l.size_closed
union all
-- 4: a forced trade says what the liquidation or the leg that it repeats says
select 4, 'forced trade ' || t.id, format('is told of %s against %s in %s in lap %s, not of %s against %s in %s in lap %s', t.account_id,
    t.counterparty_id, t.market_id, t.lap_id, o.account_id, o.counterparty_id, o.market_id, o.lap_id)
from forced_trade t
cross join lateral (
  select l.account_id, t.counterparty_id, l.market_id, l.lap_id from liquidation l where l.id = t.liquidation_id
  union all
  select e.account_id, l.account_id, e.market_id, e.lap_id
  from deleverage_leg l join deleverage_event e on e.id = l.event_id where l.id = t.leg_id) o
where (t.account_id, t.counterparty_id, t.market_id, t.lap_id) <> (o.account_id, o.counterparty_id, o.market_id, o.lap_id)
union all
-- 6: no counterparty is bankrupted or made liquidatable by a leg
select 6, 'leg ' || id, format('takes %s from an equity of %s to %s, with maintenance from %s to %s', account_id, trim_scale(equity_before),
    trim_scale(equity_after), trim_scale(maintenance_before), trim_scale(maintenance_after))
from deleverage_leg
where (equity_before >= 0 and equity_after < 0)
   or (equity_before >= maintenance_before and equity_after < maintenance_after)
   or (stage = 'CLOSE_AT_MARK' and equity_after <> equity_before)
   or (stage = 'DELEVERAGE' and (equity_before is null or equity_after is null))
union all
-- 8: the legs at the price are one cumulative rounding of it, from the bankrupt's side; those at mark, of the mark
select 8, 'leg ' || id, format('is worth %s where the price gives %s', trim_scale(value), trim_scale(expected))
from (
  select l.id, l.value, case l.stage
      when 'CLOSE_AT_MARK' then l.mark_value
      else ceil_fraction(e.price_value * (sum(l.size_closed) over w - l.size_closed), abs(e.size_before))
        - ceil_fraction(e.price_value * sum(l.size_closed) over w, abs(e.size_before))
    end as expected
  from deleverage_leg l join deleverage_event e on e.id = l.event_id
  window w as (partition by l.event_id, l.stage order by l.ordinal)) legs
where value <> expected
union all
select 8, 'leg ' || l.id, format('its value at mark is told as %s', trim_scale(l.mark_value))
from deleverage_leg l join deleverage_event e on e.id = l.event_id join market m on m.id = e.market_id
where l.mark_value <> value_at(m.payoff, m.contract_size, m.size_step, sign(l.size_before) * l.size_closed, e.mark)
union all
-- 3: the fund pays first, as much as it may, and only what it left is asked of counterparties
select 3, 'event ' || e.id, format('deficit %s, the fund might pay %s and paid %s, and the legs were priced at %s', trim_scale(e.deficit),
    trim_scale(e.fund_may_pay), trim_scale(e.fund_paid), trim_scale(e.price_value))
from deleverage_event e
where e.deficit <> greatest(0, e.bankruptcy_value - e.mark_value)
   or e.fund_paid <> least(e.deficit, e.fund_may_pay)
   or not e.clamped and e.price_value <> case e.price_basis when 'MARK' then e.mark_value else e.bankruptcy_value - e.fund_paid end
union all
-- 14: one price snapshot a lap, and only live markets are acted in
select 14, format('%s %s', told.kind, told.id), format('was decided at a mark of %s, lap %s froze %s', trim_scale(told.mark), told.lap_id, trim_scale(p.price))
from (
  select 'liquidation' as kind, id, lap_id, market_id, mark from liquidation
  union all select 'event', id, lap_id, market_id, mark from deleverage_event) told
left join lap_price p on p.lap_id = told.lap_id and p.market_id = told.market_id
where p.price is distinct from told.mark or not p.live;

create view ranking_violations as
-- 9: a ranking is a total order: score, then id; each entry knows what stands before it
select 9 as invariant, 'ranking ' || id as subject, format('rank %s of %s is out of order', rank, account_id) as detail
from (
  select r.id, r.queue_size, e.*, row_number() over w as expected, sum(e.size) over w - e.size as ahead
  from ranking r join ranking_entry e on e.ranking_id = r.id
  window w as (partition by r.id order by e.score desc nulls last, e.account_id rows unbounded preceding)) entries
where rank <> expected or size_ahead <> ahead or level <> 5 - div(5 * ahead, queue_size)
union all
select 9, 'ranking ' || r.id, format('tells %s entries of %s contracts, has %s of %s', r.queue_length, trim_scale(r.queue_size), e.number, trim_scale(e.size))
from ranking r
cross join lateral (select count(*) as number, coalesce(sum(size), 0) as size from ranking_entry where ranking_id = r.id) e
where r.queue_length <> e.number or r.queue_size <> e.size
union all
-- 10: a leg tells the rank that its account had
select 10, 'leg ' || l.id, format('tells rank %s of %s for %s, the ranking says %s of %s', l.rank, l.queue_length, l.account_id, e.rank, r.queue_length)
from deleverage_leg l
join deleverage_event d on d.id = l.event_id join ranking r on r.id = d.ranking_id
left join ranking_entry e on e.ranking_id = r.id and e.account_id = l.account_id
where (l.stage = 'DELEVERAGE' and e.rank is null)
   or (l.rank, l.score, l.size_ahead) is distinct from (e.rank, e.score, e.size_ahead)
   or (l.rank is not null and l.queue_length is distinct from r.queue_length)
union all
-- 16: under QUEUE, whoever stands before the last touched one was taken whole, or it is told why not
select 16, format('event %s, rank %s', d.id, e.rank), format('%s stood before rank %s and was neither taken whole nor skipped', e.account_id, touched.last)
from deleverage_event d
join policy_version p on p.market_id = d.market_id and p.version = d.policy_version and p.allocation = 'QUEUE'
cross join lateral (select max(rank) as last from deleverage_leg where event_id = d.id and stage = 'DELEVERAGE') touched
join ranking_entry e on e.ranking_id = d.ranking_id and e.rank < touched.last
where not exists (select from deleverage_skip s where s.event_id = d.id and s.account_id = e.account_id)
  -- gone: by a leg of this or an earlier event of the lap, by its own liquidation, by its own deleveraging
  and not exists (
    select from position_change c
    where c.account_id = e.account_id and c.market_id = d.market_id and c.size_after = 0
      and (c.cause = 'DELEVERAGE' and c.cause_id <= d.id and c.cause_id in (select id from deleverage_event where lap_id = d.lap_id)
        or c.cause = 'LIQUIDATION' and c.cause_id in (select id from liquidation where lap_id = d.lap_id)));

create view invariant_violations as
select * from position_violations
union all select * from money_violations
union all select * from forced_close_violations
union all select * from ranking_violations;
