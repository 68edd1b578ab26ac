-- The mark some time after an ADL leg, and what the leg conceded against it.

create view leg_mark_later as
select l.id as leg_id, l.event_id, l.ordinal, l.account_id, e.market_id, e.at as leg_at, d.after_seconds,
  w.due_at, trim_scale(p.price) as mark, p.at as mark_at,
  trim_scale(value_at(m.payoff, m.contract_size, m.size_step, sign(l.size_before) * l.size_closed, p.price) - l.value) as concession
from deleverage_leg l
join deleverage_event e on e.id = l.event_id
join market m on m.id = e.market_id
cross join (values (60), (300), (3600)) as d (after_seconds)
cross join lateral (select e.at + d.after_seconds * interval '1 second' as due_at) w
left join lateral (
  select price, at from price_mark
  where market_id = e.market_id and state in ('ACCEPTED', 'CONFIRMED')
    and at > e.at and at <= w.due_at and w.due_at <= backstop_now()
  order by at desc, id desc limit 1) p on true;

comment on view leg_mark_later is 'The mark 60, 300 and 3,600 seconds after each ADL leg: the newest price in force at or before that instant and since the leg.';
comment on column leg_mark_later.leg_id is 'The leg.';
comment on column leg_mark_later.event_id is 'Its event.';
comment on column leg_mark_later.ordinal is 'Its place in the event, from 1.';
comment on column leg_mark_later.account_id is 'The counterparty.';
comment on column leg_mark_later.market_id is 'The market.';
comment on column leg_mark_later.leg_at is 'Lap time of the leg.';
comment on column leg_mark_later.after_seconds is 'Seconds after the leg: 60, 300 or 3,600.';
comment on column leg_mark_later.due_at is 'The instant so many seconds after the leg.';
comment on column leg_mark_later.mark is 'The mark then, in quote units. Null: that instant has not come, or no price since the leg was accepted by then.';
comment on column leg_mark_later.mark_at is 'When that price was made. Null likewise.';
comment on column leg_mark_later.concession is 'Value of the closed part at that mark − value of the leg, signed as the counterparty''s position, in the settlement asset: positive = given up. Null likewise.';
