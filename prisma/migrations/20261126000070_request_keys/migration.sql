-- A request of an administrator may carry a key of its sender's making: sent again with the same key it is answered as before, and
-- nothing is done twice. The row is written with the entry of the audit log, so in the transaction of the deed itself.

create table idempotency_key (
  caller text not null check (caller <> ''),
  key text not null check (key ~ '^[!-~]{1,255}$'),
  content_digest text not null check (content_digest ~ '^[0-9a-f]{64}$'),
  audit_entry_id bigint not null unique references audit_entry (id),
  recorded_at timestamptz not null default clock_timestamp(),
  primary key (caller, key)
);
create index on idempotency_key (recorded_at);

-- A key that went early would let a request be done twice, so the term is the database's to keep.
create function guard_idempotency_key() returns trigger language plpgsql as $$
begin
  if old.recorded_at > clock_timestamp() - interval '7 days' then
    raise exception 'Key % of % is younger than seven days: it is kept (delete refused).', old.key, old.caller
      using errcode = 'object_not_in_prerequisite_state', table = tg_table_name;
  end if;
  return old;
end $$;
create trigger idempotency_key_kept before delete on idempotency_key for each row execute function guard_idempotency_key();
create trigger idempotency_key_append_only before update or truncate on idempotency_key
  for each statement execute function refuse_change();

comment on table idempotency_key is 'Keys of requests that were done, each with what was done: kept for seven days at least.';
comment on column idempotency_key.caller is 'Who sent it: the subject of the token. Keys of two callers are two keys.';
comment on column idempotency_key.key is 'The key, as it was sent.';
comment on column idempotency_key.content_digest is 'SHA-256, in hex, of the mutation and its input without the key: a key stands for one content.';
comment on column idempotency_key.audit_entry_id is 'The entry of the audit log that says what was done: a request sent again is answered from it.';
comment on column idempotency_key.recorded_at is 'When it was done, by the clock of the database.';
comment on function guard_idempotency_key() is 'Refuses the removal of a key that is younger than seven days.';

-- PostgreSQL names the constraint that a value breaks: verify_chain('FOO') is told which chains there are.
alter domain chain_name drop constraint chain_name_check;
alter domain chain_name add constraint "a chain is AUDIT_LOG, FUND_LEDGER or DELEVERAGE"
  check (value in ('AUDIT_LOG', 'FUND_LEDGER', 'DELEVERAGE'));
