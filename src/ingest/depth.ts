import type { Sql, Tx } from '../db/connect.js';
import { insertDepths, loadDepths, type DepthLevel } from '../db/record-depth.js';
import { announce, readClock } from '../db/record-notice.js';
import { loadTradedMarkets, type TradedMarket } from '../db/record-parties.js';
import { inTransaction } from '../db/transaction.js';
import { storeFresh } from './fresh-rows.js';
import { checkPrice, knownMarket } from './market-facts.js';
import {
  openRow,
  parseAmount,
  parseRows,
  readId,
  readInstant,
  readList,
  refuse,
  type Optional,
  type Row,
} from './parse.js';
import type { KeyedFact } from './repeats.js';
import type { Recorded } from './transfers.js';

export interface DepthInput {
  /** The exchange's id of this picture of the order book, unique within its market. */
  readonly id: string;
  readonly marketId: string;
  readonly at?: Optional<string>;
  /** [price, size], best first. Sizes in contracts; what is less than a size step is of no use and stays unused. */
  readonly bids: readonly (readonly [price: string, size: string])[];
  readonly asks: readonly (readonly [price: string, size: string])[];
}

export interface DepthRow extends KeyedFact {
  readonly id: string;
  readonly marketId: string;
  readonly bids: readonly DepthLevel[];
  readonly asks: readonly DepthLevel[];
}

/** Levels of one side; deeper ones have not been filled in any crash on record. */
const MAX_LEVELS = 1000;

/** Pictures of order books. The newest by time counts; an older one that comes late is kept and never used. */
export async function recordDepth(sql: Sql, input: readonly DepthInput[]): Promise<Recorded> {
  const rows = parseRows(input, 'depth').map(parseDepth);
  return inTransaction(sql, { isolation: 'read committed' }, (tx) => applyDepth(tx, rows));
}

export function parseDepth(value: unknown, rowIndex: number): DepthRow {
  const row = openRow(value, ['id', 'marketId', 'at', 'bids', 'asks'], rowIndex);
  const id = readId(row, 'id');
  const marketId = readId(row, 'marketId');
  const bids = readLevels(row, 'bids');
  const asks = readLevels(row, 'asks');
  const [bid, ask] = [bids[0], asks[0]];
  if (bid !== undefined && ask !== undefined && bid.price.gte(ask.price)) {
    refuse(row, 'asks', `the best ask ${ask.price.toFixed()} is not above the best bid ${bid.price.toFixed()}`);
  }
  return {
    id,
    marketId,
    bids,
    asks,
    at: readInstant(row, 'at'),
    rowIndex,
    key: keyOf(marketId, id),
    content: contentOf({ bids, asks }),
  };
}

function readLevels(row: Row, field: 'bids' | 'asks'): DepthLevel[] {
  const levels: DepthLevel[] = [];
  for (const [index, level] of readList(row, field, MAX_LEVELS).entries()) {
    const place = `${field}[${index}]`;
    if (!Array.isArray(level) || level.length !== 2) refuse(row, place, 'must be a pair of price and size');
    const [price, size] = [
      parseAmount(row, place, level[0], 'POSITIVE'),
      parseAmount(row, place, level[1], 'POSITIVE'),
    ];
    const better = levels.at(-1);
    if (better !== undefined && (field === 'bids' ? price.gte(better.price) : price.lte(better.price))) {
      refuse(
        row,
        place,
        `${price.toFixed()} is not worse than ${better.price.toFixed()} before it: best first, each price once`,
      );
    }
    levels.push({ price, size });
  }
  return levels;
}

/** The part of recordDepth inside its transaction. */
export async function applyDepth(tx: Tx, rows: readonly DepthRow[]): Promise<Recorded> {
  const markets = await loadTradedMarkets(
    tx,
    rows.map((row) => row.marketId),
  );
  for (const row of rows) checkLevels(row, knownMarket(markets, row));
  const now = await readClock(tx);
  const ids = new Map(rows.map((row) => [row.key, row]));
  const { fresh, duplicates } = await storeFresh(rows, {
    load: async (keys) => {
      const sought = keys.flatMap((key) => ids.get(key) ?? []);
      const found = await loadDepths(
        tx,
        sought.map((row) => row.marketId),
        sought.map((row) => row.id),
      );
      return new Map(found.map((d) => [keyOf(d.marketId, d.externalId), { content: contentOf(d), at: d.at }]));
    },
    insert: async (some) => {
      const stored = await insertDepths(
        tx,
        some.map((row) => ({ ...row, externalId: row.id, at: row.at ?? now })),
      );
      return new Map(stored.map((d) => [keyOf(d.marketId, d.externalId), d.id]));
    },
  });
  if (fresh.length > 0) await announce(tx, 'depth');
  return { recorded: fresh.length, duplicates };
}

function checkLevels(row: DepthRow, market: TradedMarket): void {
  for (const [index, level] of row.bids.entries()) checkPrice(market, level.price, row, `bids[${index}]`);
  for (const [index, level] of row.asks.entries()) checkPrice(market, level.price, row, `asks[${index}]`);
}

function keyOf(marketId: string, id: string): string {
  return `${marketId} ${id}`;
}

function contentOf({ bids, asks }: Pick<DepthRow, 'bids' | 'asks'>): string {
  const text = (levels: readonly DepthLevel[]): string =>
    levels.map((l) => `${l.price.toFixed()}:${l.size.toFixed()}`).join(',');
  return `${text(bids)} ${text(asks)}`;
}
