-- What plain constraints cannot refuse: changes of history, gaps in the ledger, unsound depth and brackets.
-- A guard speaks in a sentence. State 55000: the row is of a kind that does not change; 23514: the figures are wrong.

-- ── history is only added to ────────────────────────────────────────────────────────────────────────────────

create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception '% is history: rows are added, never changed or removed (% refused).', tg_table_name, lower(tg_op)
    using errcode = 'object_not_in_prerequisite_state', table = tg_table_name;
end $$;

create function refuse_removal() returns trigger language plpgsql as $$
begin
  raise exception '% is history: rows are never removed (% refused).', tg_table_name, lower(tg_op)
    using errcode = 'object_not_in_prerequisite_state', table = tg_table_name;
end $$;

do $$
declare
  name text;
begin
  foreach name in array array[
    'venue_parameters', 'bracket_version', 'bracket', 'policy_version',
    'depth_snapshot', 'trade', 'transfer', 'funding', 'funding_payment', 'opening_position',
    'job_run', 'lap', 'lap_price', 'market_status_change', 'margin_status_transition', 'margin_call_extension',
    'liquidation', 'liquidation_fill', 'ranking', 'ranking_entry', 'deleverage_event', 'deleverage_leg',
    'deleverage_skip', 'deficit_cover', 'forced_trade', 'position_change', 'ledger_entry']
  loop
    execute format('create trigger %I before update or delete or truncate on %I for each statement execute function refuse_change()',
      name || '_append_only', name);
  end loop;
  foreach name in array array['price_mark', 'margin_call'] loop
    execute format('create trigger %I before delete or truncate on %I for each statement execute function refuse_removal()',
      name || '_kept', name);
  end loop;
end $$;

-- A suspect price may be confirmed, once. What was received stays as it was received.
create function guard_price_mark() returns trigger language plpgsql as $$
begin
  if old.state = 'SUSPECT' and new.state = 'CONFIRMED' then
    old.state := new.state;
    old.confirmed_by := new.confirmed_by;
    old.confirmed_at := new.confirmed_at;
    if new is not distinct from old then return new; end if;
  end if;
  raise exception 'Price % of % may only go from SUSPECT to CONFIRMED, and nothing else of it may change.', old.external_id, old.market_id
    using errcode = 'object_not_in_prerequisite_state', table = tg_table_name;
end $$;
create trigger price_mark_confirmed_once before update on price_mark for each row execute function guard_price_mark();

-- A call ends once and is released once; its deadline only moves later, while it is open. Its facts stay.
create function guard_margin_call() returns trigger language plpgsql as $$
declare
  kept margin_call := old;
begin
  if old.status = 'OPEN' then
    kept.status := new.status;
    kept.lapse_reason := new.lapse_reason;
    kept.ended_at := new.ended_at;
    kept.ended_lap_id := new.ended_lap_id;
    if new.deadline > old.deadline then kept.deadline := new.deadline; end if;
  end if;
  if old.released_at is null then kept.released_at := new.released_at; end if;
  if new is not distinct from kept then return new; end if;
  raise exception 'Margin call % of %: it ends once, is released once, and its deadline only moves later while it is OPEN; nothing else of it may change.', old.id, old.account_id
    using errcode = 'object_not_in_prerequisite_state', table = tg_table_name;
end $$;
create trigger margin_call_moves_forward before update on margin_call for each row execute function guard_margin_call();

-- ── the contract of a market, the identity of an account ────────────────────────────────────────────────────

-- Sizes, costs and values already stored were computed with them.
create function guard_market() returns trigger language plpgsql as $$
begin
  if (new.id, new.payoff, new.settlement_asset_id, new.contract_size, new.price_tick, new.size_step)
     is distinct from (old.id, old.payoff, old.settlement_asset_id, old.contract_size, old.price_tick, old.size_step) then
    raise exception 'Market %: payoff, settlement asset, contract size, price tick and size step are fixed when it is created.', old.id
      using errcode = 'object_not_in_prerequisite_state', table = tg_table_name;
  end if;
  return new;
end $$;
create trigger market_contract_fixed before update on market for each row execute function guard_market();

create function guard_account() returns trigger language plpgsql as $$
begin
  if (new.id, new.trader_id, new.kind, new.mode, new.margin_asset_id)
     is distinct from (old.id, old.trader_id, old.kind, old.mode, old.margin_asset_id) then
    raise exception 'Account %: owner, kind, mode and margin asset are fixed when it is created.', old.id
      using errcode = 'object_not_in_prerequisite_state', table = tg_table_name;
  end if;
  return new;
end $$;
create trigger account_identity_fixed before update on account for each row
  when (old is distinct from new) execute function guard_account();

-- Whatever writes an account, its balance or its positions marks the account with its transaction, a write past the
-- service too: whoever follows the accounts by this mark misses nothing.
create function mark_account() returns trigger language plpgsql as $$
begin
  new.changed_in := pg_current_xact_id();
  return new;
end $$;
create trigger account_marked before update on account for each row execute function mark_account();

-- One at a time, and seldom any: who locked the accounts has marked them. The plan of a session is made once, from tables
-- that may have been small then; a lookup by key stays right when they have grown.
create function mark_accounts_of_rows() returns trigger language plpgsql as $$
declare
  unmarked record;
begin
  for unmarked in
    select t.account_id from (select distinct account_id from touched) t
    where (select a.changed_in from account a where a.id = t.account_id) <> pg_current_xact_id()
    order by t.account_id
  loop
    update account set changed_in = pg_current_xact_id() where id = unmarked.account_id;
  end loop;
  return null;
end $$;
do $$
declare
  name text;
begin
  foreach name in array array['balance', 'position'] loop
    execute format('create trigger %I after insert on %I referencing new table as touched for each statement execute function mark_accounts_of_rows()',
      name || '_insert_marks_account', name);
    execute format('create trigger %I after update on %I referencing new table as touched for each statement execute function mark_accounts_of_rows()',
      name || '_update_marks_account', name);
    execute format('create trigger %I after delete on %I referencing old table as touched for each statement execute function mark_accounts_of_rows()',
      name || '_delete_marks_account', name);
  end loop;
end $$;

-- ── the ledger ──────────────────────────────────────────────────────────────────────────────────────────────

-- Once a statement, over its new rows: each entry goes on where the one before it ended. Here and below `lateral` and
-- the subqueries keep the plans to lookups by key too.
create function guard_ledger_continuity() returns trigger language plpgsql as $$
declare
  broken record;
begin
  select a.account_id, a.asset_id, a.sequence, a.amount, a.balance_after, p.balance_after as balance_before into broken
  from added a
  left join lateral (
    select e.balance_after from ledger_entry e
    where a.sequence > 1 and e.account_id = a.account_id and e.asset_id = a.asset_id and e.sequence = a.sequence - 1
    limit 1) p on true
  where (p.balance_after is null and a.sequence <> 1) or a.balance_after <> coalesce(p.balance_after, 0) + a.amount
  limit 1;
  if found then
    raise exception 'Ledger of % in %: entry % of % leaves %, but the entry before it left %.', broken.account_id, broken.asset_id,
      broken.sequence, broken.amount, broken.balance_after, coalesce(broken.balance_before::text, 'nothing')
      using errcode = 'check_violation', table = tg_table_name;
  end if;
  return null;
end $$;
create trigger ledger_entry_continuous after insert on ledger_entry
  referencing new table as added for each statement execute function guard_ledger_continuity();

-- At commit a balance is where its ledger ends, whichever of the two was written. A statement that writes both is judged
-- when it ends, all its rows at once. Rows that are not right then, for want of the other half, are judged at commit:
-- the update below changes nothing and leaves each of them to balance_is_ledger.
create function guard_balance_is_ledger() returns trigger language plpgsql as $$
declare
  stands record;
begin
  select b.amount, b.sequence, coalesce(l.sequence, 0) as last_sequence, coalesce(l.balance_after, 0) as balance_after into stands
  from balance b
  left join lateral (
    select e.sequence, e.balance_after from ledger_entry e
    where e.account_id = b.account_id and e.asset_id = b.asset_id order by e.sequence desc limit 1) l on true
  where b.account_id = new.account_id and b.asset_id = new.asset_id;
  if stands.sequence < stands.last_sequence then
    raise exception 'Ledger of % in %: entry % was added, but the balance was not changed with it.', new.account_id, new.asset_id, stands.last_sequence
      using errcode = 'check_violation', table = 'ledger_entry';
  elsif (stands.amount, stands.sequence) is distinct from (stands.balance_after, stands.last_sequence) then
    raise exception 'Balance of % in % is % after entry %, but its ledger ends with % after entry %.', new.account_id, new.asset_id,
      stands.amount, stands.sequence, stands.balance_after, stands.last_sequence
      using errcode = 'check_violation', table = tg_table_name;
  end if;
  return null;
end $$;
create constraint trigger balance_is_ledger after insert or update on balance
  deferrable initially deferred for each row when (pg_trigger_depth() > 0) execute function guard_balance_is_ledger();

create function judge_balances_at_commit() returns trigger language plpgsql as $$
declare
  waiting record;
begin
  for waiting in
    select c.account_id, c.asset_id
    from changed c
    left join lateral (
      select e.sequence, e.balance_after from ledger_entry e
      where e.account_id = c.account_id and e.asset_id = c.asset_id order by e.sequence desc limit 1) l on true
    where (c.amount, c.sequence) is distinct from (coalesce(l.balance_after, 0), coalesce(l.sequence, 0))
  loop
    update balance set sequence = sequence where account_id = waiting.account_id and asset_id = waiting.asset_id;
  end loop;
  return null;
end $$;
create trigger balance_added after insert on balance
  referencing new table as changed for each statement when (pg_trigger_depth() = 0) execute function judge_balances_at_commit();
create trigger balance_changed after update on balance
  referencing new table as changed for each statement when (pg_trigger_depth() = 0) execute function judge_balances_at_commit();

-- The same from the side of the ledger: a balance that does not reach the entry was not written with it.
create function judge_reached_balances_at_commit() returns trigger language plpgsql as $$
declare
  waiting record;
begin
  for waiting in
    select distinct a.account_id, a.asset_id
    from added a
    where (select b.sequence from balance b where b.account_id = a.account_id and b.asset_id = a.asset_id) < a.sequence
  loop
    update balance set sequence = sequence where account_id = waiting.account_id and asset_id = waiting.asset_id;
  end loop;
  return null;
end $$;
create trigger ledger_entry_reaches_balance after insert on ledger_entry
  referencing new table as added for each statement execute function judge_reached_balances_at_commit();

create function guard_balance_removal() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' and old.sequence = 0 then return old; end if;
  raise exception 'A balance with a ledger is never removed.' using errcode = 'object_not_in_prerequisite_state', table = tg_table_name;
end $$;
create trigger balance_kept before delete on balance for each row execute function guard_balance_removal();
create trigger balance_not_truncated before truncate on balance for each statement execute function guard_balance_removal();

-- ── positions ───────────────────────────────────────────────────────────────────────────────────────────────

create function guard_position_steps() returns trigger language plpgsql as $$
declare
  broken record;
begin
  select c.account_id, c.market_id, c.size, m.size_step into broken
  from changed c join market m on m.id = c.market_id
  where mod(c.size, m.size_step) <> 0
  limit 1;
  if found then
    raise exception 'Position of % in %: size % is no whole multiple of the size step %.', broken.account_id, broken.market_id,
      broken.size, broken.size_step
      using errcode = 'check_violation', table = tg_table_name;
  end if;
  return null;
end $$;
create trigger position_whole_steps_added after insert on position
  referencing new table as changed for each statement execute function guard_position_steps();
create trigger position_whole_steps_changed after update on position
  referencing new table as changed for each statement execute function guard_position_steps();

-- ── depth and brackets ──────────────────────────────────────────────────────────────────────────────────────

-- One side of a book, best first: `direction` +1 for asks, whose prices rise, −1 for bids, whose prices fall.
create function depth_side_is_sound(prices numeric[], sizes numeric[], direction integer) returns boolean
language sql immutable parallel safe as $$
  select coalesce(array_ndims(prices), 1) = 1 and coalesce(array_ndims(sizes), 1) = 1 and not exists (
    select from (
      select price, size, lag(price) over (order by place) as better
      from unnest(prices, sizes) with ordinality as level (price, size, place)) levels
    where price is null or size is null or price = 'NaN' or size = 'NaN' or price <= 0 or size <= 0
       or (price - better) * direction <= 0)
$$;
alter table depth_snapshot
  add constraint depth_snapshot_bids_sound check (depth_side_is_sound(bid_prices, bid_sizes, -1)),
  add constraint depth_snapshot_asks_sound check (depth_side_is_sound(ask_prices, ask_sizes, 1)),
  add constraint depth_snapshot_not_crossed check (coalesce(bid_prices[1] < ask_prices[1], true));

-- At commit, when the whole set is there.
create function guard_bracket_set() returns trigger language plpgsql as $$
declare
  fault text;
begin
  select case
    when count(*) = 0 then 'has no bracket'
    when min(floor) <> 0 then format('begins at %s instead of 0', min(floor))
    when bool_or(falls) then 'has a rate that falls from one bracket to the next'
  end into fault
  from (
    select floor, maintenance_rate < lag(maintenance_rate) over w or initial_rate < lag(initial_rate) over w as falls
    from bracket where market_id = new.market_id and version = new.version
    window w as (order by floor)) steps;
  if fault is not null then
    raise exception 'Bracket version % of % %.', new.version, new.market_id, fault
      using errcode = 'check_violation', table = tg_table_name;
  end if;
  return null;
end $$;
create constraint trigger bracket_version_sound after insert on bracket_version
  deferrable initially deferred for each row execute function guard_bracket_set();
create constraint trigger bracket_sound after insert on bracket
  deferrable initially deferred for each row execute function guard_bracket_set();
