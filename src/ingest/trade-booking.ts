import { TOO_LARGE, type LedgerEntry, type LedgerKind } from '../db/record-ledger.js';
import type { Party, TradedMarket } from '../db/record-parties.js';
import { pastKey } from '../db/position-past.js';
import type { PositionChange } from '../db/record-positions.js';
import { value } from '../risk/contract.js';
import type { Decimal } from '../risk/decimal.js';
import type { Instant } from '../risk/instant.js';
import { fill, FLAT, type Fill, type Holding } from '../risk/position.js';
import { takeBack, type PositionPast } from '../risk/position-past.js';
import { refuse } from './parse.js';
import type { TradeRow } from './trades.js';

export interface StoredTrade extends Omit<TradeRow, 'at'> {
  readonly id: string;
  readonly at: Instant;
}

export interface BookingState {
  readonly markets: ReadonlyMap<string, TradedMarket>;
  readonly parties: ReadonlyMap<string, Party>;
  /** Positions by account, then market; moved on trade by trade. */
  readonly holdings: Map<string, Map<string, Holding>>;
  /** Of positions that a correction changes, by `pastKey`; moved on as well. */
  readonly pasts: ReadonlyMap<string, PositionPast>;
}

export interface BookedTrades {
  readonly positionChanges: PositionChange[];
  readonly ledger: LedgerEntry[];
}

/** Each trade by itself and in order, so that how trades are batched changes nothing. */
export function bookTrades(trades: readonly StoredTrade[], state: BookingState): BookedTrades {
  const booked: BookedTrades = { positionChanges: [], ledger: [] };
  for (const trade of trades) {
    bookSide(
      trade,
      { accountId: trade.buyerId, field: 'buyerId', size: trade.size, fee: trade.buyerFee },
      state,
      booked,
    );
    bookSide(
      trade,
      { accountId: trade.sellerId, field: 'sellerId', size: trade.size.neg(), fee: trade.sellerFee },
      state,
      booked,
    );
  }
  return booked;
}

interface TradeSide {
  readonly accountId: string;
  readonly field: 'buyerId' | 'sellerId';
  /** Signed change of the position. */
  readonly size: Decimal;
  readonly fee: Decimal;
}

function bookSide(trade: StoredTrade, side: TradeSide, state: BookingState, booked: BookedTrades): void {
  const market = state.markets.get(trade.marketId);
  const party = state.parties.get(side.accountId);
  if (market === undefined || party === undefined) throw new Error(`trade ${trade.key} was not checked`);
  const own = state.holdings.get(side.accountId) ?? new Map<string, Holding>();
  state.holdings.set(side.accountId, own);
  const before = own.get(trade.marketId);
  if (before === undefined && party.mode === 'ISOLATED' && own.size > 0) {
    const [held = ''] = own.keys();
    refuse(trade, side.field, `${party.id} is isolated and holds ${held}`, 'SECOND_POSITION_IN_ISOLATED_ACCOUNT');
  }
  const filled = value(market, side.size, trade.price);
  const { holding, realizedPnl } = bookFill(trade, side, before ?? FLAT, filled, state.pasts);
  for (const amount of [holding.size, holding.cost, realizedPnl]) {
    if (amount.abs().gte(TOO_LARGE))
      refuse(trade, 'size', `the position of ${party.id} would have more than 20 digits`);
  }
  if (holding.size.isZero()) own.delete(trade.marketId);
  else own.set(trade.marketId, holding);
  booked.positionChanges.push({
    accountId: party.id,
    marketId: market.id,
    cause: 'TRADE',
    causeId: trade.id,
    sizeChange: side.size,
    costChange: holding.cost.minus((before ?? FLAT).cost),
    realizedPnl,
    sizeAfter: holding.size,
    costAfter: holding.cost,
    at: trade.at,
  });
  const entry = (amount: Decimal, kind: LedgerKind): LedgerEntry => ({
    accountId: party.id,
    assetId: market.settlementAssetId,
    amount,
    kind,
    cause: 'TRADE',
    causeId: trade.id,
    marketId: market.id,
    lapId: null,
    at: trade.at,
    rowIndex: trade.rowIndex,
  });
  booked.ledger.push(entry(realizedPnl, 'REALIZED_PNL'), entry(side.fee.neg(), 'TRADING_FEE'));
}

function bookFill(
  { key, marketId, corrects }: StoredTrade,
  { accountId, size }: TradeSide,
  holding: Holding,
  filled: Decimal,
  pasts: BookingState['pasts'],
): Omit<Fill, 'closedSize'> {
  const past = pasts.get(pastKey({ accountId, marketId }));
  past?.fills.push({ tradeId: key, size, filled });
  if (corrects === null) return fill(holding, size, filled);
  if (past === undefined) throw new Error(`the past of what ${key} corrects was not loaded`);
  past.corrected.add(corrects).add(key);
  return takeBack(holding, { size, filled }, past);
}
