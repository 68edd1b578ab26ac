import type { Chain } from './chains.js';
import type { Reader } from './connect.js';
import { ledgerColumns, withFacts, type LedgerRow } from './read-accounts.js';
import type { DeleverageEventRow } from './read-deleverage.js';
import { readEvents, readLegs, type DeleverageLegRow } from './read-deleverage.js';
import type { JobRunRow } from './read-jobs.js';
import { readRunColumns } from './read-jobs.js';
import { readForcedTrades, type ForcedTradeRow } from './read-liquidations.js';

/**
 * What came since an id, in commit order. Unless it says otherwise, what is read here is written by laps alone, one lap at a
 * time from its first statement to its commit, so ids ascend in commit order and a reader that goes on from the last one
 * misses none.
 */
export interface Since {
  readonly after: string;
  readonly limit: number;
}

/** Null: of all. */
type Ids = readonly string[] | null;

export async function readEventsSince(reader: Reader, since: Since, markets: Ids): Promise<DeleverageEventRow[]> {
  const rows = await reader<{ id: string }[]>`
    select id from deleverage_event where id > ${since.after}::bigint and ${among(reader, 'market_id', markets)}
    order by id limit ${since.limit}`;
  return present(
    await readEvents(
      reader,
      rows.map(({ id }) => id),
    ),
  );
}

/** `traderId`: only those of his accounts; null: all. */
export async function readLegsSince(
  reader: Reader,
  since: Since,
  traderId: string | null,
): Promise<DeleverageLegRow[]> {
  const rows = await reader<{ id: string }[]>`
    select l.id from deleverage_leg l join account a on a.id = l.account_id
    where l.id > ${since.after}::bigint and (${traderId}::text is null or a.trader_id = ${traderId}) order by l.id limit ${since.limit}`;
  return present(
    await readLegs(
      reader,
      rows.map(({ id }) => id),
    ),
  );
}

export async function readForcedTradesSince(reader: Reader, since: Since, markets: Ids): Promise<ForcedTradeRow[]> {
  const rows = await reader<{ id: string }[]>`
    select id from forced_trade where id > ${since.after}::bigint and ${among(reader, 'market_id', markets)}
    order by id limit ${since.limit}`;
  return present(
    await readForcedTrades(
      reader,
      rows.map(({ id }) => id),
    ),
  );
}

/** Rounds of a job; a round is taken under the lock of the job's row, so they ascend as well. */
export async function readRunsSince(reader: Reader, since: Since, jobId: string): Promise<JobRunRow[]> {
  return reader<JobRunRow[]>`
    select ${readRunColumns(reader)} from job_run r where r.job_id = ${jobId} and r.round > ${since.after}::bigint
    order by r.round limit ${since.limit}`;
}

export interface PlacedLedgerRow extends LedgerRow {
  /** Its sequence in the chain of the fund ledger. */
  readonly place: string;
}

/**
 * Entries of insurance funds. Feeds and laps write them side by side, so their ids do not ascend in commit order: the places in
 * their chain do, since only what is committed is sealed. `funds`: ids of their accounts.
 */
export async function readFundEntriesSince(reader: Reader, since: Since, funds: Ids): Promise<PlacedLedgerRow[]> {
  return reader<PlacedLedgerRow[]>`
    select ${ledgerColumns(reader)}, l.sequence as place
    from chain_link l join ledger_entry e on e.id = l.row_id ${withFacts(reader)}
    where l.chain = 'FUND_LEDGER' and l.sequence > ${since.after}::bigint and ${among(reader, 'e.account_id', funds)}
    order by l.sequence limit ${since.limit}`;
}

/** Of the newest link, or 0. */
export async function readNewestSequence(reader: Reader, chain: Chain): Promise<string> {
  const [row] = await reader<{ sequence: string }[]>`
    select sequence::text as sequence from chain_head where chain = ${chain}`;
  return row?.sequence ?? '0';
}

export type Stream = 'deleverage_event' | 'deleverage_leg' | 'forced_trade' | 'margin_call';

/** The newest id of a table, or 0: what a stream from now on goes on behind. */
export async function readNewestId(reader: Reader, stream: Stream): Promise<string> {
  const [row] = await reader<{ id: string }[]>`select coalesce(max(id), 0)::text as id from ${reader(stream)}`;
  return row?.id ?? '0';
}

export async function readNewestRound(reader: Reader, jobId: string): Promise<string> {
  const [row] = await reader<{ round: string }[]>`
    select coalesce(max(round), 0)::text as round from job_run where job_id = ${jobId}`;
  return row?.round ?? '0';
}

function among(reader: Reader, column: string, ids: Ids): ReturnType<Reader> {
  return ids === null ? reader`true` : reader`${reader(column)} = any(${[...ids]}::text[])`;
}

function present<T>(rows: readonly (T | null)[]): T[] {
  return rows.filter((row): row is T & NonNullable<T> => row !== null);
}
