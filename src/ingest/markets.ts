import type { Sql, Tx } from '../db/connect.js';
import { lockMarkets } from '../db/locks.js';
import { announce } from '../db/record-notice.js';
import { inTransaction } from '../db/transaction.js';
import { findAccount, findFund, hasAsset, insertBrackets, insertPolicy, type Change } from '../db/venue.js';
import { findMarket, insertMarket, type MarketFact } from '../db/venue-market.js';
import type { Bracket } from '../risk/brackets.js';
import { checkContract } from '../risk/contract.js';
import { dec } from '../risk/decimal.js';
import type { Created } from './accounts.js';
import {
  checkFee,
  POLICY_FIELDS,
  readBrackets,
  readChange,
  readPolicy,
  refuseIf,
  type BracketInput,
  type ChangeInput,
  type PolicyInput,
  type PolicyTerms,
} from './market-terms.js';
import {
  isAbsent,
  openRow,
  readAmount,
  readAmountOr,
  readChoice,
  readId,
  readInstant,
  readIntegerOr,
  refuse,
  type Optional,
} from './parse.js';

export interface MarketInput extends ChangeInput {
  readonly id: string;
  readonly payoff: MarketFact['payoff'];
  readonly expiresAt?: Optional<string>;
  readonly settlementAssetId: string;
  readonly contractSize: string;
  readonly priceTick: string;
  readonly sizeStep: string;
  readonly insuranceFundId: string;
  readonly liquidityProviderId: string;
  readonly maxFeeRate?: Optional<string>;
  readonly maxDeviation?: Optional<string>;
  readonly priceBand?: Optional<string>;
  readonly staleAfterMs?: Optional<number>;
  readonly badDebtLimit?: Optional<string>;
  readonly brackets: readonly BracketInput[];
  readonly policy?: Optional<PolicyInput>;
}

/** What a new market gets when nothing else is said. */
const DEFAULTS = {
  maxFeeRate: dec('0.0025'),
  maxDeviation: dec('0.10'),
  priceBand: dec('0.10'),
  staleAfterMs: 30_000,
  badDebtLimit: dec('0'),
};

export interface ParsedMarket extends MarketFact {
  readonly brackets: readonly Bracket[];
  readonly policy: PolicyTerms;
  readonly change: Change;
}

/** A market with its first brackets and policy. */
export async function createMarket(sql: Sql, input: MarketInput): Promise<Created> {
  const market = parseMarket(input);
  return inTransaction(sql, { isolation: 'read committed' }, (tx) => applyMarket(tx, market));
}

const MARKET_FIELDS = [
  ...['id', 'payoff', 'expiresAt', 'settlementAssetId', 'contractSize', 'priceTick', 'sizeStep', 'insuranceFundId'],
  ...['liquidityProviderId', 'maxFeeRate', 'maxDeviation', 'priceBand', 'staleAfterMs', 'badDebtLimit', 'brackets'],
  ...['policy', 'changedBy', 'reason'],
];

export function parseMarket(input: unknown, rowIndex?: number): ParsedMarket {
  const row = openRow(input, MARKET_FIELDS, rowIndex);
  const market: ParsedMarket = {
    id: readId(row, 'id'),
    payoff: readChoice(row, 'payoff', ['LINEAR', 'INVERSE']),
    expiresAt: readInstant(row, 'expiresAt'),
    settlementAssetId: readId(row, 'settlementAssetId'),
    contractSize: readAmount(row, 'contractSize', 'POSITIVE'),
    priceTick: readAmount(row, 'priceTick', 'POSITIVE'),
    sizeStep: readAmount(row, 'sizeStep', 'POSITIVE'),
    insuranceFundId: readId(row, 'insuranceFundId'),
    liquidityProviderId: readId(row, 'liquidityProviderId'),
    maxFeeRate: readAmountOr(row, 'maxFeeRate', 'NOT_NEGATIVE', DEFAULTS.maxFeeRate),
    maxDeviation: readAmountOr(row, 'maxDeviation', 'POSITIVE', DEFAULTS.maxDeviation),
    priceBand: readAmountOr(row, 'priceBand', 'POSITIVE', DEFAULTS.priceBand),
    staleAfterMs: readIntegerOr(row, 'staleAfterMs', 1, DEFAULTS.staleAfterMs),
    badDebtLimit: readAmountOr(row, 'badDebtLimit', 'NOT_NEGATIVE', DEFAULTS.badDebtLimit),
    brackets: readBrackets(row),
    policy: readPolicy(
      isAbsent(row, 'policy') ? openRow({}, []) : openRow(row.values['policy'], POLICY_FIELDS, rowIndex),
    ),
    change: readChange(row),
  };
  if (market.maxDeviation.gte(1)) refuse(row, 'maxDeviation', 'must be below 1');
  refuseIf(row, 'contractSize', checkContract(market));
  checkFee(row, 'maxFeeRate', market.maxFeeRate, market.brackets);
  return market;
}

export async function applyMarket(tx: Tx, market: ParsedMarket): Promise<Created> {
  const row = { rowIndex: undefined };
  const asset = market.settlementAssetId;
  if (!(await hasAsset(tx, asset))) refuse(row, 'settlementAssetId', `no asset ${asset}`, 'UNKNOWN_ASSET');
  const fund = await findFund(tx, market.insuranceFundId);
  if (fund === undefined)
    refuse(row, 'insuranceFundId', `no insurance fund ${market.insuranceFundId}`, 'UNKNOWN_ACCOUNT');
  if (fund.assetId !== asset)
    refuse(row, 'insuranceFundId', `${fund.accountId} is in ${fund.assetId}`, 'OTHER_SETTLEMENT_ASSET');
  const provider = await findAccount(tx, market.liquidityProviderId);
  if (provider === undefined)
    refuse(row, 'liquidityProviderId', `no account ${market.liquidityProviderId}`, 'UNKNOWN_ACCOUNT');
  if (provider.kind !== 'LIQUIDITY_PROVIDER')
    refuse(row, 'liquidityProviderId', `${provider.id} is no liquidity provider`, 'CONFLICT');
  if (provider.marginAssetId !== asset) {
    refuse(row, 'liquidityProviderId', `${provider.id} holds ${provider.marginAssetId}`, 'OTHER_SETTLEMENT_ASSET');
  }
  if (!(await insertMarket(tx, market))) {
    const stored = await findMarket(tx, market.id);
    if (stored === undefined || contentOf(stored) !== contentOf(market)) {
      refuse(row, 'id', `${market.id} is stored already, with other content`, 'ID_REUSED');
    }
    return { created: false };
  }
  await insertBrackets(tx, market.id, market.brackets, market.change);
  await insertPolicy(tx, market.id, market.policy, market.change);
  await announce(tx, 'venue');
  return { created: true };
}

function contentOf(market: MarketFact): string {
  const { id, payoff, expiresAt, settlementAssetId, insuranceFundId, liquidityProviderId, staleAfterMs } = market;
  const amounts = [market.contractSize, market.priceTick, market.sizeStep, market.maxFeeRate, market.maxDeviation];
  const texts = [...amounts, market.priceBand, market.badDebtLimit].map((amount) => amount.toFixed());
  return [
    id,
    payoff,
    expiresAt ?? '-',
    settlementAssetId,
    insuranceFundId,
    liquidityProviderId,
    staleAfterMs,
    ...texts,
  ].join(' ');
}

export interface BracketsInput extends ChangeInput {
  readonly marketId: string;
  readonly brackets: readonly BracketInput[];
}

export interface ParsedBrackets {
  readonly marketId: string;
  readonly brackets: readonly Bracket[];
  readonly change: Change;
}

/** A new version of a market's brackets, which counts from the next lap on. */
export async function setBrackets(sql: Sql, input: BracketsInput): Promise<{ readonly version: number }> {
  const parsed = parseBrackets(input);
  return inTransaction(sql, { isolation: 'read committed' }, (tx) => applyBrackets(tx, parsed));
}

export function parseBrackets(input: unknown, rowIndex?: number): ParsedBrackets {
  const row = openRow(input, ['marketId', 'brackets', 'changedBy', 'reason'], rowIndex);
  return { marketId: readId(row, 'marketId'), brackets: readBrackets(row), change: readChange(row) };
}

export async function applyBrackets(
  tx: Tx,
  { marketId, brackets, change }: ParsedBrackets,
): Promise<{ readonly version: number }> {
  const row = { rowIndex: undefined };
  await lockMarkets(tx, [marketId], 'CHANGE');
  const market = await findMarket(tx, marketId);
  if (market === undefined) refuse(row, 'marketId', `no market ${marketId}`, 'UNKNOWN_MARKET');
  checkFee(row, 'brackets', market.maxFeeRate, brackets);
  const version = await insertBrackets(tx, marketId, brackets, change);
  await announce(tx, 'venue');
  return { version };
}

export interface PolicyChangeInput extends PolicyInput, ChangeInput {
  readonly marketId: string;
}

export interface ParsedPolicy {
  readonly marketId: string;
  readonly policy: PolicyTerms;
  readonly change: Change;
}

/** A new version of a market's policy; what is left out is the default, not the last value. */
export async function setPolicy(sql: Sql, input: PolicyChangeInput): Promise<{ readonly version: number }> {
  const parsed = parsePolicy(input);
  return inTransaction(sql, { isolation: 'read committed' }, (tx) => applyPolicy(tx, parsed));
}

export function parsePolicy(input: unknown, rowIndex?: number): ParsedPolicy {
  const row = openRow(input, ['marketId', ...POLICY_FIELDS, 'changedBy', 'reason'], rowIndex);
  return { marketId: readId(row, 'marketId'), policy: readPolicy(row), change: readChange(row) };
}

export async function applyPolicy(
  tx: Tx,
  { marketId, policy, change }: ParsedPolicy,
): Promise<{ readonly version: number }> {
  await lockMarkets(tx, [marketId], 'CHANGE');
  if ((await findMarket(tx, marketId)) === undefined) {
    refuse({ rowIndex: undefined }, 'marketId', `no market ${marketId}`, 'UNKNOWN_MARKET');
  }
  const version = await insertPolicy(tx, marketId, policy, change);
  await announce(tx, 'venue');
  return { version };
}
