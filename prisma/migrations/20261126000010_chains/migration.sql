-- Who administered what, and three chains of hashes over the history that must be beyond doubt. Rows are written as
-- before, unsealed, and wait in chain_due; a sealer appends a link for each afterwards, so that no writer waits for another.

create domain chain_name as text check (value in ('AUDIT_LOG', 'FUND_LEDGER', 'DELEVERAGE'));

create table audit_entry (
  id bigint generated always as identity primary key,
  at timestamptz not null default clock_timestamp(),
  actor text not null,
  scopes text[] not null,
  action text not null,
  target_type text,
  target_id text,
  input jsonb not null,
  before jsonb,
  after jsonb,
  reason text,
  request_id text not null,
  outcome text not null check (outcome in ('ACCEPTED', 'REFUSED')),
  code text,
  message text,
  check ((outcome = 'REFUSED') = (code is not null) and (code is null) = (message is null)),
  check ((target_type is null) = (target_id is null)),
  check (outcome = 'ACCEPTED' or before is null and after is null)
);
create index on audit_entry (actor, id desc);
create index on audit_entry (action, id desc);
create index on audit_entry (target_type, target_id, id desc);

-- Rows that no link seals yet. Each comes with the row that it names, in the same transaction, and goes with its link.
create table chain_due (
  chain chain_name not null,
  row_id bigint not null,
  waits_since timestamptz not null default clock_timestamp(),
  primary key (chain, row_id)
);

create table chain_link (
  chain chain_name not null,
  sequence bigint not null check (sequence > 0),
  row_id bigint not null,
  row_hash text not null check (row_hash ~ '^[0-9a-f]{64}$'),
  previous_hash text not null check (previous_hash ~ '^[0-9a-f]{64}$'),
  hash text not null check (hash ~ '^[0-9a-f]{64}$'),
  sealed_at timestamptz not null,
  primary key (chain, sequence),
  unique (chain, row_id)
);

-- ── what comes into the chains ──────────────────────────────────────────────────────────────────────────────────

create function await_seal() returns trigger language plpgsql as $$
begin
  insert into chain_due (chain, row_id) select tg_argv[0], id from added;
  return null;
end $$;
create trigger audit_entry_awaits_seal after insert on audit_entry
  referencing new table as added for each statement execute function await_seal('AUDIT_LOG');
create trigger deleverage_event_awaits_seal after insert on deleverage_event
  referencing new table as added for each statement execute function await_seal('DELEVERAGE');

-- Of the ledger only the entries of insurance funds, few of many.
create function await_fund_seal() returns trigger language plpgsql as $$
begin
  insert into chain_due (chain, row_id)
  select 'FUND_LEDGER', a.id from added a join insurance_fund f on f.account_id = a.account_id;
  return null;
end $$;
create trigger ledger_entry_awaits_seal after insert on ledger_entry
  referencing new table as added for each statement execute function await_fund_seal();

-- What was written before there were chains is sealed first.
insert into chain_due (chain, row_id)
select 'FUND_LEDGER', e.id from ledger_entry e join insurance_fund f on f.account_id = e.account_id;
insert into chain_due (chain, row_id) select 'DELEVERAGE', id from deleverage_event;

-- ── guards ──────────────────────────────────────────────────────────────────────────────────────────────────────

create trigger audit_entry_append_only before update or delete or truncate on audit_entry
  for each statement execute function refuse_change();
create trigger chain_link_append_only before update or delete or truncate on chain_link
  for each statement execute function refuse_change();

create function guard_chain_due() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' then
    if not exists (
      select from removed r
      where not exists (select from chain_link l where l.chain = r.chain and l.row_id = r.row_id)) then return null; end if;
  end if;
  raise exception 'A row waits in chain_due until a link seals it (% refused).', lower(tg_op)
    using errcode = 'object_not_in_prerequisite_state', table = tg_table_name;
end $$;
create trigger chain_due_kept after delete on chain_due
  referencing old table as removed for each statement execute function guard_chain_due();
create trigger chain_due_unchanged before update or truncate on chain_due
  for each statement execute function guard_chain_due();

-- ── what is hashed ──────────────────────────────────────────────────────────────────────────────────────────────

-- The same whatever the session's time zone and date style.
create function utc_text(instant timestamptz) returns text language sql stable parallel safe as $$
  select to_char(instant at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
$$;

-- A list in jsonb's own text: texts quoted, null told from '', numbers without zeros at their end. No two rows that say
-- something different give the same. The number after the name is that of the form: another list of columns is another one.
create function chain_row_content(chain chain_name, row_id bigint) returns text language plpgsql stable parallel safe as $$
begin
  if chain = 'AUDIT_LOG' then
    return (
      select jsonb_build_array('AUDIT_LOG', 1, a.id, utc_text(a.at), a.actor, to_jsonb(a.scopes), a.action, a.target_type,
        a.target_id, a.input, a.before, a.after, a.reason, a.request_id, a.outcome, a.code, a.message)::text
      from audit_entry a where a.id = row_id);
  elsif chain = 'FUND_LEDGER' then
    return (
      select jsonb_build_array('FUND_LEDGER', 1, e.id, e.account_id, e.asset_id, e.sequence, trim_scale(e.amount),
        trim_scale(e.balance_after), e.kind, e.cause, e.cause_id, e.market_id, e.lap_id, utc_text(e.at))::text
      from ledger_entry e join insurance_fund f on f.account_id = e.account_id where e.id = row_id);
  end if;
  return (
    select jsonb_build_array('DELEVERAGE', 1, e.id, e.lap_id, e.market_id, e.account_id, e.side, e.liquidation_id,
      e.policy_version, e.price_basis, e.trigger_metric, trim_scale(e.deficit), trim_scale(e.fund_balance_before),
      trim_scale(e.fund_allowance_before), trim_scale(e.fund_may_pay), trim_scale(e.fund_paid), trim_scale(e.best_price),
      trim_scale(e.depth_size), trim_scale(e.mark), trim_scale(e.mark_value), trim_scale(e.bankruptcy_value),
      trim_scale(e.bankruptcy_price), trim_scale(e.price_value), trim_scale(e.price), e.clamped, trim_scale(e.size_before),
      trim_scale(e.cost_before), trim_scale(e.equity_before), trim_scale(e.maintenance_before), trim_scale(e.size_deleveraged),
      trim_scale(e.size_closed_at_mark), trim_scale(e.realized_pnl), utc_text(e.at),
      -- the queue that the ranks point into, by its digest
      (select jsonb_build_array(r.id, r.lap_id, r.market_id, r.side, r.digest, r.policy_version, r.score_name,
          r.queue_length, trim_scale(r.queue_size))
        from ranking r where r.id = e.ranking_id),
      (select jsonb_agg(jsonb_build_array(l.id, l.ordinal, l.stage, l.account_id, l.bankrupt_account_id, l.rank, l.queue_length,
          trim_scale(l.size_ahead), trim_scale(l.score), trim_scale(l.profit_ratio), trim_scale(l.leverage), l.level_shown,
          utc_text(l.level_shown_at), trim_scale(l.size_before), trim_scale(l.size_closed), trim_scale(l.size_after),
          trim_scale(l.cost_before), trim_scale(l.cost_after), trim_scale(l.value), trim_scale(l.mark_value), trim_scale(l.price),
          trim_scale(l.realized_pnl), trim_scale(l.concession), trim_scale(l.equity_before), trim_scale(l.equity_after),
          trim_scale(l.maintenance_before), trim_scale(l.maintenance_after), trim_scale(l.leverage_before),
          trim_scale(l.leverage_after), trim_scale(l.entry_price_before), trim_scale(l.entry_price_after)) order by l.ordinal)
        from deleverage_leg l where l.event_id = e.id),
      (select jsonb_agg(jsonb_build_array(s.account_id, s.rank, s.reason, trim_scale(s.size), trim_scale(s.equity),
          trim_scale(s.maintenance), trim_scale(s.initial)) order by s.account_id collate "C")
        from deleverage_skip s where s.event_id = e.id))::text
    from deleverage_event e where e.id = row_id);
end $$;

create function chain_row_hash(chain chain_name, row_id bigint) returns text language sql stable parallel safe as $$
  select encode(sha256(convert_to(chain_row_content(chain, row_id), 'UTF8')), 'hex')
$$;

create function chain_link_hash(chain chain_name, sequence bigint, row_id bigint, row_hash text, previous_hash text, sealed_at timestamptz)
returns text language sql stable parallel safe as $$
  select encode(sha256(convert_to(jsonb_build_array(chain, sequence, row_id, row_hash, previous_hash, utc_text(sealed_at))::text, 'UTF8')), 'hex')
$$;

create view chain_row as
select 'AUDIT_LOG'::chain_name as chain, id as row_id from audit_entry
union all
select 'FUND_LEDGER', e.id from ledger_entry e join insurance_fund f on f.account_id = e.account_id
union all
-- legs and skips of no event count as one
select 'DELEVERAGE', id from (
  select id from deleverage_event union select event_id from deleverage_leg union select event_id from deleverage_skip) events;

create view chain_head as
select c.chain, coalesce(l.sequence, 0) as sequence, coalesce(l.hash, repeat('0', 64)) as hash, l.sealed_at
from unnest(array['AUDIT_LOG', 'FUND_LEDGER', 'DELEVERAGE']) as c (chain)
left join lateral (select * from chain_link where chain = c.chain order by sequence desc limit 1) l on true;

-- ── sealing ─────────────────────────────────────────────────────────────────────────────────────────────────────

-- By row number: whoever wrote after another had committed has the larger one. A row that is not committed yet waits in
-- chain_due unseen, and is found there later, however old its transaction is: nothing remembers how far sealing has come.
create function seal_chain(sealed_chain chain_name, at_most integer) returns integer language plpgsql as $$
declare
  last record;
  due record;
  content_hash text;
  link_hash text;
  now timestamptz := clock_timestamp();
  sealed bigint[] := '{}';
begin
  -- One sealer at a time; the second leaves it to the first, whose work stands or falls with its transaction.
  if not pg_try_advisory_xact_lock(4207315893) then return 0; end if;
  select h.sequence, h.hash into last from chain_head h where h.chain = sealed_chain;
  for due in select d.row_id from chain_due d where d.chain = sealed_chain order by d.row_id limit at_most loop
    content_hash := chain_row_hash(sealed_chain, due.row_id);
    -- It was removed past the guards. It stays due, for verify_chain to name.
    continue when content_hash is null;
    last.sequence := last.sequence + 1;
    link_hash := chain_link_hash(sealed_chain, last.sequence, due.row_id, content_hash, last.hash, now);
    insert into chain_link (chain, sequence, row_id, row_hash, previous_hash, hash, sealed_at)
    values (sealed_chain, last.sequence, due.row_id, content_hash, last.hash, link_hash, now);
    last.hash := link_hash;
    sealed := sealed || due.row_id;
  end loop;
  delete from chain_due d where d.chain = sealed_chain and d.row_id = any(sealed);
  return cardinality(sealed);
end $$;

-- ── verification ────────────────────────────────────────────────────────────────────────────────────────────────

create function verify_chain(verified_chain chain_name, expected_sequence bigint default null, expected_hash text default null)
returns table (
  chain text, links bigint, head_sequence bigint, head_hash text, pending bigint, pending_since timestamptz,
  bad_sequence bigint, bad_row bigint, reason text)
language sql stable as $$
  with first_bad_link as (
    select l.* from (
      select k.*, lag(k.sequence, 1, 0::bigint) over w as last_sequence, lag(k.hash, 1, repeat('0', 64)) over w as last_hash
      from chain_link k where k.chain = verified_chain window w as (order by k.sequence)) l
    where l.sequence <> l.last_sequence + 1 or l.previous_hash <> l.last_hash
      or l.hash <> chain_link_hash(l.chain, l.sequence, l.row_id, l.row_hash, l.previous_hash, l.sealed_at)
      or l.row_hash is distinct from chain_row_hash(l.chain, l.row_id)
    order by l.sequence limit 1
  ), head as (
    select h.sequence, h.hash from chain_head h where h.chain = verified_chain
  ), bad as (
    select case when l.sequence <> l.last_sequence + 1 then l.last_sequence + 1 else l.sequence end as sequence,
      case when l.sequence = l.last_sequence + 1 then l.row_id end as row_id,
      case
        when l.sequence <> l.last_sequence + 1 then 'GAP'
        when l.previous_hash <> l.last_hash
          and exists (select from chain_link o where o.chain = verified_chain and o.hash = l.previous_hash) then 'REORDERED'
        when l.previous_hash <> l.last_hash
          or l.hash <> chain_link_hash(l.chain, l.sequence, l.row_id, l.row_hash, l.previous_hash, l.sealed_at) then 'LINK_ALTERED'
        when chain_row_hash(l.chain, l.row_id) is null then 'ROW_REMOVED'
        else 'ROW_ALTERED'
      end as reason
    from first_bad_link l
    union all
    -- a row that neither is sealed nor waits was put in past the guards: told where it would stand by its number
    (select coalesce((select min(l.sequence) from chain_link l where l.chain = verified_chain and l.row_id > r.row_id),
        (select sequence + 1 from head)), r.row_id, 'ROW_INSERTED'
      from chain_row r
      where r.chain = verified_chain
        and not exists (select from chain_link l where l.chain = verified_chain and l.row_id = r.row_id)
        and not exists (select from chain_due d where d.chain = verified_chain and d.row_id = r.row_id)
      order by r.row_id limit 1)
    union all
    (select (select sequence + 1 from head), d.row_id, 'ROW_REMOVED'
      from chain_due d where d.chain = verified_chain and chain_row_hash(d.chain, d.row_id) is null
      order by d.row_id limit 1)
    union all
    select h.sequence + 1, null, 'TAIL_CUT' from head h where h.sequence < expected_sequence
    union all
    select l.sequence, l.row_id, 'OTHER_HEAD' from chain_link l
    where l.chain = verified_chain and l.sequence = expected_sequence and l.hash <> expected_hash
  )
  select verified_chain, (select count(*) from chain_link l where l.chain = verified_chain), h.sequence, h.hash,
    due.number, due.since, b.sequence, b.row_id, b.reason
  from head h
  cross join (select count(*) as number, min(d.waits_since) as since from chain_due d where d.chain = verified_chain) due
  left join lateral (select * from bad order by bad.sequence, bad.row_id nulls last limit 1) b on true
$$;

-- ── the reader ──────────────────────────────────────────────────────────────────────────────────────────────────

grant execute on function
  utc_text(timestamptz), chain_row_content(chain_name, bigint), chain_row_hash(chain_name, bigint),
  chain_link_hash(chain_name, bigint, bigint, text, text, timestamptz), verify_chain(chain_name, bigint, text)
to backstop_reader;

-- ── comments ────────────────────────────────────────────────────────────────────────────────────────────────────

comment on table audit_entry is 'Every action of an administrator, in the transaction of what it changed; a refused one in a transaction of its own. Sealed in the chain AUDIT_LOG.';
comment on column audit_entry.id is 'Row id, in the order of insertion within the table.';
comment on column audit_entry.at is 'When it was written, by the clock of the database.';
comment on column audit_entry.actor is 'Who acted: the subject that asked, or cli/user@host for a command.';
comment on column audit_entry.scopes is 'What entitled the actor; cli: access to the machine.';
comment on column audit_entry.action is 'The mutation or the command, by its name in the API or on the command line.';
comment on column audit_entry.target_type is 'What was acted on: Account, Asset, InsuranceFund, Job, MarginCall, Market, Price (its id: market/price) or Trader. Null: the venue as a whole.';
comment on column audit_entry.target_id is 'Its id. Null: the venue as a whole.';
comment on column audit_entry.input is 'What was asked, as it was given.';
comment on column audit_entry.before is 'The target as it was, locked since. Null: it was not there, or nothing was changed, or the target is the venue as a whole.';
comment on column audit_entry.after is 'The target as the action left it; of the venue as a whole, what was done in counts. Null: refused.';
comment on column audit_entry.reason is 'Why, in the words of the actor. Null: none was given.';
comment on column audit_entry.request_id is 'Id of the request, as its sender gave it, or made by Backstop.';
comment on column audit_entry.outcome is 'ACCEPTED: what it changed was committed with this row. REFUSED: it changed nothing.';
comment on column audit_entry.code is 'Code of the refusal; INTERNAL: a fault. Null: accepted.';
comment on column audit_entry.message is 'The refusal for people. Null: accepted.';

comment on table chain_due is 'Rows of the chains that are committed and not sealed yet. Empty a moment after the last of them.';
comment on column chain_due.chain is 'AUDIT_LOG, FUND_LEDGER or DELEVERAGE.';
comment on column chain_due.row_id is 'Id of the row: of audit_entry, of ledger_entry, of deleverage_event.';
comment on column chain_due.waits_since is 'When the row was written, by the clock of the database.';

comment on table chain_link is 'A link seals a row and the link before it. A chain is its links by sequence.';
comment on column chain_link.chain is 'AUDIT_LOG, FUND_LEDGER or DELEVERAGE.';
comment on column chain_link.sequence is 'Place in the chain, from 1 without a gap.';
comment on column chain_link.row_id is 'Id of the row: of audit_entry, of ledger_entry, of deleverage_event.';
comment on column chain_link.row_hash is 'SHA-256 of what the row says (chain_row_content), in hex.';
comment on column chain_link.previous_hash is 'Hash of the link before; of the first one 64 zeros.';
comment on column chain_link.hash is 'SHA-256 of the other columns of this row (chain_link_hash), in hex.';
comment on column chain_link.sealed_at is 'When the row was sealed, by the clock of the database.';

comment on view chain_row is 'The rows that belong to each chain, sealed or not.';
comment on column chain_row.chain is 'AUDIT_LOG, FUND_LEDGER or DELEVERAGE.';
comment on column chain_row.row_id is 'Id of the row: of audit_entry, of ledger_entry, of deleverage_event.';
comment on view chain_head is 'Where each chain ends: what to keep elsewhere, so that a tail that is cut off is missed.';
comment on column chain_head.chain is 'AUDIT_LOG, FUND_LEDGER or DELEVERAGE.';
comment on column chain_head.sequence is 'Sequence of the last link; 0: the chain is empty.';
comment on column chain_head.hash is 'Hash of the last link; of an empty chain 64 zeros.';
comment on column chain_head.sealed_at is 'When the last link was made. Null: the chain is empty.';

comment on domain chain_name is 'Name of a chain.';
comment on function utc_text(timestamptz) is 'An instant in UTC with six digits of a second, the same in every session.';
comment on function chain_row_content(chain_name, bigint) is 'What a row of a chain says, in one text: of an event with its legs, its skips and its queue''s digest. Null: there is no such row.';
comment on function chain_row_hash(chain_name, bigint) is 'SHA-256 of chain_row_content, in hex. Null: there is no such row.';
comment on function chain_link_hash(chain_name, bigint, bigint, text, text, timestamptz) is 'What the hash of a link must be.';
comment on function seal_chain(chain_name, integer) is 'Appends links for at most so many rows that wait. Returns how many; 0 also while another sealer is at work.';
comment on function verify_chain(chain_name, bigint, text) is 'Recomputes a chain from its rows: links, head, what waits, and the first bad sequence with its row and reason (GAP, REORDERED, LINK_ALTERED, ROW_REMOVED, ROW_ALTERED, ROW_INSERTED; against a head that was kept elsewhere: TAIL_CUT, OTHER_HEAD), null while it is whole.';
