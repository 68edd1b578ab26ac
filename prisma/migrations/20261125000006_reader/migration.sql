-- The role of inspectors: sees every table and view, writes nothing. It has no password until the operator sets one
-- (`alter role backstop_reader password '…'`), and cannot log in over a password-protected line without.
-- A role belongs to the whole server: another database's migrations may have made it already, or be making it now.

do $$
begin
  if not exists (select from pg_roles where rolname = 'backstop_reader') then
    create role backstop_reader login connection limit 20;
    alter role backstop_reader set default_transaction_read_only = on;
    alter role backstop_reader set statement_timeout = '60s';
  end if;
exception
  when duplicate_object or unique_violation then null;
  when insufficient_privilege then
    raise exception 'The role backstop_reader is missing and % may not create roles: have it created (create role backstop_reader login), then migrate again.', current_user
      using errcode = 'insufficient_privilege';
end $$;

-- Nobody but the owner makes things here, not even temporary ones.
revoke create on schema public from public;
do $$
begin
  execute format('revoke temporary on database %I from public', current_database());
  execute format('grant connect on database %I to backstop_reader', current_database());
end $$;

revoke execute on all functions in schema public from public;
alter default privileges revoke execute on functions from public;

-- Large objects are written through functions that everybody may call. Only a superuser can take that away; where the
-- owner is none (a managed server), the server's operator has to.
do $$
declare
  writer regprocedure;
begin
  if (select rolsuper from pg_roles where rolname = current_user) then
    for writer in
      select oid from pg_proc where pronamespace = 'pg_catalog'::regnamespace
        and proname in ('lo_creat', 'lo_create', 'lo_from_bytea', 'lo_import', 'lo_put', 'lo_unlink', 'lo_truncate', 'lo_truncate64', 'lowrite')
    loop
      execute format('revoke execute on function %s from public', writer);
    end loop;
  end if;
end $$;

grant usage on schema public to backstop_reader;
grant select on all tables in schema public to backstop_reader;
alter default privileges in schema public grant select on tables to backstop_reader;

-- Arithmetic and the clock of the views, which run as whoever asks.
grant execute on function
  truncated_fraction(numeric, numeric), floor_fraction(numeric, numeric), ceil_fraction(numeric, numeric), clamped_ratio(numeric, numeric),
  value_at(text, numeric, numeric, numeric, numeric), price_of(text, numeric, numeric, numeric), backstop_now(),
  depth_side_is_sound(numeric[], numeric[], integer)
to backstop_reader;
