-- The exchange tells what it holds itself, and Backstop says where it holds something else. What was told, what came of the
-- comparison and nothing else is written here: no position and no balance follows from it.

create table reconciliation (
  id bigint generated always as identity primary key,
  external_id exchange_id not null unique,
  as_of timestamptz not null,
  begun_by text not null check (begun_by <> ''),
  begun_at timestamptz not null default clock_timestamp(),
  check (as_of <= begun_at)
);

create table reconciliation_chunk (
  reconciliation_id bigint not null references reconciliation (id),
  number integer not null check (number > 0),
  row_count integer not null check (row_count between 0 and 1000),
  digest text not null check (digest ~ '^[0-9a-f]{64}$'),
  received_at timestamptz not null default clock_timestamp(),
  primary key (reconciliation_id, number)
);

create table reconciliation_row (
  id bigint generated always as identity primary key,
  reconciliation_id bigint not null,
  chunk integer not null,
  account_id exchange_id not null,
  market_id exchange_id,
  asset_id exchange_id,
  amount amount not null,
  received_at timestamptz not null default clock_timestamp(),
  foreign key (reconciliation_id, chunk) references reconciliation_chunk (reconciliation_id, number),
  constraint reconciliation_row_told_once unique nulls not distinct (reconciliation_id, account_id, market_id, asset_id),
  check ((market_id is null) <> (asset_id is null))
);

create table reconciliation_result (
  reconciliation_id bigint primary key references reconciliation (id),
  chunk_count integer not null check (chunk_count > 0),
  row_count integer not null check (row_count >= 0),
  accounts_compared integer not null,
  accounts_differing integer not null check (accounts_differing between 0 and accounts_compared),
  difference_count integer not null check (difference_count >= accounts_differing),
  finished_by text not null check (finished_by <> ''),
  finished_at timestamptz not null default clock_timestamp()
);

create table reconciliation_difference (
  reconciliation_id bigint not null references reconciliation (id),
  ordinal integer not null check (ordinal > 0),
  account_id known_id not null,
  market_id known_id,
  asset_id known_id,
  theirs amount,
  ours amount,
  -- two amounts of 20 digits may lie further apart than one can hold
  difference numeric not null generated always as (coalesce(theirs, 0) - coalesce(ours, 0)) stored,
  last_change_id bigint,
  primary key (reconciliation_id, ordinal),
  check ((market_id is null) <> (asset_id is null)),
  check (theirs is distinct from ours and (theirs is not null or ours <> 0))
);

-- What happened since an instant is taken back from the state of now. Blocks of history are in the order of time but for
-- late facts, so a summary of each is enough to pass by all that is older.
create index position_change_at on position_change using brin (at) with (autosummarize = on);
create index ledger_entry_at on ledger_entry using brin (at) with (autosummarize = on);

-- ── guards ──────────────────────────────────────────────────────────────────────────────────────────────────────

do $$
declare
  name text;
begin
  foreach name in array array['reconciliation', 'reconciliation_chunk', 'reconciliation_result', 'reconciliation_difference'] loop
    execute format('create trigger %I before update or delete or truncate on %I for each statement execute function refuse_change()',
      name || '_append_only', name);
  end loop;
end $$;

-- What was compared is what had been told by then.
create function guard_reconciliation_chunk() returns trigger language plpgsql as $$
begin
  if exists (select from reconciliation_result where reconciliation_id = new.reconciliation_id) then
    raise exception 'Reconciliation % is finished: nothing is added to it.', new.reconciliation_id
      using errcode = 'object_not_in_prerequisite_state', table = tg_table_name;
  end if;
  return new;
end $$;
create trigger reconciliation_chunk_in_time before insert on reconciliation_chunk
  for each row execute function guard_reconciliation_chunk();

-- The rows of a chunk come together, as many as it says, or not at all.
create function guard_reconciliation_rows() returns trigger language plpgsql as $$
declare
  broken record;
begin
  select c.number, c.row_count, n.stored into broken
  from (select distinct reconciliation_id, chunk from added) a
  join reconciliation_chunk c on c.reconciliation_id = a.reconciliation_id and c.number = a.chunk
  cross join lateral (
    select count(*) as stored from added r where r.reconciliation_id = a.reconciliation_id and r.chunk = a.chunk) n
  where n.stored <> c.row_count or c.received_at < transaction_timestamp()
  limit 1;
  if found then
    raise exception 'Chunk % has % rows that came with it: % cannot be added.', broken.number, broken.row_count, broken.stored
      using errcode = 'object_not_in_prerequisite_state', table = tg_table_name;
  end if;
  return null;
end $$;
create trigger reconciliation_row_with_its_chunk after insert on reconciliation_row
  referencing new table as added for each statement execute function guard_reconciliation_rows();

-- ── retention ───────────────────────────────────────────────────────────────────────────────────────────────────

-- The rows that were told are many, and once compared only those that differed say anything, which stand in the
-- differences. A comparison is finished within 24 hours or never, so older rows are of no use to anybody.
alter table retention_run drop constraint retention_run_table_name_check;
alter table retention_run add constraint retention_run_table_name_check
  check (table_name in ('price_mark', 'depth_snapshot', 'reconciliation_row'));

create or replace function guard_retention() returns trigger language plpgsql as $$
declare
  record retention_run;
  is_wrong boolean;
begin
  select * into record from retention_run r
  where r.transaction = pg_current_xact_id() and r.at = transaction_timestamp() and r.table_name = tg_table_name;
  if found and record.removed = (select count(*) from removed) then
    if tg_table_name = 'price_mark' then
      select exists (
        select from removed r where greatest(r.at, r.received_at) >= record.kept_since
          or price_mark_is_needed(r.id, r.market_id, r.external_id, r.at)) into is_wrong;
    elsif tg_table_name = 'depth_snapshot' then
      select exists (
        select from removed r where greatest(r.at, r.received_at) >= record.kept_since
          or depth_snapshot_is_needed(r.id, r.market_id, r.at)) into is_wrong;
    else
      select exists (select from removed r where r.received_at >= record.kept_since) into is_wrong;
    end if;
    if not is_wrong then return null; end if;
  end if;
  raise exception '% is history: only retention removes rows, and only old ones that nothing needs (delete refused).', tg_table_name
    using errcode = 'object_not_in_prerequisite_state', table = tg_table_name;
end $$;
create trigger reconciliation_row_append_only before update or truncate on reconciliation_row
  for each statement execute function refuse_change();
create trigger reconciliation_row_retained after delete on reconciliation_row
  referencing old table as removed for each statement execute function guard_retention();

create function guard_reconciliation_result() returns trigger language plpgsql as $$
begin
  if exists (select from reconciliation where id = new.reconciliation_id and begun_at < new.finished_at - interval '24 hours') then
    raise exception 'Reconciliation % was begun more than 24 hours ago.', new.reconciliation_id
      using errcode = 'check_violation', table = tg_table_name;
  end if;
  return new;
end $$;
create trigger reconciliation_result_in_time before insert on reconciliation_result
  for each row execute function guard_reconciliation_result();

-- ── views ───────────────────────────────────────────────────────────────────────────────────────────────────────

create view reconciliation_status as
select r.id, r.external_id, r.as_of,
  case
    when f.reconciliation_id is not null then 'FINISHED'
    when r.begun_at < backstop_now() - interval '24 hours' then 'EXPIRED'
    else 'RECEIVING'
  end as status,
  coalesce(f.chunk_count, told.chunk_count) as chunk_count, coalesce(f.row_count, told.row_count) as row_count,
  r.begun_by, r.begun_at, f.finished_by, f.finished_at, f.accounts_compared, f.accounts_differing, f.difference_count
from reconciliation r
left join reconciliation_result f on f.reconciliation_id = r.id
cross join lateral (
  select count(*)::integer as chunk_count, coalesce(sum(c.row_count), 0)::integer as row_count
  from reconciliation_chunk c where c.reconciliation_id = r.id) told;

-- The newest five that were counted, of each difference: what the figure of Backstop ends with.
create view reconciliation_fact as
select d.reconciliation_id, d.ordinal, f.place, d.account_id, d.market_id, d.asset_id, f.cause, f.cause_id,
  coalesce(t.external_id, m.external_id, u.external_id) as external_id, f.change, f.at
from reconciliation_difference d
join reconciliation r on r.id = d.reconciliation_id
cross join lateral (
  select row_number() over (order by p.id desc)::integer as place, p.*
  from (
    select c.id, c.cause, c.cause_id, c.size_change as change, c.at from position_change c
    where c.account_id = d.account_id and c.market_id = d.market_id and c.id <= d.last_change_id and c.at <= r.as_of
    order by c.id desc limit 5) p
  union all
  select row_number() over (order by b.sequence desc)::integer, b.id, b.cause, b.cause_id, b.amount, b.at
  from (
    select e.id, e.sequence, e.cause, e.cause_id, e.amount, e.at from ledger_entry e
    where e.account_id = d.account_id and e.asset_id = d.asset_id and e.id <= d.last_change_id and e.at <= r.as_of
    order by e.sequence desc limit 5) b) f
left join trade t on f.cause = 'TRADE' and t.id = f.cause_id
left join transfer m on f.cause = 'TRANSFER' and m.id = f.cause_id
left join funding u on f.cause = 'FUNDING' and u.id = f.cause_id;

comment on table reconciliation is 'Snapshots of positions and balances that the exchange began to tell, to be compared with what Backstop holds.';
comment on column reconciliation.id is 'Row id, in the order of insertion within the table.';
comment on column reconciliation.external_id is 'The exchange''s own id of the snapshot.';
comment on column reconciliation.as_of is 'The instant that the snapshot is of: what happened at it or before is in it.';
comment on column reconciliation.begun_by is 'Subject of the token that sent the first chunk.';
comment on column reconciliation.begun_at is 'When the first chunk came, by the clock of the database.';
comment on table reconciliation_chunk is 'Parts of a snapshot, as they came.';
comment on column reconciliation_chunk.reconciliation_id is 'The snapshot.';
comment on column reconciliation_chunk.number is 'The sender''s number of the part, from 1.';
comment on column reconciliation_chunk.row_count is 'Rows in it.';
comment on column reconciliation_chunk.digest is 'SHA-256, in hex, of its rows in order, a line each and LF between them: POSITION or BALANCE, account, market or asset, amount in plain decimals, with blanks between.';
comment on column reconciliation_chunk.received_at is 'When it came, by the clock of the database.';
comment on table reconciliation_row is 'What the snapshot says of one position or balance. Retention removes old ones.';
comment on column reconciliation_row.id is 'Row id, in the order of insertion within the table.';
comment on column reconciliation_row.reconciliation_id is 'The snapshot.';
comment on column reconciliation_row.chunk is 'Number of the part that it came with.';
comment on column reconciliation_row.account_id is 'The exchange''s id of the account, known here or not.';
comment on column reconciliation_row.market_id is 'The market of a position, known here or not. Null: a balance.';
comment on column reconciliation_row.asset_id is 'The asset of a balance, known here or not. Null: a position.';
comment on column reconciliation_row.amount is 'Contracts, long above zero and short below, or the balance in its asset.';
comment on column reconciliation_row.received_at is 'When it came, by the clock of the database.';
comment on table reconciliation_result is 'What came of the comparison of a snapshot, made once.';
comment on column reconciliation_result.reconciliation_id is 'The snapshot.';
comment on column reconciliation_result.chunk_count is 'Parts that were told.';
comment on column reconciliation_result.row_count is 'Rows in them.';
comment on column reconciliation_result.accounts_compared is 'Accounts of the snapshot, and those that held something here at its instant.';
comment on column reconciliation_result.accounts_differing is 'Those of them with a difference.';
comment on column reconciliation_result.difference_count is 'Positions and balances that differ.';
comment on column reconciliation_result.finished_by is 'Subject of the token that ended the snapshot.';
comment on column reconciliation_result.finished_at is 'When it was compared, by the clock of the database.';
comment on table reconciliation_difference is 'Each position or balance of which the exchange and Backstop said something else, by account. Nothing was adjusted.';
comment on column reconciliation_difference.reconciliation_id is 'The snapshot.';
comment on column reconciliation_difference.ordinal is 'Place by account, positions before balances, then by market or asset; from 1.';
comment on column reconciliation_difference.account_id is 'The exchange''s id of the account.';
comment on column reconciliation_difference.market_id is 'The market of a position. Null: a balance.';
comment on column reconciliation_difference.asset_id is 'The asset of a balance. Null: a position.';
comment on column reconciliation_difference.theirs is 'Contracts (signed) or balance by the snapshot. Null: it does not have it.';
comment on column reconciliation_difference.ours is 'The same here, by all that was recorded when it was compared and had happened by the instant of the snapshot. Null: Backstop does not know the account, the market or the asset.';
comment on column reconciliation_difference.difference is 'theirs − ours, what is missing counted as 0.';
comment on column reconciliation_difference.last_change_id is 'The newest row of position_change (of a position) or ledger_entry (of a balance) that was counted. Null: there was none.';
comment on view reconciliation_status is 'Every snapshot with what came of it.';
comment on column reconciliation_status.id is 'Row id of the snapshot.';
comment on column reconciliation_status.external_id is 'The exchange''s own id of it.';
comment on column reconciliation_status.as_of is 'The instant that it is of.';
comment on column reconciliation_status.status is 'RECEIVING, FINISHED, or EXPIRED: not finished within 24 hours.';
comment on column reconciliation_status.chunk_count is 'Parts that were told.';
comment on column reconciliation_status.row_count is 'Rows in them.';
comment on column reconciliation_status.begun_by is 'Who sent the first part.';
comment on column reconciliation_status.begun_at is 'When it came.';
comment on column reconciliation_status.finished_by is 'Who ended it. Null: nobody.';
comment on column reconciliation_status.finished_at is 'When it was compared. Null: it was not.';
comment on column reconciliation_status.accounts_compared is 'Accounts of the snapshot, and those that held something here. Null: it was not compared.';
comment on column reconciliation_status.accounts_differing is 'Those with a difference. Null: it was not compared.';
comment on column reconciliation_status.difference_count is 'Positions and balances that differ. Null: it was not compared.';
comment on view reconciliation_fact is 'The last five facts behind what Backstop holds, of each difference, newest first.';
comment on column reconciliation_fact.reconciliation_id is 'The snapshot.';
comment on column reconciliation_fact.ordinal is 'The difference in it.';
comment on column reconciliation_fact.place is '1 is the fact recorded last.';
comment on column reconciliation_fact.account_id is 'The account.';
comment on column reconciliation_fact.market_id is 'The market. Null: a balance.';
comment on column reconciliation_fact.asset_id is 'The asset. Null: a position.';
comment on column reconciliation_fact.cause is 'What it was: OPENING, TRADE, TRANSFER, FUNDING, LIQUIDATION, DELEVERAGE or COVER.';
comment on column reconciliation_fact.cause_id is 'Its row, in the table that the cause names.';
comment on column reconciliation_fact.external_id is 'The exchange''s id of the trade, transfer or funding. Null: Backstop did it, or took it over with a book.';
comment on column reconciliation_fact.change is 'What it added: contracts, or amount in the asset; signed.';
comment on column reconciliation_fact.at is 'When it happened.';
