import type { Instant } from '../risk/instant.js';
import { dec, type Decimal } from '../risk/decimal.js';
import type { Terms } from '../risk/contract.js';
import type { Reader } from './connect.js';
import { byParent } from './read-page.js';

/** So long after a leg it is looked at again. */
const AFTER_SECONDS = [60, 300, 3600];

export interface LaterMarkRow {
  readonly legId: string;
  readonly afterSeconds: number;
  readonly dueAt: Instant;
  /** Null: that instant has not come, or no price came since the leg. */
  readonly mark: Decimal | null;
  readonly contract: Terms;
}

interface Row {
  readonly legId: string;
  readonly afterSeconds: number;
  readonly dueAt: Instant;
  readonly mark: string | null;
  readonly payoff: Terms['payoff'];
  readonly contractSize: string;
  readonly sizeStep: string;
}

/** Of each leg three, the soonest first. */
export async function readLaterMarks(reader: Reader, legIds: readonly string[]): Promise<LaterMarkRow[][]> {
  const rows = await reader<Row[]>`
    select l.id as "legId", d.seconds as "afterSeconds", w.due_at as "dueAt", p.price as mark, m.payoff,
      m.contract_size as "contractSize", m.size_step as "sizeStep"
    from deleverage_leg l
    join deleverage_event e on e.id = l.event_id
    join market m on m.id = e.market_id
    cross join unnest(${AFTER_SECONDS}::integer[]) as d (seconds)
    cross join lateral (select e.at + d.seconds * interval '1 second' as due_at) w
    left join lateral (
      select k.price from price_mark k
      where k.market_id = e.market_id and k.state in ('ACCEPTED', 'CONFIRMED')
        and k.at > e.at and k.at <= w.due_at and w.due_at <= backstop_now()
      order by k.at desc, k.id desc limit 1) p on true
    where l.id = any(${[...legIds]}::bigint[])
    order by l.id, d.seconds`;
  const laterMarks = rows.map(({ legId, afterSeconds, dueAt, mark, payoff, contractSize, sizeStep }) => ({
    ...{ legId, afterSeconds, dueAt },
    mark: mark === null ? null : dec(mark),
    contract: { payoff, contractSize: dec(contractSize), sizeStep: dec(sizeStep) },
  }));
  return byParent(legIds, laterMarks, (row) => row.legId);
}
