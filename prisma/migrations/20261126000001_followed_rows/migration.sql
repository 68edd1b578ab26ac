-- Whoever follows the accounts finds what changed by the mark of the account that a row belongs to. A row that left its
-- account, a table that was emptied as a whole and an account that is gone would leave nothing to be found by.

create function refuse_move() returns trigger language plpgsql as $$
begin
  raise exception 'A row of % stays with its account and its %: remove it there and add it here.', tg_table_name,
    case tg_table_name when 'position' then 'market' else 'asset' end
    using errcode = 'object_not_in_prerequisite_state', table = tg_table_name;
end $$;
create trigger position_stays before update of account_id, market_id on position for each row
  when ((old.account_id, old.market_id) is distinct from (new.account_id, new.market_id)) execute function refuse_move();
create trigger balance_stays before update of account_id, asset_id on balance for each row
  when ((old.account_id, old.asset_id) is distinct from (new.account_id, new.asset_id)) execute function refuse_move();

create function refuse_truncation() returns trigger language plpgsql as $$
begin
  raise exception '% is never emptied as a whole: its rows are removed, one account after the other.', tg_table_name
    using errcode = 'object_not_in_prerequisite_state', table = tg_table_name;
end $$;
create trigger position_not_truncated before truncate on position for each statement execute function refuse_truncation();

create function refuse_account_removal() returns trigger language plpgsql as $$
begin
  raise exception 'An account is never removed, even one that never held anything.'
    using errcode = 'object_not_in_prerequisite_state', table = tg_table_name;
end $$;
create trigger account_kept before delete or truncate on account for each statement execute function refuse_account_removal();
