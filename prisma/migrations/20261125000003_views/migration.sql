-- The same figures as the service's, made from facts and parameters alone, in numeric, by nothing that the service
-- runs: an inspector who trusts this file and the tables need not trust the service.
-- `offset 0` keeps a computed column computed once: without it the planner copies the expression to each use.

-- ── arithmetic ──────────────────────────────────────────────────────────────────────────────────────────────

-- The one rounding: n ÷ d toward zero to 18 places, by one exact integer division. `/` would round first.
create function truncated_fraction(n numeric, d numeric) returns numeric
language sql immutable parallel safe as $$ select div(n * 1e18, d) * 1e-18 $$;

-- Toward −∞: one grid step below the truncated fraction where that is not exact and the fraction is negative.
create function floor_fraction(n numeric, d numeric) returns numeric
language sql immutable parallel safe as $$
  select truncated_fraction(n, d) - case when (n < 0) <> (d < 0) and mod(n * 1e18, d) <> 0 then 1e-18 else 0 end
$$;

create function ceil_fraction(n numeric, d numeric) returns numeric
language sql immutable parallel safe as $$ select -floor_fraction(-n, d) $$;

-- A ratio to show or rank by: within ±10^18; over 0 the limit of its sign, 0 over 0 is 0.
create function clamped_ratio(n numeric, d numeric) returns numeric
language sql immutable parallel safe as $$
  select case when n = 0 then 0 when d = 0 then sign(n) * 1e18 else greatest(-1e18, least(1e18, truncated_fraction(n, d))) end
$$;

-- Of a signed size at a price, in the settlement asset. INVERSE: so many steps, each worth one truncated fraction.
create function value_at(payoff text, contract_size numeric, size_step numeric, size numeric, price numeric) returns numeric
language sql immutable parallel safe as $$
  select case payoff
    when 'LINEAR' then size * contract_size * price
    when 'INVERSE' then -div(size, size_step) * truncated_fraction(size_step * contract_size, price)
  end
$$;

-- For display: the price at which the size has that value; null when there is no positive one.
create function price_of(payoff text, contract_size numeric, size numeric, value numeric) returns numeric
language sql immutable parallel safe as $$
  select case
    when size = 0 or value = 0 then null
    when payoff = 'LINEAR' then nullif(greatest(truncated_fraction(value, size * contract_size), 0), 0)
    when payoff = 'INVERSE' then nullif(greatest(truncated_fraction(-size * contract_size, value), 0), 0)
  end
$$;

-- The instant that the views speak of. `set backstop.now = '2025-10-10T21:20:00Z'` puts them at another one.
create function backstop_now() returns timestamptz
language sql stable parallel safe as $$
  select coalesce(nullif(current_setting('backstop.now', true), '')::timestamptz, statement_timestamp())
$$;

-- ── parameters in force ─────────────────────────────────────────────────────────────────────────────────────

create view current_venue_parameters as
select * from venue_parameters where version = (select max(version) from venue_parameters);

create view current_policy as
select distinct on (market_id) * from policy_version order by market_id, version desc;

create view current_bracket as
select market_id, version, floor, lead(floor) over w as ceiling, maintenance_rate,
  sum(floor * (maintenance_rate - maintenance_before)) over w as maintenance_deduction,
  initial_rate,
  sum(floor * (initial_rate - initial_before)) over w as initial_deduction
from (
  select b.*, lag(b.maintenance_rate, 1, b.maintenance_rate) over v as maintenance_before,
    lag(b.initial_rate, 1, b.initial_rate) over v as initial_before
  from bracket b
  join (select market_id, max(version) as version from bracket_version group by market_id) newest using (market_id, version)
  window v as (partition by b.market_id order by b.floor)) steps
window w as (partition by market_id order by floor);

create view current_mark as
select m.id as market_id, p.id as price_mark_id, p.external_id, p.price, p.at,
  coalesce(m.status = 'ACTIVE' and backstop_now() - p.at <= m.stale_after_ms * interval '1 millisecond', false) as is_live
from market m
left join lateral (
  select id, external_id, price, at from price_mark
  where market_id = m.id and state in ('ACCEPTED', 'CONFIRMED')
  order by at desc, id desc limit 1) p on true;

-- ── margin ──────────────────────────────────────────────────────────────────────────────────────────────────

create view position_value as
select p.account_id, p.market_id, p.settlement_asset_id as asset_id, p.size, p.cost, k.price as mark, k.is_live,
  trim_scale(v.value) as value, trim_scale(abs(v.value)) as notional, trim_scale(v.value - p.cost) as unrealized_pnl,
  -- requirements round up, each position for itself
  trim_scale(ceil_fraction(abs(v.value) * b.maintenance_rate - b.maintenance_deduction, 1)) as maintenance,
  trim_scale(ceil_fraction(abs(v.value) * b.initial_rate - b.initial_deduction, 1)) as initial
from position p
join market m on m.id = p.market_id
join current_mark k on k.market_id = p.market_id
cross join lateral (select value_at(m.payoff, m.contract_size, m.size_step, p.size, k.price) as value offset 0) v
left join current_bracket b on b.market_id = p.market_id
  and abs(v.value) >= b.floor and (b.ceiling is null or abs(v.value) < b.ceiling);

create view margin_status as
with sums as (
  select account_id, bool_or(value is null) as is_unknown, sum(unrealized_pnl) as unrealized_pnl,
    sum(maintenance) as maintenance, sum(initial) as initial, sum(notional) as notional,
    coalesce(sum(maintenance) filter (where not is_live), 0) as stale_maintenance, bool_or(not is_live) as has_stale,
    max(greatest(abs(value), abs(cost))) as largest
  from position_value group by account_id
), valued as (
  select a.id as account_id, a.trader_id, a.kind, a.mode, a.margin_asset_id as asset_id, coalesce(b.amount, 0) as balance,
    coalesce(s.is_unknown, false) as is_unknown, coalesce(s.has_stale, false) as has_stale,
    coalesce(s.stale_maintenance, 0) as stale_maintenance, coalesce(s.largest, 0) as largest,
    case when s.is_unknown then null else coalesce(b.amount, 0) + coalesce(s.unrealized_pnl, 0) end as equity,
    case when s.is_unknown then null else coalesce(s.maintenance, 0) end as maintenance,
    case when s.is_unknown then null else coalesce(s.initial, 0) end as initial,
    case when s.is_unknown then null else coalesce(s.notional, 0) end as notional
  from account a
  left join balance b on b.account_id = a.id and b.asset_id = a.margin_asset_id
  left join sums s on s.account_id = a.id
), judged as (
  select v.*, p.warning_ratio, p.call_ratio,
    v.kind = 'TRADER' and (v.is_unknown
      -- amounts of numeric(38,18) end at 10^20
      or greatest(abs(v.balance), abs(v.equity), v.largest) >= 1e20
      or v.has_stale and v.stale_maintenance >= p.stale_share * v.maintenance) as held
  from valued v cross join current_venue_parameters p
)
select account_id, trader_id, kind, mode, asset_id, trim_scale(balance) as balance, trim_scale(equity) as equity,
  trim_scale(maintenance) as maintenance, trim_scale(initial) as initial, trim_scale(notional) as notional,
  case when equity > 0 then trim_scale(clamped_ratio(maintenance, equity)) end as margin_ratio,
  case when equity > 0 then trim_scale(clamped_ratio(notional, equity)) end as account_leverage,
  case
    when kind <> 'TRADER' or held then null
    when equity < 0 then 'BANKRUPT'
    when equity < maintenance then 'LIQUIDATABLE'
    when maintenance = 0 then 'HEALTHY'
    when maintenance >= call_ratio * equity then 'MARGIN_CALL'
    when maintenance >= warning_ratio * equity then 'WARNING'
    else 'HEALTHY'
  end as status,
  held
from judged;

create view position_margin as
with weighed as (
  select v.*, s.equity, s.held, s.kind,
    case when s.equity is null then null when s.maintenance > 0 then v.maintenance when s.notional > 0 then v.notional else 1 end as weight_numerator,
    case when s.equity is null then null when s.maintenance > 0 then s.maintenance when s.notional > 0 then s.notional
      else count(*) over (partition by v.account_id) end as weight_denominator
  from position_value v join margin_status s on s.account_id = v.account_id
), shared as (
  -- shares of equity round down, by one rounding that runs over the account's positions in market order
  select w.*, floor_fraction(equity * sum(weight_numerator) over c, weight_denominator) as share_up_to
  from weighed w
  window c as (partition by account_id order by market_id)
), worth as (
  select s.*, value - (share_up_to - lag(share_up_to, 1, 0::numeric) over (partition by account_id order by market_id)) as bankruptcy_value
  from shared s
)
select w.account_id, w.market_id, w.asset_id, case when w.size > 0 then 'LONG' else 'SHORT' end as side, w.kind, w.held,
  trim_scale(w.size) as size, trim_scale(w.cost) as cost,
  trim_scale(price_of(m.payoff, m.contract_size, w.size, w.cost)) as entry_price,
  trim_scale(w.mark) as mark, w.is_live, w.value, w.notional, w.unrealized_pnl, w.maintenance, w.initial,
  w.equity as account_equity, w.weight_numerator, w.weight_denominator,
  trim_scale(w.bankruptcy_value) as bankruptcy_value,
  trim_scale(price_of(m.payoff, m.contract_size, w.size, w.bankruptcy_value)) as bankruptcy_price
from worth w join market m on m.id = w.market_id;

-- ── the queue ───────────────────────────────────────────────────────────────────────────────────────────────

create view adl_queue as
with factors as (
  -- both scores are r · L in profit and r ÷ L in loss; here as two exact fractions, for the product is rounded once
  select p.market_id, p.side, p.account_id, abs(p.size) as size, p.unrealized_pnl, p.cost, p.notional, p.account_equity as equity,
    p.unrealized_pnl as r_n,
    case c.score when 'LEVERAGED_RETURN' then abs(p.cost) when 'ACCOUNT_RETURN' then p.notional end as r_d,
    case c.score when 'LEVERAGED_RETURN' then p.notional * p.weight_denominator when 'ACCOUNT_RETURN' then p.notional end as l_n,
    case c.score when 'LEVERAGED_RETURN' then p.account_equity * p.weight_numerator when 'ACCOUNT_RETURN' then p.account_equity end as l_d
  from position_margin p join current_policy c on c.market_id = p.market_id
  where p.kind = 'TRADER' and not p.held
), scored as (
  select f.*,
    case
      when equity <= 0 then null
      when cost = 0 or notional = 0 or unrealized_pnl = 0 then 0
      when unrealized_pnl > 0 then clamped_ratio(r_n * l_n, r_d * l_d)
      else clamped_ratio(r_n * l_d, r_d * l_n)
    end as score,
    clamped_ratio(r_n, r_d) as profit_ratio,
    case when equity > 0 then clamped_ratio(l_n, l_d) end as leverage
  from factors f
), ranked as (
  select s.*, row_number() over w as rank, sum(size) over w - size as size_ahead,
    count(*) over (partition by market_id, side) as queue_length, sum(size) over (partition by market_id, side) as queue_size
  from scored s
  window w as (partition by market_id, side order by score desc nulls last, account_id rows unbounded preceding)
)
select market_id, side, rank, account_id, size, trim_scale(size_ahead) as size_ahead,
  (5 - div(5 * size_ahead, queue_size))::smallint as level,
  trim_scale(score) as score, trim_scale(profit_ratio) as profit_ratio, trim_scale(leverage) as leverage,
  trim_scale(truncated_fraction(size_ahead + size, queue_size)) as percentile,
  queue_length, trim_scale(queue_size) as queue_size
from ranked;

create view open_interest as
select m.id as market_id, m.settlement_asset_id as asset_id, trim_scale(k.price) as mark, k.is_live,
  count(*) filter (where p.size > 0) as longs, count(*) filter (where p.size < 0) as shorts,
  trim_scale(coalesce(sum(p.size) filter (where p.size > 0), 0)) as long_size,
  trim_scale(coalesce(-sum(p.size) filter (where p.size < 0), 0)) as short_size,
  trim_scale(abs(value_at(m.payoff, m.contract_size, m.size_step, coalesce(sum(p.size) filter (where p.size > 0), 0), k.price))) as long_notional
from market m
join current_mark k on k.market_id = m.id
left join position p on p.market_id = m.id
group by m.id, k.price, k.is_live;

-- ── what happened ───────────────────────────────────────────────────────────────────────────────────────────

create view insurance_fund_ledger as
select f.account_id as fund_id, f.name, e.asset_id, e.sequence, e.at, e.kind, trim_scale(e.amount) as amount,
  trim_scale(e.balance_after) as balance_after, e.market_id,
  coalesce(l.account_id, d.account_id, c.account_id) as account_id, e.cause, e.cause_id, t.external_id as transfer_id, e.lap_id
from insurance_fund f
join ledger_entry e on e.account_id = f.account_id
left join liquidation l on e.cause = 'LIQUIDATION' and l.id = e.cause_id
left join deleverage_event d on e.cause = 'DELEVERAGE' and d.id = e.cause_id
left join deficit_cover c on e.cause = 'COVER' and c.id = e.cause_id
left join transfer t on e.cause = 'TRANSFER' and t.id = e.cause_id;

create view deleverage_history as
select e.id as event_id, e.at, e.lap_id, e.market_id, e.account_id as bankrupt_id, e.side,
  l.id as leg_id, l.ordinal, l.stage, l.account_id as counterparty_id,
  l.rank, l.queue_length, trim_scale(l.size_ahead) as size_ahead, q.score_name, trim_scale(l.score) as score,
  trim_scale(l.profit_ratio) as profit_ratio, trim_scale(l.leverage) as leverage, l.level_shown, l.level_shown_at,
  trim_scale(l.size_before) as size_before, trim_scale(l.size_closed) as size_closed, trim_scale(l.size_after) as size_after,
  trim_scale(l.entry_price_before) as entry_price, trim_scale(e.mark) as mark, trim_scale(l.price) as price,
  trim_scale(e.bankruptcy_price) as bankruptcy_price,
  trim_scale(l.value) as value, trim_scale(l.mark_value) as mark_value, trim_scale(l.concession) as concession,
  trim_scale(l.realized_pnl) as realized_pnl,
  trim_scale(l.equity_before) as equity_before, trim_scale(l.equity_after) as equity_after,
  e.trigger_metric, trim_scale(e.deficit) as deficit, trim_scale(e.fund_balance_before) as fund_balance_before,
  trim_scale(e.fund_may_pay) as fund_may_pay, trim_scale(e.fund_paid) as fund_paid, p.allocation, e.price_basis, e.clamped,
  format('%s was bankrupt with an equity of %s and %s contracts left in %s. At the mark of %s they were %s short of their '
      'bankruptcy value; the fund held %s, might pay %s and paid %s. ',
    e.account_id, trim_scale(e.equity_before), trim_scale(abs(e.size_before)), e.market_id, trim_scale(e.mark), trim_scale(e.deficit),
    trim_scale(e.fund_balance_before), trim_scale(e.fund_may_pay), trim_scale(e.fund_paid))
  || case l.stage
    when 'DELEVERAGE' then format('%s stood at rank %s of %s and closed %s contracts at %s.',
      l.account_id, l.rank, l.queue_length, trim_scale(l.size_closed), coalesce(trim_scale(l.price)::text, 'no positive price'))
    else format('No counterparty might take the last %s contracts at the price; %s closed %s of them at the mark.',
      trim_scale(e.size_closed_at_mark), l.account_id, trim_scale(l.size_closed))
  end as why
from deleverage_event e
join deleverage_leg l on l.event_id = e.id
join ranking q on q.id = e.ranking_id
join policy_version p on p.market_id = e.market_id and p.version = e.policy_version;

create view feed_anomalies as
with halts as (
  select market_id, at as from_at,
    lead(at) over (partition by market_id order by at, id) as until_at, to_status
  from market_status_change
), growing as (
  select t.external_id, t.market_id, t.at, c.account_id, c.size_after, c.size_after - c.size_change as size_before
  from trade t join position_change c on c.cause = 'TRADE' and c.cause_id = t.id
  where abs(c.size_after) > abs(c.size_after - c.size_change) or sign(c.size_after) * sign(c.size_after - c.size_change) < 0
)
select 'TRADE_AFTER_HALT' as kind, t.market_id, null::exchange_id as account_id, t.external_id, t.at,
  format('%s contracts between %s and %s, while the market was HALTED since %s', trim_scale(t.size), t.buyer_id, t.seller_id, h.from_at) as detail
from trade t join halts h on h.market_id = t.market_id and h.to_status = 'HALTED'
  and t.at >= h.from_at and (h.until_at is null or t.at < h.until_at)
union all
select 'TRADE_GREW_REDUCE_ONLY', g.market_id, g.account_id, g.external_id, g.at,
  format('from %s to %s contracts, though margin call %s lapsed at %s and the account was REDUCE_ONLY', trim_scale(g.size_before),
    trim_scale(g.size_after), c.id, c.ended_at)
from growing g join margin_call c on c.account_id = g.account_id and c.status = 'LAPSED' and c.on_lapse = 'REDUCE_ONLY'
  and g.at >= c.ended_at and (c.released_at is null or g.at < c.released_at)
union all
select 'LATE_PRICE', market_id, null, external_id, at,
  format('%s of %s came at %s, after a newer price: stored, never the mark', trim_scale(price), at, received_at)
from price_mark where state = 'LATE'
union all
select 'AHEAD_PRICE', market_id, null, external_id, at,
  format('%s of %s came at %s, long before its time: stored, never the mark', trim_scale(price), at, received_at)
from price_mark where state = 'AHEAD';
