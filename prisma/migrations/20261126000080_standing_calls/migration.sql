-- Calls that stand are few of many, and read by every lap and for every stream of them.
create index margin_call_standing on margin_call (id) where status = 'OPEN' or (status = 'LAPSED' and released_at is null);
