-- Tables of the risk state and of its history. Guards, views, comments and roles follow in their own migrations.
-- Ids of things that the exchange names (asset, trader, account, market) are its own texts, ordered by bytes.
-- Composite foreign keys carry an account's kind, mode and asset into the rows that depend on them, so that
-- plain constraints can refuse what must never be.

-- A bounded repeat in the pattern would cost seven times as much, and every row of history carries several ids.
create domain exchange_id as text collate "C" check (length(value) <= 64 and value ~ '^[A-Za-z0-9][A-Za-z0-9._:-]*$');
-- an id in a row that refers to whatever has it: that row was judged already, and a million of them need not be again
create domain known_id as text collate "C";
create domain amount as numeric(38, 18) check (value <> 'NaN'::numeric);
create domain milliseconds as integer check (value > 0);

-- ── who and what ────────────────────────────────────────────────────────────────────────────────────────────

create table asset (
  id exchange_id primary key,
  created_at timestamptz not null default clock_timestamp()
);

create table trader (
  id exchange_id primary key,
  verification_level smallint not null default 0 check (verification_level between 0 and 9),
  created_at timestamptz not null default clock_timestamp()
);

create table account (
  id exchange_id primary key,
  trader_id exchange_id not null references trader (id),
  kind text not null check (kind in ('TRADER', 'LIQUIDITY_PROVIDER', 'INSURANCE_FUND')),
  mode text not null check (mode in ('CROSS', 'ISOLATED')),
  margin_asset_id exchange_id not null references asset (id),
  -- the transaction that last wrote the account, its balance or a position of it: whoever does locks the row, so that a
  -- reader of an older snapshot that wants to lock it fails to serialize, and a follower finds what it has not seen
  changed_in xid8 not null default pg_current_xact_id(),
  created_at timestamptz not null default clock_timestamp(),
  unique (id, margin_asset_id, kind, mode),
  check (kind = 'TRADER' or mode = 'CROSS')
);
create index on account (trader_id);
create index on account (changed_in);

create table insurance_fund (
  account_id exchange_id primary key,
  asset_id exchange_id not null,
  account_kind text not null default 'INSURANCE_FUND' check (account_kind = 'INSURANCE_FUND'),
  account_mode text not null default 'CROSS' check (account_mode = 'CROSS'),
  name text not null,
  per_event_cap amount check (per_event_cap >= 0),
  window_allowance amount check (window_allowance >= 0),
  allowance_window_ms milliseconds not null default 28800000,
  created_at timestamptz not null default clock_timestamp(),
  unique (account_id, asset_id),
  foreign key (account_id, asset_id, account_kind, account_mode) references account (id, margin_asset_id, kind, mode)
);

create table market (
  id exchange_id primary key,
  payoff text not null check (payoff in ('LINEAR', 'INVERSE')),
  expires_at timestamptz,
  status text not null default 'ACTIVE' check (status in ('ACTIVE', 'HALTED', 'SETTLED')),
  settlement_asset_id exchange_id not null references asset (id),
  contract_size amount not null check (contract_size > 0),
  price_tick amount not null check (price_tick > 0),
  size_step amount not null check (size_step > 0),
  insurance_fund_id exchange_id not null,
  liquidity_provider_id exchange_id not null,
  liquidity_provider_kind text not null default 'LIQUIDITY_PROVIDER' check (liquidity_provider_kind = 'LIQUIDITY_PROVIDER'),
  liquidity_provider_mode text not null default 'CROSS' check (liquidity_provider_mode = 'CROSS'),
  max_fee_rate amount not null default 0.0025 check (max_fee_rate >= 0),
  max_deviation amount not null default 0.10 check (max_deviation > 0 and max_deviation < 1),
  price_band amount not null default 0.10 check (price_band > 0),
  stale_after_ms milliseconds not null default 30000,
  bad_debt_limit amount not null default 0 check (bad_debt_limit >= 0),
  created_at timestamptz not null default clock_timestamp(),
  unique (id, settlement_asset_id),
  foreign key (insurance_fund_id, settlement_asset_id) references insurance_fund (account_id, asset_id),
  foreign key (liquidity_provider_id, settlement_asset_id, liquidity_provider_kind, liquidity_provider_mode)
    references account (id, margin_asset_id, kind, mode),
  -- every LINEAR value of whole steps at whole ticks is then exact on the money grid
  check (payoff = 'INVERSE' or min_scale(contract_size) + min_scale(size_step) + min_scale(price_tick) <= 18)
);

-- ── parameters: versioned rows, the newest version counts ──────────────────────────────────────────────────────

create table venue_parameters (
  version integer primary key check (version > 0),
  warning_ratio amount not null,
  call_ratio amount not null,
  liquidation_target amount not null,
  call_deadline_ms milliseconds not null,
  call_extension_cap_ms milliseconds not null,
  on_call_lapse text not null check (on_call_lapse in ('REDUCE_ONLY', 'LIQUIDATE')),
  stale_share amount not null check (stale_share >= 0 and stale_share < 1),
  accounts_per_lap integer not null check (accounts_per_lap > 0),
  changed_by text not null,
  reason text not null,
  created_at timestamptz not null default clock_timestamp(),
  check (0 < warning_ratio and warning_ratio < call_ratio and call_ratio < 1),
  check (0 < liquidation_target and liquidation_target < call_ratio)
);
insert into venue_parameters (version, warning_ratio, call_ratio, liquidation_target, call_deadline_ms,
  call_extension_cap_ms, on_call_lapse, stale_share, accounts_per_lap, changed_by, reason)
values (1, 0.66, 0.80, 0.75, 600000, 86400000, 'REDUCE_ONLY', 0.05, 100, 'backstop', 'defaults');

create table bracket_version (
  market_id exchange_id not null references market (id),
  version integer not null check (version > 0),
  changed_by text not null,
  reason text not null,
  created_at timestamptz not null default clock_timestamp(),
  primary key (market_id, version)
);

create table bracket (
  market_id exchange_id not null,
  version integer not null,
  floor amount not null check (floor >= 0),
  maintenance_rate amount not null check (maintenance_rate >= 0 and maintenance_rate < 1),
  initial_rate amount not null check (initial_rate >= maintenance_rate and initial_rate <= 1),
  primary key (market_id, version, floor),
  foreign key (market_id, version) references bracket_version (market_id, version)
);

create table policy_version (
  market_id exchange_id not null references market (id),
  version integer not null check (version > 0),
  score text not null check (score in ('LEVERAGED_RETURN', 'ACCOUNT_RETURN')),
  allocation text not null check (allocation in ('QUEUE', 'PRO_RATA')),
  price_basis text not null check (price_basis in ('BANKRUPTCY', 'MARK')),
  trigger text not null check (trigger in ('FUND_EXHAUSTED')),
  changed_by text not null,
  reason text not null,
  created_at timestamptz not null default clock_timestamp(),
  primary key (market_id, version)
);

-- ── state ───────────────────────────────────────────────────────────────────────────────────────────────────

create table balance (
  account_id exchange_id not null,
  asset_id exchange_id not null,
  account_kind text not null,
  account_mode text not null,
  amount amount not null default 0,
  sequence bigint not null default 0 check (sequence >= 0),
  primary key (account_id, asset_id),
  foreign key (account_id, asset_id, account_kind, account_mode) references account (id, margin_asset_id, kind, mode),
  constraint balance_fund_not_negative check (account_kind <> 'INSURANCE_FUND' or amount >= 0)
);

create table position (
  account_id exchange_id not null,
  market_id exchange_id not null,
  settlement_asset_id exchange_id not null,
  account_kind text not null check (account_kind <> 'INSURANCE_FUND'),
  account_mode text not null,
  size amount not null check (size <> 0),
  cost amount not null,
  primary key (account_id, market_id),
  foreign key (market_id, settlement_asset_id) references market (id, settlement_asset_id),
  foreign key (account_id, settlement_asset_id, account_kind, account_mode) references account (id, margin_asset_id, kind, mode)
);
create index on position (market_id);
create unique index position_isolated_has_one on position (account_id) where account_mode = 'ISOLATED';

-- ── facts from the exchange ─────────────────────────────────────────────────────────────────────────────────

create table price_mark (
  id bigint generated always as identity primary key,
  market_id exchange_id not null references market (id),
  external_id exchange_id not null,
  price amount not null check (price > 0),
  index_price amount check (index_price > 0),
  at timestamptz not null,
  received_at timestamptz not null default clock_timestamp(),
  -- LATE: older than the newest when it came; AHEAD: dated after now; SUSPECT: outside the band; CONFIRMED: was SUSPECT
  state text not null check (state in ('ACCEPTED', 'SUSPECT', 'CONFIRMED', 'LATE', 'AHEAD')),
  confirmed_by text,
  confirmed_at timestamptz,
  unique (market_id, external_id),
  check ((state = 'CONFIRMED') = (confirmed_by is not null) and (confirmed_by is null) = (confirmed_at is null))
);
create index price_mark_newest on price_mark (market_id, at desc, id desc) where state in ('ACCEPTED', 'CONFIRMED');
create index on price_mark (market_id, at desc, id desc);

create table depth_snapshot (
  id bigint generated always as identity primary key,
  market_id exchange_id not null references market (id),
  external_id exchange_id not null,
  at timestamptz not null,
  received_at timestamptz not null default clock_timestamp(),
  bid_prices numeric(38, 18)[] not null,
  bid_sizes numeric(38, 18)[] not null,
  ask_prices numeric(38, 18)[] not null,
  ask_sizes numeric(38, 18)[] not null,
  unique (market_id, external_id),
  check (cardinality(bid_prices) = cardinality(bid_sizes) and cardinality(ask_prices) = cardinality(ask_sizes)),
  check (cardinality(bid_prices) <= 1000 and cardinality(ask_prices) <= 1000)
);
create index on depth_snapshot (market_id, at desc, id desc);

create table trade (
  id bigint generated always as identity primary key,
  external_id exchange_id not null unique,
  market_id exchange_id not null references market (id),
  buyer_id exchange_id not null references account (id),
  seller_id exchange_id not null references account (id),
  size amount not null check (size > 0),
  price amount not null check (price > 0),
  buyer_fee amount not null default 0,
  seller_fee amount not null default 0,
  at timestamptz not null,
  received_at timestamptz not null default clock_timestamp(),
  check (buyer_id <> seller_id)
);
create index on trade (market_id, at);

create table transfer (
  id bigint generated always as identity primary key,
  external_id exchange_id not null unique,
  account_id exchange_id not null references account (id),
  asset_id exchange_id not null references asset (id),
  amount amount not null check (amount <> 0),
  at timestamptz not null,
  received_at timestamptz not null default clock_timestamp()
);
create index on transfer (account_id);

create table funding (
  id bigint generated always as identity primary key,
  external_id exchange_id not null unique,
  market_id exchange_id not null references market (id),
  at timestamptz not null,
  received_at timestamptz not null default clock_timestamp()
);

create table funding_payment (
  funding_id bigint not null references funding (id),
  account_id exchange_id not null references account (id),
  amount amount not null check (amount <> 0),
  primary key (funding_id, account_id)
);

-- A book taken over as it stood (import): the opening size and cost of a position.
create table opening_position (
  id bigint generated always as identity primary key,
  account_id exchange_id not null references account (id),
  market_id exchange_id not null references market (id),
  size amount not null check (size <> 0),
  cost amount not null,
  at timestamptz not null,
  unique (account_id, market_id)
);

-- ── jobs ────────────────────────────────────────────────────────────────────────────────────────────────────

create table job (
  id exchange_id primary key,
  interval_ms milliseconds not null,
  round bigint not null default 0 check (round >= 0),
  due_at timestamptz not null default clock_timestamp(),
  paused boolean not null default false
);
insert into job (id, interval_ms) values ('waterfall', 1000);

create table job_run (
  job_id exchange_id not null references job (id),
  round bigint not null check (round > 0),
  status text not null check (status in ('SUCCEEDED', 'FAILED')),
  worker text not null,
  started_at timestamptz not null,
  ended_at timestamptz not null,
  attempts integer not null check (attempts > 0),
  counts jsonb not null default '{}',
  failure text,
  primary key (job_id, round),
  check ((status = 'FAILED') = (failure is not null))
);

-- ── history of the waterfall ────────────────────────────────────────────────────────────────────────────────

create table lap (
  id bigint primary key check (id > 0),
  at timestamptz not null,
  outcome_digest text not null check (outcome_digest ~ '^[0-9a-f]{64}$'),
  more boolean not null
);

create table lap_price (
  lap_id bigint not null references lap (id),
  market_id exchange_id not null references market (id),
  price_mark_id bigint not null references price_mark (id),
  price amount not null check (price > 0),
  live boolean not null,
  primary key (lap_id, market_id)
);

create table market_status_change (
  id bigint generated always as identity primary key,
  market_id exchange_id not null references market (id),
  from_status text not null,
  to_status text not null check (to_status <> from_status),
  changed_by text not null,
  reason text not null,
  lap_id bigint references lap (id),
  at timestamptz not null
);
create index on market_status_change (market_id, at);

create table margin_status_transition (
  id bigint generated always as identity primary key,
  lap_id bigint not null references lap (id),
  account_id exchange_id not null references account (id),
  from_status text check (from_status in ('HEALTHY', 'WARNING', 'MARGIN_CALL', 'LIQUIDATABLE', 'BANKRUPT')),
  to_status text check (to_status in ('HEALTHY', 'WARNING', 'MARGIN_CALL', 'LIQUIDATABLE', 'BANKRUPT')),
  held boolean not null,
  equity amount,
  maintenance amount,
  at timestamptz not null
);
create index on margin_status_transition (account_id, id desc);

create table margin_call (
  id bigint generated always as identity primary key,
  account_id exchange_id not null references account (id),
  lap_id bigint not null references lap (id),
  transition_id bigint not null references margin_status_transition (id),
  status text not null default 'OPEN' check (status in ('OPEN', 'MET', 'LAPSED')),
  amount_required amount not null check (amount_required >= 0),
  equity amount not null,
  maintenance amount not null,
  called_at timestamptz not null,
  deadline timestamptz not null,
  latest_deadline timestamptz not null,
  on_lapse text not null check (on_lapse in ('REDUCE_ONLY', 'LIQUIDATE')),
  lapse_reason text check (lapse_reason in ('LIQUIDATABLE', 'DEADLINE')),
  ended_at timestamptz,
  ended_lap_id bigint references lap (id),
  released_at timestamptz,
  check (called_at < deadline and deadline <= latest_deadline),
  check ((status = 'OPEN') = (ended_at is null) and (ended_at is null) = (ended_lap_id is null)),
  check ((status = 'LAPSED') = (lapse_reason is not null)),
  check (released_at is null or status = 'LAPSED')
);
create unique index margin_call_one_open on margin_call (account_id) where status = 'OPEN';
create index on margin_call (account_id, id desc);

create table margin_call_extension (
  id bigint generated always as identity primary key,
  margin_call_id bigint not null references margin_call (id),
  deadline_before timestamptz not null,
  deadline_after timestamptz not null check (deadline_after > deadline_before),
  changed_by text not null,
  reason text not null,
  at timestamptz not null default clock_timestamp()
);

create table liquidation (
  id bigint generated always as identity primary key,
  lap_id bigint not null references lap (id),
  account_id exchange_id not null references account (id),
  market_id exchange_id not null references market (id),
  reason text not null check (reason in ('LIQUIDATABLE', 'BANKRUPT', 'CALL_LAPSED')),
  kind text not null check (kind in ('PARTIAL', 'FULL')),
  stopped_by text not null check (stopped_by in ('TARGET', 'DEPTH', 'DEVIATION', 'FUND')),
  mark amount not null check (mark > 0),
  size_before amount not null check (size_before <> 0),
  cost_before amount not null,
  equity_before amount not null,
  maintenance_before amount not null,
  bankruptcy_value amount not null,
  target amount not null check (target > 0 and target <= abs(size_before)),
  closed amount not null check (closed >= 0 and closed <= target),
  close_value amount not null,
  realized_pnl amount not null,
  fund_delta amount not null,
  fund_may_pay amount not null check (fund_may_pay >= 0),
  fund_balance_before amount not null check (fund_balance_before >= 0),
  depth_snapshot_id bigint references depth_snapshot (id),
  best_price amount,
  depth_size amount not null check (depth_size >= 0),
  equity_after amount not null,
  maintenance_after amount not null,
  at timestamptz not null,
  check (fund_delta >= -fund_may_pay),
  unique (lap_id, account_id, market_id),
  unique (id, account_id)
);
create index on liquidation (account_id, id desc);
create index on liquidation (market_id, id desc);

create table liquidation_fill (
  liquidation_id bigint not null references liquidation (id),
  ordinal integer not null check (ordinal > 0),
  depth_snapshot_id bigint not null references depth_snapshot (id),
  depth_side text not null check (depth_side in ('BID', 'ASK')),
  depth_level integer not null check (depth_level > 0),
  price amount not null check (price > 0),
  size amount not null check (size > 0),
  value amount not null,
  primary key (liquidation_id, ordinal)
);
create index on liquidation_fill (depth_snapshot_id, depth_side, depth_level);

create table ranking (
  id bigint generated always as identity primary key,
  lap_id bigint not null references lap (id),
  market_id exchange_id not null references market (id),
  side text not null check (side in ('LONG', 'SHORT')),
  digest text not null check (digest ~ '^[0-9a-f]{64}$'),
  policy_version integer not null,
  score_name text not null,
  queue_length integer not null check (queue_length >= 0),
  queue_size amount not null check (queue_size >= 0),
  unique (lap_id, market_id, side),
  foreign key (market_id, policy_version) references policy_version (market_id, version)
);

create table ranking_entry (
  ranking_id bigint not null references ranking (id),
  rank integer not null check (rank > 0),
  account_id known_id not null references account (id),
  size amount not null check (size > 0),
  size_ahead amount not null check (size_ahead >= 0),
  level smallint not null check (level between 1 and 5),
  score amount,
  profit_ratio amount not null,
  leverage amount,
  primary key (ranking_id, rank),
  unique (ranking_id, account_id)
);

create table deleverage_event (
  id bigint generated always as identity primary key,
  lap_id bigint not null references lap (id),
  market_id exchange_id not null references market (id),
  account_id exchange_id not null references account (id),
  side text not null check (side in ('LONG', 'SHORT')),
  ranking_id bigint not null references ranking (id),
  liquidation_id bigint references liquidation (id),
  policy_version integer not null,
  price_basis text not null check (price_basis in ('BANKRUPTCY', 'MARK')),
  -- the reading of the trigger: what was missing, what the fund had and might pay, what it paid
  trigger_metric text not null check (trigger_metric in ('FUND_EXHAUSTED')),
  deficit amount not null check (deficit >= 0),
  fund_balance_before amount not null check (fund_balance_before >= 0),
  fund_allowance_before amount,
  fund_may_pay amount not null check (fund_may_pay >= 0),
  fund_paid amount not null check (fund_paid >= 0),
  best_price amount,
  depth_size amount,
  mark amount not null check (mark > 0),
  mark_value amount not null,
  bankruptcy_value amount not null,
  bankruptcy_price amount,
  price_value amount not null,
  price amount,
  clamped boolean not null,
  size_before amount not null check (size_before <> 0),
  cost_before amount not null,
  equity_before amount not null check (equity_before < 0),
  maintenance_before amount not null,
  size_deleveraged amount not null check (size_deleveraged >= 0),
  size_closed_at_mark amount not null check (size_closed_at_mark >= 0),
  realized_pnl amount not null,
  at timestamptz not null,
  check (fund_paid <= fund_may_pay and fund_paid <= deficit),
  check (size_deleveraged + size_closed_at_mark = abs(size_before)),
  check ((size_before > 0) = (side = 'SHORT')),
  unique (lap_id, account_id, market_id),
  foreign key (market_id, policy_version) references policy_version (market_id, version),
  unique (id, account_id)
);
create index on deleverage_event (market_id, id desc);
create index on deleverage_event (account_id, id desc);

create table deleverage_leg (
  id bigint generated always as identity primary key,
  event_id bigint not null,
  ordinal integer not null check (ordinal > 0),
  stage text not null check (stage in ('DELEVERAGE', 'CLOSE_AT_MARK')),
  account_id known_id not null references account (id),
  bankrupt_account_id known_id not null,
  rank integer check (rank > 0),
  queue_length integer,
  size_ahead amount,
  score amount,
  profit_ratio amount,
  leverage amount,
  level_shown smallint check (level_shown between 1 and 5),
  level_shown_at timestamptz,
  size_before amount not null check (size_before <> 0),
  size_closed amount not null check (size_closed > 0 and size_closed <= abs(size_before)),
  size_after amount not null check (abs(size_after) = abs(size_before) - size_closed and sign(size_after) in (0, sign(size_before))),
  cost_before amount not null,
  cost_after amount not null,
  value amount not null,
  mark_value amount not null,
  price amount,
  realized_pnl amount not null,
  concession amount not null,
  -- null: a HELD counterparty of step 6, of which some other price was never received
  equity_before amount,
  equity_after amount,
  maintenance_before amount,
  maintenance_after amount,
  leverage_before amount,
  leverage_after amount,
  entry_price_before amount,
  entry_price_after amount,
  unique (event_id, ordinal),
  -- what the counterparty of a forced trade is held against
  unique (id, account_id),
  foreign key (event_id, bankrupt_account_id) references deleverage_event (id, account_id),
  check (account_id <> bankrupt_account_id),
  check (concession = mark_value - value)
);
create index on deleverage_leg (account_id, id desc);

create table deleverage_skip (
  event_id bigint not null references deleverage_event (id),
  account_id exchange_id not null references account (id),
  rank integer check (rank > 0),
  reason text not null check (reason in ('NON_OVERLAPPING_BANKRUPTCY', 'WOULD_BREACH_MARGIN', 'HELD')),
  size amount not null check (size > 0),
  equity amount,
  maintenance amount,
  initial amount,
  primary key (event_id, account_id)
);

create table deficit_cover (
  id bigint generated always as identity primary key,
  lap_id bigint not null references lap (id),
  account_id exchange_id not null references account (id),
  market_id exchange_id references market (id),
  fund_id exchange_id references insurance_fund (account_id),
  shortfall amount not null check (shortfall > 0),
  fund_balance_before amount check (fund_balance_before >= 0),
  fund_may_pay amount check (fund_may_pay >= 0),
  fund_paid amount not null check (fund_paid >= 0),
  bad_debt amount not null check (bad_debt >= 0),
  at timestamptz not null,
  check (fund_paid + bad_debt = shortfall),
  check ((market_id is null) = (fund_id is null) and (fund_id is not null or fund_paid = 0))
);

create table forced_trade (
  id bigint generated always as identity primary key,
  lap_id bigint not null,
  market_id known_id not null,
  kind text not null check (kind in ('LIQUIDATION', 'DELEVERAGE', 'CLOSE_AT_MARK')),
  account_id known_id not null,
  counterparty_id known_id not null,
  side text not null check (side in ('LONG', 'SHORT')),
  size amount not null check (size > 0),
  value amount not null,
  price amount,
  liquidation_id bigint,
  leg_id bigint,
  at timestamptz not null,
  -- the row that it repeats for the exchange vouches for lap, market and the other party; invariant_violations compares
  foreign key (liquidation_id, account_id) references liquidation (id, account_id),
  foreign key (leg_id, counterparty_id) references deleverage_leg (id, account_id),
  check (account_id <> counterparty_id),
  check ((liquidation_id is null) <> (leg_id is null) and (kind = 'LIQUIDATION') = (liquidation_id is not null))
);
create index on forced_trade (market_id, id);

-- The level of each position last published, and when: what its owner could have seen. Derived, replaced by each lap.
create table adl_level (
  account_id known_id not null,
  market_id known_id not null,
  level smallint not null check (level between 1 and 5),
  rank integer not null check (rank > 0),
  ranking_digest text not null,
  lap_id bigint not null,
  shown_at timestamptz not null,
  primary key (account_id, market_id)
);

-- ── every change of every position and of every balance ────────────────────────────────────────────────────────

create table position_change (
  id bigint generated always as identity primary key,
  account_id known_id not null references account (id),
  market_id known_id not null references market (id),
  cause text not null check (cause in ('OPENING', 'TRADE', 'LIQUIDATION', 'DELEVERAGE')),
  cause_id bigint not null,
  size_change amount not null check (size_change <> 0),
  cost_change amount not null,
  realized_pnl amount not null,
  size_after amount not null,
  cost_after amount not null,
  at timestamptz not null,
  check (size_after <> 0 or cost_after = 0)
);
create index on position_change (account_id, market_id, id);

create table ledger_entry (
  id bigint generated always as identity primary key,
  account_id known_id not null,
  asset_id known_id not null,
  sequence bigint not null check (sequence > 0),
  amount amount not null check (amount <> 0),
  balance_after amount not null,
  kind text not null check (kind in ('OPENING', 'TRANSFER', 'TRADING_FEE', 'REALIZED_PNL', 'FUNDING', 'LIQUIDATION_FEE', 'FUND_PAYMENT', 'BAD_DEBT')),
  cause text not null check (cause in ('OPENING', 'TRANSFER', 'TRADE', 'FUNDING', 'LIQUIDATION', 'DELEVERAGE', 'COVER')),
  cause_id bigint not null,
  market_id known_id references market (id),
  lap_id bigint references lap (id),
  at timestamptz not null,
  unique (account_id, asset_id, sequence),
  foreign key (account_id, asset_id) references balance (account_id, asset_id),
  check (kind <> 'BAD_DEBT' or amount > 0)
);
