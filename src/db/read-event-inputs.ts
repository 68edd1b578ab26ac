import { dec } from '../risk/decimal.js';
import type { Instant } from '../risk/instant.js';
import type { Account } from '../risk/margin.js';
import type { Reader } from './connect.js';
import { loadTermsAt, type Circumstances, type MarkFact } from './risk-state.js';

/** What is stored of an event, in columns as they are named, amounts as text. */
export type StoredRow = Readonly<Record<string, string | number | boolean | null>>;

/** An event as it is stored, and everything that it was decided by. Nothing of it is of the present. */
export interface EventInputs {
  readonly lapId: string;
  readonly circumstances: Circumstances;
  /** Everybody who ever held the market, and its fund, as the lap began; and as they stood before the event. */
  readonly atStart: readonly Account[];
  readonly before: readonly Account[];
  /** Before the first event of the account in the lap: all of its bankruptcy values are of that moment. */
  readonly bankrupt: Account;
  readonly event: StoredRow;
  readonly ranking: StoredRow;
  readonly entries: readonly StoredRow[];
  readonly legs: readonly StoredRow[];
  readonly skips: readonly StoredRow[];
}

/** First rows that do not count any more; a lap writes its own in the order in which it decided them. */
interface Cut {
  readonly position: string;
  readonly ledger: string;
}

/** Undefined: there is no such event. Call it inside a repeatable-read transaction. */
export async function readEventInputs(reader: Reader, eventId: string): Promise<EventInputs | undefined> {
  const [event] = await reader<(StoredRow & Record<'lap_id' | 'market_id' | 'account_id' | 'ranking_id', string>)[]>`
    select * from deleverage_event where id = ${eventId}::bigint`;
  if (event === undefined) return undefined;
  const { lap_id: lapId, market_id: marketId, account_id: bankruptId, ranking_id: rankingId } = event;
  const [ranking] = await reader<StoredRow[]>`select * from ranking where id = ${rankingId}`;
  const [lap] = await reader<{ at: Instant }[]>`select at from lap where id = ${lapId}`;
  if (ranking === undefined || lap === undefined) throw new Error(`event ${eventId} without its ranking or lap`);
  const cuts = await readCuts(reader, { eventId, lapId, bankruptId });
  const accountsAt = (cut: Cut): Promise<Account[]> => readAccountsAt(reader, { marketId, lapId }, cut);
  const bankrupt = (await accountsAt(cuts.ofBankrupt)).find(({ id }) => id === bankruptId);
  if (bankrupt === undefined) throw new Error(`event ${eventId} without its account`);
  return {
    lapId,
    circumstances: await readCircumstances(reader, lapId, lap.at),
    atStart: await accountsAt(cuts.ofLap),
    before: await accountsAt(cuts.ofEvent),
    bankrupt,
    ...{ event, ranking },
    entries: await reader<StoredRow[]>`select * from ranking_entry where ranking_id = ${rankingId} order by rank`,
    legs: await reader<StoredRow[]>`select * from deleverage_leg where event_id = ${eventId} order by ordinal`,
    skips: await reader<StoredRow[]>`
      select * from deleverage_skip where event_id = ${eventId} order by rank nulls last, account_id collate "C"`,
  };
}

async function readCuts(
  reader: Reader,
  { eventId, lapId, bankruptId }: { readonly eventId: string; readonly lapId: string; readonly bankruptId: string },
): Promise<Record<'ofLap' | 'ofBankrupt' | 'ofEvent', Cut>> {
  // What moves nothing in cash leaves no entry; then the lap's entries behind it are of later events.
  const [row] = await reader<Record<string, string>[]>`
    with events as (select id, account_id from deleverage_event where lap_id = ${lapId}),
    liquidations as (select id from liquidation where lap_id = ${lapId}),
    changes as (
      select c.id, c.cause, c.cause_id, e.account_id as bankrupt_id from position_change c left join events e on e.id = c.cause_id
      where (c.cause = 'DELEVERAGE' and e.id is not null)
        or (c.cause = 'LIQUIDATION' and c.cause_id in (select id from liquidations))),
    entries as (
      select l.id, l.cause, l.cause_id, e.account_id as bankrupt_id
      from ledger_entry l left join events e on l.cause = 'DELEVERAGE' and e.id = l.cause_id where l.lap_id = ${lapId}),
    bounds as (select coalesce(max(id), 0) + 1 as behind from ledger_entry where lap_id <= ${lapId})
    select (select min(id) from changes) as lap_position,
      coalesce((select min(id) from entries), (select behind from bounds)) as lap_ledger,
      (select min(id) from changes where cause = 'DELEVERAGE' and bankrupt_id = ${bankruptId}) as bankrupt_position,
      coalesce((select min(id) from entries where cause = 'DELEVERAGE' and bankrupt_id = ${bankruptId}),
        (select behind from bounds)) as bankrupt_ledger,
      (select min(id) from changes where cause = 'DELEVERAGE' and cause_id = ${eventId}) as event_position,
      coalesce((select min(id) from entries where cause = 'DELEVERAGE' and cause_id = ${eventId}),
        (select behind from bounds)) as event_ledger`;
  const cut = (name: string): Cut => ({
    position: row?.[`${name}_position`] ?? '0',
    ledger: row?.[`${name}_ledger`] ?? '0',
  });
  return { ofLap: cut('lap'), ofBankrupt: cut('bankrupt'), ofEvent: cut('event') };
}

interface Line extends Pick<Account, 'id' | 'kind' | 'mode' | 'exempt'> {
  readonly asset: string;
  readonly balance: string;
  readonly positions: readonly (readonly [marketId: string, size: string, cost: string])[] | null;
}

/** From the history of positions, ledgers and exemptions alone. */
async function readAccountsAt(
  reader: Reader,
  { marketId, lapId }: { readonly marketId: string; readonly lapId: string },
  cut: Cut,
): Promise<Account[]> {
  const lines = await reader<Line[]>`
    select a.id, a.kind, a.mode, a.margin_asset_id as asset,
      exists (select from exemption_status where account_id = a.id and first_lap <= ${lapId}::bigint
        and (last_lap is null or last_lap >= ${lapId}::bigint)) as exempt,
      coalesce((select balance_after from ledger_entry where account_id = a.id and id < ${cut.ledger}::bigint
        order by sequence desc limit 1), 0) as balance,
      (select json_agg(json_build_array(p.market_id, p.size_after::text, p.cost_after::text) order by p.market_id)
       from (select distinct on (market_id) market_id, size_after, cost_after from position_change
             where account_id = a.id and id < ${cut.position}::bigint order by market_id, id desc) p
       where p.size_after <> 0) as positions
    from account a
    where a.id in (select account_id from position_change where market_id = ${marketId}
      union select insurance_fund_id from market where id = ${marketId})
    order by a.id collate "C"`;
  return lines.map(({ id, kind, mode, exempt, asset, balance, positions }) => ({
    ...{ id, kind, mode, exempt },
    marginAssetId: asset,
    balance: dec(balance),
    positions: new Map((positions ?? []).map(([market, size, cost]) => [market, { size: dec(size), cost: dec(cost) }])),
  }));
}

async function readCircumstances(reader: Reader, lapId: string, at: Instant): Promise<Circumstances> {
  const rows = await reader<{ market_id: string; price_mark_id: string; price: string; live: boolean; at: Instant }[]>`
    select l.market_id, l.price_mark_id, l.price, l.live, p.at
    from lap_price l join price_mark p on p.id = l.price_mark_id where l.lap_id = ${lapId} order by l.market_id`;
  const marks = new Map(
    rows.map((r): [string, MarkFact] => [
      r.market_id,
      { priceMarkId: r.price_mark_id, price: dec(r.price), at: r.at, live: r.live },
    ]),
  );
  return { at, marks, funds: new Map(), ...(await loadTermsAt(reader, at)) };
}
