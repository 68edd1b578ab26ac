-- Prices and order books are by far the most rows that a feed brings, and most of them are never looked at again. Those that
-- are old and that nothing needs may go, with a record of it in the same transaction; everything else stays as it was guarded.

create table retention_run (
  id bigint generated always as identity primary key,
  at timestamptz not null default transaction_timestamp(),
  transaction xid8 not null default pg_current_xact_id(),
  table_name text not null check (table_name in ('price_mark', 'depth_snapshot')),
  kept_since timestamptz not null check (kept_since <= at - interval '24 hours'),
  removed integer not null check (removed > 0),
  unique (at, transaction, table_name)
);
create trigger retention_run_append_only before update or delete or truncate on retention_run
  for each statement execute function refuse_change();

-- ── what is needed ──────────────────────────────────────────────────────────────────────────────────────────────

-- By these each row is judged, and by the first two PostgreSQL finds who refers to one that goes.
create index on lap_price (price_mark_id);
create index on liquidation (depth_snapshot_id);
create index on deleverage_event (market_id, at);
create index on price_mark (market_id, confirmed_by) where confirmed_by is not null;

create function price_mark_is_needed(mark_id bigint, marked_market text, mark_external_id text, mark_at timestamptz) returns boolean
language sql stable as $$
  select
    -- the price in force, and whatever came after it
    not exists (
      select from price_mark n
      where n.market_id = marked_market and n.state in ('ACCEPTED', 'CONFIRMED') and (n.at, n.id) > (mark_at, mark_id))
    -- what a lap decided by
    or exists (select from lap_price l where l.price_mark_id = mark_id)
    -- what a leg is held against, up to an hour after it
    or exists (
      select from deleverage_event e
      where e.market_id = marked_market and e.at < mark_at and e.at >= mark_at - interval '3600 seconds')
    -- what somebody administered, and what vouched for another price that is still there
    or exists (select from audit_entry a where a.target_type = 'Price' and a.target_id = marked_market || '/' || mark_external_id)
    or exists (select from price_mark c where c.market_id = marked_market and c.confirmed_by = mark_external_id)
$$;

create function depth_snapshot_is_needed(snapshot_id bigint, snapshot_market text, snapshot_at timestamptz) returns boolean
language sql stable as $$
  select
    -- the one that liquidations fill against, and whatever came after it
    not exists (
      select from depth_snapshot n join market m on m.id = n.market_id
      where n.market_id = snapshot_market and (n.at, n.id) > (snapshot_at, snapshot_id)
        and n.at <= n.received_at + m.stale_after_ms * interval '1 millisecond')
    or exists (select from liquidation l where l.depth_snapshot_id = snapshot_id)
    or exists (select from liquidation_fill f where f.depth_snapshot_id = snapshot_id)
$$;

-- ── guards ──────────────────────────────────────────────────────────────────────────────────────────────────────

-- Whoever removes: rows go only as many as this very transaction records, only old ones, and none that is needed.
-- Transaction and instant both, since a restored server gives out the same numbers again.
create function guard_retention() returns trigger language plpgsql as $$
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
    else
      select exists (
        select from removed r where greatest(r.at, r.received_at) >= record.kept_since
          or depth_snapshot_is_needed(r.id, r.market_id, r.at)) into is_wrong;
    end if;
    if not is_wrong then return null; end if;
  end if;
  raise exception '% is history: only retention removes rows, and only old ones that nothing needs (delete refused).', tg_table_name
    using errcode = 'object_not_in_prerequisite_state', table = tg_table_name;
end $$;

drop trigger price_mark_kept on price_mark;
create trigger price_mark_kept before truncate on price_mark for each statement execute function refuse_removal();
create trigger price_mark_retained after delete on price_mark
  referencing old table as removed for each statement execute function guard_retention();
drop trigger depth_snapshot_append_only on depth_snapshot;
create trigger depth_snapshot_append_only before update or truncate on depth_snapshot
  for each statement execute function refuse_change();
create trigger depth_snapshot_retained after delete on depth_snapshot
  referencing old table as removed for each statement execute function guard_retention();

comment on table retention_run is 'What retention removed: old prices and order books that nothing needed.';
comment on column retention_run.id is 'Row id, in the order of insertion within the table.';
comment on column retention_run.at is 'When its transaction began, by the clock of the database.';
comment on column retention_run.transaction is 'The transaction that removed them.';
comment on column retention_run.table_name is 'price_mark or depth_snapshot.';
comment on column retention_run.kept_since is 'What happened or was stored at this instant or later was kept, needed or not.';
comment on column retention_run.removed is 'Rows that were removed.';
comment on function price_mark_is_needed(bigint, text, text, timestamptz) is 'Whether a price must stay however old it is: it is in force or came after the one that is, a lap decided by it, it lies within an hour after an ADL event of its market, it was administered, or it confirmed another one.';
comment on function depth_snapshot_is_needed(bigint, text, timestamptz) is 'Whether an order book must stay however old it is: it is the newest that counts or came after that, or a liquidation was closed against it.';
