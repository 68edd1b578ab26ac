-- Dangerous changes: one person proposes, another one decides. A proposal and its decision are history, so what was put in
-- force and by which two can be read for ever; that they are two is refused here as well, whoever writes.

-- What is to be done, and why, in one text: jsonb's own, in which the order of the keys says nothing.
create function change_digest(kind text, target_type text, target_id text, payload jsonb, reason text) returns text
language sql immutable parallel safe as $$
  select encode(sha256(convert_to(jsonb_build_array(kind, target_type, target_id, payload, reason)::text, 'UTF8')), 'hex')
$$;

create table change (
  id bigint generated always as identity primary key,
  kind text not null check (kind in ('BRACKETS_CHANGE', 'POLICY_CHANGE', 'FUND_WITHDRAWAL', 'MARKET_RESUME', 'ENGINE_START')),
  target_type text not null check (target_type in ('Market', 'InsuranceFund', 'Job')),
  target_id text not null,
  payload jsonb not null,
  reason text not null,
  digest text not null generated always as (change_digest(kind, target_type, target_id, payload, reason)) stored,
  proposed_by text not null check (proposed_by <> ''),
  proposed_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz not null,
  check (expires_at > proposed_at and expires_at <= proposed_at + interval '7 days')
);
create index on change (target_type, target_id, kind, id desc);

create table change_decision (
  change_id bigint primary key references change (id),
  decision text not null check (decision in ('APPROVE', 'REJECT')),
  digest text not null,
  decided_by text not null check (decided_by <> ''),
  reason text,
  decided_at timestamptz not null default clock_timestamp()
);

create function guard_change_decision() returns trigger language plpgsql as $$
declare
  proposed change;
begin
  -- The time of a decision is the clock's, not the writer's to say.
  new.decided_at := clock_timestamp();
  select * into proposed from change where id = new.change_id;
  if not found then return new; end if;
  if new.decided_by = proposed.proposed_by then
    raise exception 'Change % was proposed by %: another person decides.', new.change_id, new.decided_by
      using errcode = 'check_violation', table = tg_table_name;
  elsif new.decided_at >= proposed.expires_at then
    raise exception 'Change % has expired.', new.change_id using errcode = 'check_violation', table = tg_table_name;
  elsif new.digest <> proposed.digest then
    raise exception 'Change % has another digest than the one that was decided on.', new.change_id
      using errcode = 'check_violation', table = tg_table_name;
  end if;
  return new;
end $$;
create trigger change_decided_by_another before insert on change_decision
  for each row execute function guard_change_decision();

create trigger change_append_only before update or delete or truncate on change
  for each statement execute function refuse_change();
create trigger change_decision_append_only before update or delete or truncate on change_decision
  for each statement execute function refuse_change();

create view change_status as
select c.id, c.kind, c.target_type, c.target_id, c.payload, c.digest, c.reason, c.proposed_by, c.proposed_at, c.expires_at,
  case
    when d.decision = 'APPROVE' then 'APPLIED'
    when d.decision = 'REJECT' then 'REJECTED'
    when c.expires_at <= backstop_now() then 'EXPIRED'
    else 'PROPOSED'
  end as status,
  d.decided_by, d.decided_at, d.reason as decision_reason
from change c left join change_decision d on d.change_id = c.id;

grant execute on function change_digest(text, text, text, jsonb, text) to backstop_reader;

comment on function change_digest(text, text, text, jsonb, text) is 'What a decision is bound to: SHA-256, in hex, of what is to be done and why.';
comment on table change is 'Dangerous changes that were proposed, each by one person.';
comment on column change.id is 'Row id, in the order of insertion within the table.';
comment on column change.kind is 'BRACKETS_CHANGE, POLICY_CHANGE, FUND_WITHDRAWAL, MARKET_RESUME or ENGINE_START.';
comment on column change.target_type is 'What is changed: Market, InsuranceFund or Job.';
comment on column change.target_id is 'Its id within the type.';
comment on column change.payload is 'What is to be put in force, whole; amounts are decimal texts. Of brackets and a policy also the version that they become.';
comment on column change.reason is 'Why, in the words of whoever proposed it.';
comment on column change.digest is 'change_digest of kind, target, payload and reason.';
comment on column change.proposed_by is 'Subject of the token of whoever proposed it.';
comment on column change.proposed_at is 'When the row was made, by the clock of the database.';
comment on column change.expires_at is 'From this instant on nobody can decide on it.';
comment on table change_decision is 'What became of a proposed change: at most one decision each, by another person, in the transaction that applied it.';
comment on column change_decision.change_id is 'The change.';
comment on column change_decision.decision is 'APPROVE: it was applied in the same transaction. REJECT: it never will be.';
comment on column change_decision.digest is 'Digest of what was decided on, as the one who decided gave it.';
comment on column change_decision.decided_by is 'Subject of the token of whoever decided: never the one who proposed.';
comment on column change_decision.reason is 'Why, in the words of whoever decided. Null: none was given.';
comment on column change_decision.decided_at is 'When, by the clock of the database.';
comment on view change_status is 'Every proposed change with what became of it.';
comment on column change_status.id is 'Row id of the change.';
comment on column change_status.kind is 'BRACKETS_CHANGE, POLICY_CHANGE, FUND_WITHDRAWAL, MARKET_RESUME or ENGINE_START.';
comment on column change_status.target_type is 'What is changed: Market, InsuranceFund or Job.';
comment on column change_status.target_id is 'Its id within the type.';
comment on column change_status.payload is 'What is to be put in force, whole.';
comment on column change_status.digest is 'What a decision is bound to.';
comment on column change_status.reason is 'Why, in the words of whoever proposed it.';
comment on column change_status.proposed_by is 'Who proposed it.';
comment on column change_status.proposed_at is 'When it was proposed.';
comment on column change_status.expires_at is 'From this instant on nobody can decide on it.';
comment on column change_status.status is 'PROPOSED, APPLIED, REJECTED, or EXPIRED without a decision.';
comment on column change_status.decided_by is 'Who decided. Null: nobody.';
comment on column change_status.decided_at is 'When it was decided. Null: it was not.';
comment on column change_status.decision_reason is 'Why, in the words of whoever decided. Null: none was given, or it was not decided.';
comment on function guard_change_decision() is 'Refuses a decision by whoever proposed, after the expiry, or on another digest.';
