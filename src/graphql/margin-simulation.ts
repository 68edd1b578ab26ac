import type { FollowedBook } from '../book/follower.js';
import { suppose, type Supposed } from '../book/suppose.js';
import type { MarketState } from '../db/risk-state.js';
import { BackstopError, type ErrorCode } from '../errors.js';
import type {
  MarginSimulationInput,
  MarginSimulationResolvers,
  SimulatedAdlResolvers,
  SimulatedPortfolioResolvers,
  SimulatedPositionResolvers,
  SimulatedTradeInput,
} from '../generated/graphql.js';
import { isPriceOf, isWholeLots, value } from '../risk/contract.js';
import { AMOUNT_LIMIT, dec, ZERO, type Decimal } from '../risk/decimal.js';
import type { Account } from '../risk/margin.js';
import { fill, FLAT } from '../risk/position.js';
import type { Context } from './context.js';
import { freshnessOf } from './freshness.js';
import { mayReadAsOwn } from './ownership.js';
import { positionFigures, type Held } from './position-figures.js';
import { toAdlScore, toldTo } from './position.js';

/** Trades and prices, each, of one simulation. */
const MOST_ROWS = 100;

export interface MarginSimulationSource {
  readonly accountId: string;
  readonly after: Supposed;
}

/**
 * Whose the account is, is judged before anything is made of the input, since a refusal would tell of the account; what is
 * refused is told whatever is asked of the simulation. Null: there is no such account, or none that the caller may see.
 */
export async function simulate(input: MarginSimulationInput, context: Context): Promise<MarginSimulationSource | null> {
  const { book, loaders } = context;
  const { accountExternalId: accountId } = input;
  if ((await loaders.account.load(accountId)) === null) return null;
  if (!(await mayReadAsOwn('MarginSimulation', { accountId }, context))) return null;
  const prices = suppositions(input, book);
  return { accountId, after: suppose(book, accountAfter(accountIn(book, accountId), input, book, prices), prices) };
}

export interface SimulatedPositionSource {
  readonly of: Supposed;
  readonly marketId: string;
}

export const marginSimulationResolvers: MarginSimulationResolvers = {
  account: ({ accountId }) => ({ id: accountId }),
  before: ({ accountId }, _args, { book }) => suppose(book, accountIn(book, accountId)),
};

export const simulatedPortfolioResolvers: SimulatedPortfolioResolvers = {
  balance: ({ margin }) => margin.account.balance,
  margin: ({ margin, markets, marks }, _args, { book: { at, takenAtMs } }) => {
    const held = margin.account.positions.keys();
    return { supposed: margin, freshness: freshnessOf({ at, takenAtMs, markets, marks }, held, margin.held) };
  },
  positions: (of) => [...of.margin.account.positions.keys()].sort().map((marketId) => ({ of, marketId })),
};

export const simulatedPositionResolvers: SimulatedPositionResolvers = {
  ...positionFigures(({ of, marketId }: SimulatedPositionSource): Held => {
    const [holding, market] = [of.margin.account.positions.get(marketId), of.markets.get(marketId)];
    if (holding === undefined || market === undefined) throw new Error(`no supposed position in ${marketId}`);
    return { margin: of.margin, holding, market };
  }),
  market: ({ marketId }) => ({ id: marketId }),
  markPrice: ({ of, marketId }) => of.marks.get(marketId)?.price ?? null,
  adl: (source) => source,
};

/** A figure of a position that would be ranked. */
function ofRanked<T>(
  show: (place: Extract<ReturnType<Supposed['place']>, { state: 'RANKED' }>, context: Context, marketId: string) => T,
) {
  return ({ of, marketId }: SimulatedPositionSource, _args: unknown, context: Context): T | null => {
    const place = of.place(marketId);
    return place.state === 'RANKED' ? show(place, context, marketId) : null;
  };
}

export const simulatedAdlResolvers: SimulatedAdlResolvers = {
  state: ({ of, marketId }) => of.place(marketId).state,
  level: ofRanked(({ level }) => level),
  rank: ofRanked(({ rank }) => rank),
  queueLength: ofRanked(({ queueLength }) => queueLength),
  sizeAhead: ofRanked(({ sizeAhead }, context) => toldTo(context, sizeAhead)),
  percentile: ofRanked(({ percentile }, context) => toldTo(context, percentile)),
  score: ofRanked(({ score }, { book }, marketId) => toAdlScore(book.markets.get(marketId), score)),
};

function accountIn(book: FollowedBook, accountId: string): Account {
  return book.account(accountId) ?? refuse('CONFLICT', 'accountExternalId', 'the book does not have the account yet');
}

type Prices = ReadonlyMap<string, Decimal>;

function suppositions({ prices, trades }: MarginSimulationInput, book: FollowedBook): Prices {
  if (Math.max(prices?.length ?? 0, trades?.length ?? 0) > MOST_ROWS)
    refuse('BAD_INPUT', 'input', `at most ${String(MOST_ROWS)} trades and as many prices`);
  const supposed = new Map<string, Decimal>();
  for (const [k, { marketSymbol, price }] of (prices ?? []).entries()) {
    const place = `prices.${String(k)}`;
    const market = marketOf(book, marketSymbol, place);
    if (supposed.has(market.id)) refuse('BAD_INPUT', `${place}.marketSymbol`, `a second price of ${market.id}`);
    supposed.set(market.id, priceOf(market, price, `${place}.price`));
  }
  return supposed;
}

/** Booked as trades and transfers are, one after another. */
function accountAfter(before: Account, input: MarginSimulationInput, book: FollowedBook, prices: Prices): Account {
  const positions = new Map(before.positions);
  let balance = before.balance.plus(input.transfer == null ? ZERO : dec(input.transfer));
  if (before.kind === 'INSURANCE_FUND' && (input.trades?.length ?? 0) > 0)
    refuse('CONFLICT', 'trades', 'a fund holds no positions');
  for (const [k, trade] of (input.trades ?? []).entries()) {
    const place = `trades.${String(k)}`;
    const { market, size, price, fee } = parseTrade(trade, { book, prices, account: before, place });
    const held = positions.get(market.id);
    if (held === undefined && before.mode === 'ISOLATED' && positions.size > 0)
      refuse('SECOND_POSITION_IN_ISOLATED_ACCOUNT', place, 'an isolated account holds one position, and has it');
    const { holding, realizedPnl } = fill(held ?? FLAT, size, value(market, size, price));
    if ([holding.size, holding.cost, realizedPnl].some((amount) => amount.abs().gte(AMOUNT_LIMIT)))
      refuse('BAD_INPUT', `${place}.size`, 'the position would have more than 20 digits');
    if (holding.size.isZero()) positions.delete(market.id);
    else positions.set(market.id, holding);
    balance = balance.plus(realizedPnl).minus(fee);
  }
  if (balance.abs().gte(AMOUNT_LIMIT)) refuse('BAD_INPUT', 'input', 'the balance would have more than 20 digits');
  return { ...before, balance, positions };
}

interface TradeSurroundings {
  readonly book: FollowedBook;
  readonly prices: Prices;
  readonly account: Account;
  readonly place: string;
}

function parseTrade({ marketSymbol, size, price, fee }: SimulatedTradeInput, around: TradeSurroundings) {
  const { book, prices, account, place } = around;
  const market = marketOf(book, marketSymbol, place);
  if (market.status === 'SETTLED') refuse('MARKET_SETTLED', `${place}.marketSymbol`, `${market.id} is settled`);
  if (market.settlementAssetId !== account.marginAssetId)
    refuse('OTHER_SETTLEMENT_ASSET', `${place}.marketSymbol`, `${market.id} settles in ${market.settlementAssetId}`);
  const signed = dec(size);
  if (!isWholeLots(market, signed))
    refuse('BAD_INPUT', `${place}.size`, `must be a multiple of ${market.sizeStep.toFixed()} other than 0`);
  const mark = prices.get(market.id) ?? book.marks.get(market.id)?.price;
  if (price == null && mark === undefined) refuse('CONFLICT', `${place}.price`, `${market.id} has no price yet`);
  const at = price == null ? (mark ?? ZERO) : priceOf(market, price, `${place}.price`);
  return { market, size: signed, price: at, fee: fee == null ? ZERO : dec(fee) };
}

function marketOf(book: FollowedBook, marketSymbol: string, place: string): MarketState {
  return (
    book.markets.get(marketSymbol) ?? refuse('UNKNOWN_MARKET', `${place}.marketSymbol`, `no market ${marketSymbol}`)
  );
}

function priceOf(market: MarketState, text: string, field: string): Decimal {
  const price = dec(text);
  if (!isPriceOf(market, price))
    refuse('BAD_INPUT', field, `must be above zero, with no more decimals than a price of ${market.id} has`);
  return price;
}

function refuse(code: ErrorCode, field: string, message: string): never {
  throw new BackstopError(code, `${field}: ${message}`, { field });
}
