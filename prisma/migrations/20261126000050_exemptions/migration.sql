-- Exemptions from auto-deleveraging. A grant and its end are history; whether an account is exempt now is one flag in its own row,
-- which everything reads: the book, the lap and the views. What ends by time is ended by the first lap at or after that time, as
-- a row like any other, so that nobody judges a clock by himself.

alter table change drop constraint change_kind_check, drop constraint change_target_type_check;
alter table change
  add constraint change_kind_check check (kind in ('BRACKETS_CHANGE', 'POLICY_CHANGE', 'FUND_WITHDRAWAL', 'MARKET_RESUME', 'ENGINE_START',
    'EXEMPTION_GRANT', 'EXEMPTION_END')),
  add constraint change_target_type_check check (target_type in ('Market', 'InsuranceFund', 'Job', 'Account'));

alter table deleverage_skip drop constraint deleverage_skip_reason_check;
alter table deleverage_skip add constraint deleverage_skip_reason_check
  check (reason in ('NON_OVERLAPPING_BANKRUPTCY', 'WOULD_BREACH_MARGIN', 'EXEMPT', 'HELD'));

alter table account add column exempt boolean not null default false;

-- The change is there from the commit on: a proposal is tried, and taken back, before it has a number.
create table exemption (
  account_id exchange_id not null references account (id),
  version integer not null check (version > 0),
  until timestamptz,
  changed_by text not null,
  reason text not null,
  change_id bigint not null references change (id) deferrable initially deferred,
  first_lap bigint not null check (first_lap > 0),
  granted_at timestamptz not null default clock_timestamp(),
  primary key (account_id, version),
  check (until > granted_at)
);

create table exemption_end (
  account_id exchange_id not null,
  version integer not null,
  cause text not null check (cause in ('CHANGE', 'EXPIRED')),
  changed_by text,
  reason text,
  change_id bigint references change (id) deferrable initially deferred,
  lap_id bigint references lap (id),
  last_lap bigint not null check (last_lap >= 0),
  ended_at timestamptz not null default clock_timestamp(),
  primary key (account_id, version),
  foreign key (account_id, version) references exemption (account_id, version),
  check ((cause = 'CHANGE') = (change_id is not null) and (cause = 'CHANGE') = (changed_by is not null)
    and (cause = 'CHANGE') = (reason is not null)),
  check ((cause = 'EXPIRED') = (lap_id is not null) and (lap_id is null or last_lap = lap_id - 1))
);

-- ── guards ──────────────────────────────────────────────────────────────────────────────────────────────────────

create trigger exemption_append_only before update or delete or truncate on exemption
  for each statement execute function refuse_change();
create trigger exemption_end_append_only before update or delete or truncate on exemption_end
  for each statement execute function refuse_change();

-- The flag follows the history. The row of the account is locked and marked by this: followers see it, and a lap that saw
-- it otherwise and wants the account fails to serialize.
create function follow_exemption() returns trigger language plpgsql as $$
begin
  update account set exempt = tg_table_name = 'exemption'
  where id = new.account_id and kind = 'TRADER' and exempt = (tg_table_name = 'exemption_end');
  if found then return null; end if;
  raise exception 'Account % is no trader''s, or it is % already.', new.account_id,
    case tg_table_name when 'exemption' then 'exempt' else 'not exempt' end
    using errcode = 'check_violation', table = tg_table_name;
end $$;
create trigger exemption_followed after insert on exemption for each row execute function follow_exemption();
create trigger exemption_end_followed after insert on exemption_end for each row execute function follow_exemption();

create function guard_exempt() returns trigger language plpgsql as $$
begin
  if new.exempt = exists (
    select from exemption e where e.account_id = new.id
      and not exists (select from exemption_end d where d.account_id = e.account_id and d.version = e.version)) then
    return new;
  end if;
  raise exception 'Account %: whether it is exempt follows from exemption and exemption_end.', new.id
    using errcode = 'object_not_in_prerequisite_state', table = tg_table_name;
end $$;
create trigger account_exempt_by_history before update on account for each row
  when (old.exempt is distinct from new.exempt) execute function guard_exempt();
create trigger account_not_born_exempt before insert on account for each row
  when (new.exempt) execute function guard_exempt();

-- Whoever writes: two persons. Looked at at the commit, when the decision is there.
create function require_approval() returns trigger language plpgsql as $$
begin
  if exists (
    select from change c join change_decision d on d.change_id = c.id and d.decision = 'APPROVE'
    where c.id = new.change_id and c.target_type = 'Account' and c.target_id = new.account_id
      and c.kind = case tg_table_name when 'exemption' then 'EXEMPTION_GRANT' else 'EXEMPTION_END' end
      and c.payload ->> 'version' = new.version::text) then
    return null;
  end if;
  raise exception 'Change % does not allow this of account %, or nobody approved it.', new.change_id, new.account_id
    using errcode = 'check_violation', table = tg_table_name;
end $$;
create constraint trigger exemption_approved after insert on exemption
  deferrable initially deferred for each row execute function require_approval();
create constraint trigger exemption_end_approved after insert on exemption_end
  deferrable initially deferred for each row when (new.cause = 'CHANGE') execute function require_approval();

-- ── views ───────────────────────────────────────────────────────────────────────────────────────────────────────

create view exemption_status as
select e.account_id, e.version, e.reason, e.changed_by, e.change_id, e.granted_at, e.until, e.first_lap,
  d.cause as end_cause, d.ended_at, d.changed_by as ended_by, d.reason as end_reason, d.change_id as end_change_id, d.last_lap
from exemption e left join exemption_end d using (account_id, version);

create or replace view margin_status as
with sums as (
  select account_id, bool_or(value is null) as is_unknown, sum(unrealized_pnl) as unrealized_pnl,
    sum(maintenance) as maintenance, sum(initial) as initial, sum(notional) as notional,
    coalesce(sum(maintenance) filter (where not is_live), 0) as stale_maintenance, bool_or(not is_live) as has_stale,
    max(greatest(abs(value), abs(cost))) as largest
  from position_value group by account_id
), valued as (
  select a.id as account_id, a.trader_id, a.kind, a.mode, a.exempt, a.margin_asset_id as asset_id, coalesce(b.amount, 0) as balance,
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
  held, exempt
from judged;

create or replace view position_margin as
with weighed as (
  select v.*, s.equity, s.held, s.kind, s.exempt,
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
  trim_scale(price_of(m.payoff, m.contract_size, w.size, w.bankruptcy_value)) as bankruptcy_price,
  w.exempt
from worth w join market m on m.id = w.market_id;

create or replace view adl_queue as
with factors as (
  -- both scores are r · L in profit and r ÷ L in loss; here as two exact fractions, for the product is rounded once
  select p.market_id, p.side, p.account_id, abs(p.size) as size, p.unrealized_pnl, p.cost, p.notional, p.account_equity as equity,
    p.unrealized_pnl as r_n,
    case c.score when 'LEVERAGED_RETURN' then abs(p.cost) when 'ACCOUNT_RETURN' then p.notional end as r_d,
    case c.score when 'LEVERAGED_RETURN' then p.notional * p.weight_denominator when 'ACCOUNT_RETURN' then p.notional end as l_n,
    case c.score when 'LEVERAGED_RETURN' then p.account_equity * p.weight_numerator when 'ACCOUNT_RETURN' then p.account_equity end as l_d
  from position_margin p join current_policy c on c.market_id = p.market_id
  where p.kind = 'TRADER' and not p.exempt and not p.held
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

create view exemption_violations as
-- 12: the flag is what the history comes to
select 12 as invariant, 'account ' || a.id as subject,
  format('its exempt is %s, its history says %s', a.exempt, h.exempt) as detail
from account a
cross join lateral (
  select exists (select from exemption_status e where e.account_id = a.id and e.ended_at is null) as exempt) h
where a.exempt <> h.exempt
union all
-- 16: nobody who was exempt in the lap had a rank, or closed at the price
select 16, 'ranking ' || r.id, format('%s has rank %s, though it was exempt in lap %s', n.account_id, n.rank, r.lap_id)
from exemption_status e
join ranking_entry n on n.account_id = e.account_id
join ranking r on r.id = n.ranking_id and r.lap_id >= e.first_lap and r.lap_id <= coalesce(e.last_lap, r.lap_id)
union all
select 16, 'leg ' || l.id, format('%s closed at the price, though it was exempt in lap %s', l.account_id, d.lap_id)
from exemption_status e
join deleverage_leg l on l.account_id = e.account_id and l.stage = 'DELEVERAGE'
join deleverage_event d on d.id = l.event_id and d.lap_id >= e.first_lap and d.lap_id <= coalesce(e.last_lap, d.lap_id);

create or replace view invariant_violations as
select * from position_violations
union all select * from money_violations
union all select * from forced_close_violations
union all select * from ranking_violations
union all select * from exemption_violations;

-- ── comments ────────────────────────────────────────────────────────────────────────────────────────────────────

comment on column account.exempt is 'True: exempt from auto-deleveraging, never a counterparty but at the mark and as a last resort. Follows from exemption and exemption_end. Always false of a liquidity provider or fund, which are never candidates.';
comment on table exemption is 'Exemptions from auto-deleveraging that were granted, each by two persons.';
comment on column exemption.account_id is 'The account, a trader''s.';
comment on column exemption.version is 'Counts up from 1 within the account.';
comment on column exemption.until is 'The first lap at or after this instant ends it. Null: it stands until it is ended.';
comment on column exemption.changed_by is 'Who proposed it.';
comment on column exemption.reason is 'Why, in the words of whoever proposed it.';
comment on column exemption.change_id is 'The change that granted it: who proposed and who approved.';
comment on column exemption.first_lap is 'Number of the first lap that could see it.';
comment on column exemption.granted_at is 'When it came into force, by the clock of the database.';
comment on table exemption_end is 'How exemptions ended. Without a row an exemption stands.';
comment on column exemption_end.account_id is 'The account.';
comment on column exemption_end.version is 'Which of its exemptions.';
comment on column exemption_end.cause is 'CHANGE: by two persons. EXPIRED: by the first lap at or after its time.';
comment on column exemption_end.changed_by is 'Who proposed the end. Null: it expired.';
comment on column exemption_end.reason is 'Why, in the words of whoever proposed the end. Null: it expired.';
comment on column exemption_end.change_id is 'The change that ended it. Null: it expired.';
comment on column exemption_end.lap_id is 'The lap that ended it, and in which it no longer counted. Null: a change did.';
comment on column exemption_end.last_lap is 'Number of the last lap in which it counted, if there was one since it was granted.';
comment on column exemption_end.ended_at is 'When: by the clock of the database, or the time of the lap that ended it.';
comment on view exemption_status is 'Every exemption from auto-deleveraging with how it ended.';
comment on column exemption_status.account_id is 'The account.';
comment on column exemption_status.version is 'Counts up from 1 within the account.';
comment on column exemption_status.reason is 'Why it was granted.';
comment on column exemption_status.changed_by is 'Who proposed it.';
comment on column exemption_status.change_id is 'The change that granted it.';
comment on column exemption_status.granted_at is 'When it came into force.';
comment on column exemption_status.until is 'The first lap at or after this instant ends it. Null: it stands until it is ended.';
comment on column exemption_status.first_lap is 'Number of the first lap that could see it.';
comment on column exemption_status.end_cause is 'CHANGE or EXPIRED. Null: it stands.';
comment on column exemption_status.ended_at is 'When it ended. Null: it stands.';
comment on column exemption_status.ended_by is 'Who proposed its end. Null: it stands, or it expired.';
comment on column exemption_status.end_reason is 'Why it was ended. Null: it stands, or it expired.';
comment on column exemption_status.end_change_id is 'The change that ended it. Null: it stands, or it expired.';
comment on column exemption_status.last_lap is 'Number of the last lap in which it counted. Null: it stands.';
comment on column margin_status.exempt is 'True: exempt from auto-deleveraging.';
comment on column position_margin.exempt is 'True: its account is exempt from auto-deleveraging.';
comment on view adl_queue is 'Who is next to be deleveraged in each market and side, at the current marks. Candidates only: TRADER accounts that are neither exempt nor HELD. Reads facts and parameters only.';
comment on view exemption_violations is 'Invariants of exemptions that do not hold. Empty = good.';
comment on column exemption_violations.invariant is 'Number of the invariant, as docs/sql.md lists them.';
comment on column exemption_violations.subject is 'What it is about.';
comment on column exemption_violations.detail is 'What is wrong, with the figures.';
comment on table deleverage_skip is 'Who stood before the last counterparty of an event and was passed over, and all EXEMPT and HELD accounts of that side.';
comment on column deleverage_skip.reason is 'NON_OVERLAPPING_BANKRUPTCY (the leg would have left its equity below 0); WOULD_BREACH_MARGIN; EXEMPT; HELD.';
comment on column change.kind is 'BRACKETS_CHANGE, POLICY_CHANGE, FUND_WITHDRAWAL, MARKET_RESUME, ENGINE_START, EXEMPTION_GRANT or EXEMPTION_END.';
comment on column change.target_type is 'What is changed: Market, InsuranceFund, Job or Account.';
comment on column change_status.kind is 'BRACKETS_CHANGE, POLICY_CHANGE, FUND_WITHDRAWAL, MARKET_RESUME, ENGINE_START, EXEMPTION_GRANT or EXEMPTION_END.';
comment on column change_status.target_type is 'What is changed: Market, InsuranceFund, Job or Account.';
comment on function follow_exemption() is 'Keeps account.exempt at what the history comes to.';
comment on function guard_exempt() is 'Refuses another account.exempt than the history comes to.';
comment on function require_approval() is 'Refuses an exemption, or its end, that no approved change allows.';
