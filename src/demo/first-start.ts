import type { Sql } from '../db/connect.js';
import { hasAccount, hasTrade, loadPriceTimes, withDemoLock } from '../db/demo-state.js';
import { hasNothing } from '../db/record-book.js';
import { readClock } from '../db/record-notice.js';
import { importBookLines } from '../ingest/import-book.js';
import { contributeToFund, createAccount, createTrader } from '../ingest/accounts.js';
import { recordTrades } from '../ingest/trades.js';
import { recordTransfers, type TransferInput } from '../ingest/transfers.js';
import { dec, type Decimal } from '../risk/decimal.js';
import { addMilliseconds, type Instant } from '../risk/instant.js';
import { demoBook, numbered, rungs } from './book.js';
import { MARKETS, NEXT_FUND, NEXT_LONGS, NEXT_SHORTS, WHALE, WHALE_SHORTS } from './parameters.js';
import { crashLengthMs, crashPath } from './path.js';
import { minuteId, playMinute, runLaps } from './play.js';

/** Nothing is stored here, or a first start began to load the demonstration and was interrupted. */
export async function isEmpty(sql: Sql): Promise<boolean> {
  return (await hasNothing(sql)) || (await isUnfinished(sql));
}

async function isUnfinished(sql: Sql): Promise<boolean> {
  return (await hasAccount(sql, WHALE.id)) && !(await hasTrade(sql, lastTradeId()));
}

/**
 * Plays the crash at full speed, shifted so that it ends now, then opens the longs that wait for the next one. Started
 * again after an interruption it goes on where it was; a second process waits and finds it done.
 */
export async function loadDemo(sql: Sql, now?: Instant): Promise<void> {
  await withDemoLock(sql, async () => {
    if (!(await isEmpty(sql))) return;
    const end = now ?? (await readClock(sql));
    const path = crashPath(addMilliseconds(end, -crashLengthMs()));
    const [first, last] = [path[0], path.at(-1)];
    if (first === undefined || last === undefined) throw new Error('the path is empty');
    if (!(await hasAccount(sql, WHALE.id))) await importBookLines(sql, demoBook(first), { at: first.at });
    const played = await loadPriceTimes(sql, 'BTCUSDT');
    for (const [index, minute] of path.entries()) {
      if (played.has(minuteId(index + 1))) continue;
      // The last one played may lack its depth or its laps. At its own time it is the same minute, and twice is once.
      await playMinute(sql, { ...minute, at: played.get(minuteId(index)) ?? minute.at }, index);
    }
    const endedAt = played.get(minuteId(path.length - 1)) ?? last.at;
    await openNextLongs(sql, last.marks.BTCUSDT, endedAt);
    await runLaps(sql, endedAt);
  });
}

interface NextLong {
  readonly id: string;
  readonly size: Decimal;
  readonly leverage: Decimal;
}

function nextLongs(): NextLong[] {
  return NEXT_LONGS.flatMap((group) =>
    rungs(group).map((leverage, index) => ({ id: numbered(group.name, index + 1), size: dec(group.size), leverage })),
  );
}

function sellers(): string[] {
  return Array.from({ length: NEXT_SHORTS.count }, (_, index) => numbered(WHALE_SHORTS.name, index + 1));
}

/** The last one stored: with it the demonstration is whole. */
function lastTradeId(): string {
  return tradeId(nextLongs().at(-1)?.id ?? '', sellers().at(-1) ?? '');
}

function tradeId(buyerId: string, sellerId: string): string {
  return `next-${buyerId}-${sellerId}`;
}

/** At the last price, against desks that survived the crash. */
async function openNextLongs(sql: Sql, price: Decimal, at: Instant): Promise<void> {
  const longs = nextLongs();
  const transfers: TransferInput[] = sellers().map((accountId) => transfer(accountId, dec(NEXT_SHORTS.deposit), at));
  for (const { id, size, leverage } of longs) {
    await createTrader(sql, { id });
    await createAccount(sql, { id, traderId: id, marginAssetId: 'USDT' });
    transfers.push(transfer(id, size.times(price).dividedBy(leverage).toDecimalPlaces(2), at));
  }
  await contributeToFund(sql, { id: `next-${NEXT_FUND.fundId}`, ...NEXT_FUND, at });
  await recordTransfers(sql, transfers);
  const trades = longs.flatMap(({ id: buyerId, size }) =>
    sellers().map((sellerId, index) => ({
      id: tradeId(buyerId, sellerId),
      marketId: 'BTCUSDT',
      buyerId,
      sellerId,
      size: share(size, index).toFixed(),
      price: price.toFixed(),
      at,
    })),
  );
  await recordTrades(sql, trades);
}

/** What the seller of that number takes of a size: even, down to a step, the last one takes the rest. */
function share(size: Decimal, index: number): Decimal {
  const step = dec(MARKETS.BTCUSDT.sizeStep);
  const even = size.dividedToIntegerBy(step.times(NEXT_SHORTS.count)).times(step);
  return index < NEXT_SHORTS.count - 1 ? even : size.minus(even.times(NEXT_SHORTS.count - 1));
}

function transfer(accountId: string, amount: Decimal, at: Instant): TransferInput {
  return { id: `next-${accountId}`, accountId, assetId: 'USDT', amount: amount.toFixed(), at };
}
