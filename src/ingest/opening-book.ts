import { BackstopError } from '../errors.js';
import type { Reader } from '../db/connect.js';
import { TOO_LARGE } from '../db/record-ledger.js';
import { loadAllAccountFacts, loadTraderLevels, loadUsedAccountIds } from '../db/record-book.js';
import type { Party, TradedMarket } from '../db/record-parties.js';
import type { AccountFact, TraderFact } from '../db/venue.js';
import { value } from '../risk/contract.js';
import { ZERO, type Decimal } from '../risk/decimal.js';
import { contentOfAccount } from './accounts.js';
import type { ParsedBalance, ParsedPosition } from './book-line.js';
import { checkHolds, checkPrice, checkSize, knownMarket, knownParty } from './market-facts.js';
import { refuse } from './parse.js';

/** An account and what the lines so far have opened in it. Of a large book there are many, so it is one small object. */
interface OpenedAccount extends AccountFact {
  hasBalance: boolean;
  /** Markets of the positions opened. */
  marketIds: readonly string[];
}

const NO_MARKETS: readonly string[] = [];

/** A position that may be opened, and the cost at which it opens. */
export interface Opening {
  readonly party: Party;
  readonly market: TradedMarket;
  readonly cost: Decimal;
}

/**
 * What an import knows while it reads: everything stored before it and everything read so far, so that each line is
 * judged where it stands and blamed by its number. Nothing else changes meanwhile: the tables are locked.
 */
export class OpeningBook {
  readonly markets = new Map<string, TradedMarket>();
  readonly #accounts: Map<string, OpenedAccount>;
  readonly #traderLevels: Map<string, number>;
  readonly #used: ReadonlySet<string>;
  readonly #sizes = new Map<string, Decimal>();

  private constructor(accounts: readonly AccountFact[], traderLevels: Map<string, number>, used: ReadonlySet<string>) {
    this.#accounts = new Map(accounts.map((account) => [account.id, opened(account)]));
    this.#traderLevels = traderLevels;
    this.#used = used;
  }

  static async load(reader: Reader): Promise<OpeningBook> {
    const accounts = (await loadAllAccountFacts(reader)) as AccountFact[];
    return new OpeningBook(accounts, await loadTraderLevels(reader), await loadUsedAccountIds(reader));
  }

  /** True when the trader is new and must be stored. */
  addTrader(trader: TraderFact, rowIndex: number): boolean {
    const level = this.#traderLevels.get(trader.id);
    if (level === undefined) {
      this.#traderLevels.set(trader.id, trader.verificationLevel);
      return true;
    }
    if (level !== trader.verificationLevel)
      refuse({ rowIndex }, 'id', `${trader.id} is known with level ${level}`, 'ID_REUSED');
    return false;
  }

  addTraderById(id: string): void {
    if (!this.#traderLevels.has(id)) this.#traderLevels.set(id, 0);
  }

  /** True when the account is new and must be stored. */
  addAccount(account: AccountFact, isAsset: (id: string) => boolean, rowIndex: number): boolean {
    const row = { rowIndex };
    if (!this.#traderLevels.has(account.traderId))
      refuse(row, 'traderId', `no trader ${account.traderId}`, 'UNKNOWN_TRADER');
    if (!isAsset(account.marginAssetId))
      refuse(row, 'marginAssetId', `no asset ${account.marginAssetId}`, 'UNKNOWN_ASSET');
    const known = this.#accounts.get(account.id);
    if (known === undefined) {
      this.#accounts.set(account.id, opened(account));
      return true;
    }
    if (contentOfAccount(known) !== contentOfAccount(account)) {
      refuse(row, 'id', `${account.id} is stored already, with other content`, 'ID_REUSED');
    }
    return false;
  }

  /** Whose the balance is. */
  addBalance(balance: ParsedBalance, rowIndex: number): Party {
    const row = { rowIndex };
    const party = knownParty(this.#accounts, row, 'accountId', balance.accountId);
    if (this.#used.has(party.id)) refuse(row, 'accountId', `${party.id} has a history already`, 'CONFLICT');
    if (party.hasBalance) refuse(row, 'accountId', `a second balance of ${party.id}`, 'CONFLICT');
    if (party.kind === 'INSURANCE_FUND' && balance.amount.isNegative()) {
      refuse(row, 'amount', `the fund ${party.id} would open below zero`, 'FUND_BELOW_ZERO');
    }
    party.hasBalance = true;
    return party;
  }

  addPosition(position: ParsedPosition, rowIndex: number): Opening {
    const row = { rowIndex };
    const { accountId, marketId, size, basis } = position;
    const party = knownParty(this.#accounts, row, 'accountId', accountId);
    const market = knownMarket(this.markets, { marketId, rowIndex });
    if (party.kind === 'INSURANCE_FUND')
      refuse(row, 'accountId', `the fund ${party.id} holds no positions`, 'CONFLICT');
    if (this.#used.has(party.id)) refuse(row, 'accountId', `${party.id} has a history already`, 'CONFLICT');
    checkHolds(party, market, row, 'accountId');
    checkSize(market, size, row, 'size');
    if (party.marketIds.includes(marketId))
      refuse(row, 'marketId', `a second position of ${party.id} in ${marketId}`, 'CONFLICT');
    if (party.mode === 'ISOLATED' && party.marketIds.length > 0) {
      refuse(
        row,
        'accountId',
        `${party.id} is isolated and holds a position already`,
        'SECOND_POSITION_IN_ISOLATED_ACCOUNT',
      );
    }
    // Of the market's own id, not of the line's, so that no line is kept for it.
    party.marketIds = [...party.marketIds, market.id];
    this.#sizes.set(marketId, (this.#sizes.get(marketId) ?? ZERO).plus(size));
    if ('cost' in basis) return { party, market, cost: basis.cost };
    checkPrice(market, basis.entryPrice, row, 'entryPrice');
    const cost = value(market, size, basis.entryPrice);
    if (cost.abs().gte(TOO_LARGE)) refuse(row, 'size', 'the cost would have more than 20 digits');
    return { party, market, cost };
  }

  /** For every contract bought there is one sold; a book of one side only would leave nobody to take the other. */
  checkSizes(): void {
    for (const [marketId, total] of [...this.#sizes].sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (!total.isZero()) {
        throw new BackstopError('BAD_INPUT', `the sizes of ${marketId} sum to ${total.toFixed()}, not to zero`, {
          field: 'size',
        });
      }
    }
  }
}

function opened({ id, traderId, kind, mode, marginAssetId }: AccountFact): OpenedAccount {
  return { id, traderId, kind, mode, marginAssetId, hasBalance: false, marketIds: NO_MARKETS };
}
