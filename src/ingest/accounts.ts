import { BackstopError } from '../errors.js';
import type { Sql, Tx } from '../db/connect.js';
import { announce } from '../db/record-notice.js';
import { inTransaction } from '../db/transaction.js';
import type { Decimal } from '../risk/decimal.js';
import {
  ensureTrader,
  findAccount,
  findFund,
  hasAsset,
  hasTrader,
  insertAccount,
  insertAsset,
  insertFund,
  upsertTrader,
  type AccountFact,
  type FundFact,
  type TraderFact,
} from '../db/venue.js';
import {
  isAbsent,
  openRow,
  readAmount,
  readAmountOr,
  readChoice,
  readId,
  readIntegerOr,
  readText,
  type Optional,
} from './parse.js';
import { applyTransfers, parseTransfer, recordTransfers, type Recorded } from './transfers.js';

/** `created` is false when the same was there already. */
export interface Created {
  readonly created: boolean;
}

export interface AssetInput {
  readonly id: string;
}

export interface TraderInput {
  readonly id: string;
  /** 0 to 9, the exchange's own scale. */
  readonly verificationLevel?: Optional<number>;
}

export interface AccountInput {
  readonly id: string;
  readonly traderId: string;
  readonly kind?: Optional<'TRADER' | 'LIQUIDITY_PROVIDER'>;
  readonly mode?: Optional<'CROSS' | 'ISOLATED'>;
  readonly marginAssetId: string;
}

export interface FundInput {
  /** Id of the fund and of the account that it is. */
  readonly id: string;
  /** Whose the account is; left out: the venue's own. */
  readonly traderId?: Optional<string>;
  readonly assetId: string;
  readonly name: string;
  readonly perEventCap?: Optional<string>;
  readonly windowAllowance?: Optional<string>;
  readonly allowanceWindowMs?: Optional<number>;
}

export interface FundContributionInput {
  /** The exchange's id of the transfer. */
  readonly id: string;
  readonly fundId: string;
  readonly amount: string;
  readonly at?: Optional<string>;
}

/** Owner of the accounts that no customer owns. */
const VENUE_TRADER = 'venue';
const EIGHT_HOURS_MS = 8 * 60 * 60 * 1000;
const HIGHEST_LEVEL = 9;

export async function createAsset(sql: Sql, input: AssetInput): Promise<Created> {
  const id = parseAsset(input);
  return inTransaction(sql, { isolation: 'read committed' }, (tx) => applyAsset(tx, id));
}

export function parseAsset(input: unknown, rowIndex?: number): string {
  return readId(openRow(input, ['id'], rowIndex), 'id');
}

export async function applyAsset(tx: Tx, id: string): Promise<Created> {
  const created = await insertAsset(tx, id);
  if (created) await announce(tx, 'venue');
  return { created };
}

/** Creates a trader or sets its level. */
export async function createTrader(sql: Sql, input: TraderInput): Promise<void> {
  const trader = parseTrader(input);
  await inTransaction(sql, { isolation: 'read committed' }, async (tx) => {
    await upsertTrader(tx, trader);
    await announce(tx, 'venue');
  });
}

export function parseTrader(input: unknown, rowIndex?: number): TraderFact {
  const row = openRow(input, ['id', 'verificationLevel'], rowIndex);
  return { id: readId(row, 'id'), verificationLevel: readIntegerOr(row, 'verificationLevel', 0, 0, HIGHEST_LEVEL) };
}

export async function createAccount(sql: Sql, input: AccountInput): Promise<Created> {
  const account = parseAccount(input);
  return inTransaction(sql, { isolation: 'read committed' }, async (tx) => {
    if (!(await hasTrader(tx, account.traderId))) refuseUnknown('UNKNOWN_TRADER', 'traderId', account.traderId);
    await checkAsset(tx, 'marginAssetId', account.marginAssetId);
    const created = await insertAccount(tx, account);
    if (created) await announce(tx, 'venue');
    else await checkSameAccount(tx, account);
    return { created };
  });
}

export function parseAccount(input: unknown, rowIndex?: number): AccountFact {
  const row = openRow(input, ['id', 'traderId', 'kind', 'mode', 'marginAssetId'], rowIndex);
  const kind = readChoice(row, 'kind', ['TRADER', 'LIQUIDITY_PROVIDER'], 'TRADER');
  const mode = readChoice(row, 'mode', ['CROSS', 'ISOLATED'], 'CROSS');
  if (kind !== 'TRADER' && mode === 'ISOLATED') {
    const place = rowIndex === undefined ? { field: 'mode' } : { field: 'mode', rowIndex };
    throw new BackstopError('BAD_INPUT', 'mode: only the account of a trader can be isolated', place);
  }
  return {
    id: readId(row, 'id'),
    traderId: readId(row, 'traderId'),
    kind,
    mode,
    marginAssetId: readId(row, 'marginAssetId'),
  };
}

export async function createFund(sql: Sql, input: FundInput): Promise<Created> {
  const fund = parseFund(input);
  return inTransaction(sql, { isolation: 'read committed' }, (tx) => applyFund(tx, fund));
}

export interface ParsedFund extends FundFact {
  readonly traderId: string;
}

const FUND_FIELDS = ['id', 'traderId', 'assetId', 'name', 'perEventCap', 'windowAllowance', 'allowanceWindowMs'];

export function parseFund(input: unknown, rowIndex?: number): ParsedFund {
  const row = openRow(input, FUND_FIELDS, rowIndex);
  return {
    accountId: readId(row, 'id'),
    traderId: isAbsent(row, 'traderId') ? VENUE_TRADER : readId(row, 'traderId'),
    assetId: readId(row, 'assetId'),
    name: readText(row, 'name'),
    perEventCap: readAmountOr(row, 'perEventCap', 'NOT_NEGATIVE', null),
    windowAllowance: readAmountOr(row, 'windowAllowance', 'NOT_NEGATIVE', null),
    allowanceWindowMs: readIntegerOr(row, 'allowanceWindowMs', 1, EIGHT_HOURS_MS),
  };
}

export async function applyFund(tx: Tx, fund: ParsedFund): Promise<Created> {
  await checkAsset(tx, 'assetId', fund.assetId);
  if (fund.traderId === VENUE_TRADER) await ensureTrader(tx, VENUE_TRADER);
  else if (!(await hasTrader(tx, fund.traderId))) refuseUnknown('UNKNOWN_TRADER', 'traderId', fund.traderId);
  const { accountId: id, traderId, assetId: marginAssetId } = fund;
  const account: AccountFact = { id, traderId, kind: 'INSURANCE_FUND', mode: 'CROSS', marginAssetId };
  if (!(await insertAccount(tx, account))) await checkSameAccount(tx, account);
  const created = await insertFund(tx, fund);
  if (created) await announce(tx, 'venue');
  else if (contentOfFund(await findFund(tx, id)) !== contentOfFund(fund)) refuseReused(id);
  return { created };
}

/** Money from the exchange into a fund: a transfer like any other, but only ever inward. */
export async function contributeToFund(sql: Sql, input: FundContributionInput): Promise<Recorded> {
  const row = openRow(input, ['id', 'fundId', 'amount', 'at']);
  const fundId = readId(row, 'fundId');
  const amount = readAmountOr(row, 'amount', 'POSITIVE', null);
  if (amount === null) throw new BackstopError('BAD_INPUT', 'amount: is missing', { field: 'amount' });
  const fund = await findFund(sql, fundId);
  if (fund === undefined)
    throw new BackstopError('NOT_FOUND', `fundId: no insurance fund ${fundId}`, { field: 'fundId' });
  return recordTransfers(sql, [
    { id: input.id, accountId: fundId, assetId: fund.assetId, amount: amount.toFixed(), at: input.at },
  ]);
}

export interface ParsedWithdrawal {
  readonly fundId: string;
  /** The exchange's id of the transfer. */
  readonly id: string;
  /** Positive. */
  readonly amount: Decimal;
}

export function parseWithdrawal(input: unknown): ParsedWithdrawal {
  const row = openRow(input, ['id', 'fundId', 'amount']);
  return { id: readId(row, 'id'), fundId: readId(row, 'fundId'), amount: readAmount(row, 'amount', 'POSITIVE') };
}

/** Money from a fund back to the exchange, at most what it holds. */
export async function withdrawFromFund(tx: Tx, { fundId, id, amount }: ParsedWithdrawal): Promise<void> {
  const fund = await findFund(tx, fundId);
  if (fund === undefined)
    throw new BackstopError('NOT_FOUND', `fundId: no insurance fund ${fundId}`, { field: 'fundId' });
  const { assetId } = fund;
  const transfer = parseTransfer({ id, accountId: fundId, assetId, amount: amount.neg().toFixed() }, 0);
  const { recorded } = await applyTransfers(tx, [transfer]);
  if (recorded === 0) throw new BackstopError('CONFLICT', `id: the withdrawal ${id} has been made`, { field: 'id' });
}

async function checkAsset(tx: Tx, field: string, id: string): Promise<void> {
  if (!(await hasAsset(tx, id))) refuseUnknown('UNKNOWN_ASSET', field, id);
}

async function checkSameAccount(tx: Tx, account: AccountFact): Promise<void> {
  if (contentOfAccount(await findAccount(tx, account.id)) !== contentOfAccount(account)) refuseReused(account.id);
}

function refuseUnknown(code: 'UNKNOWN_TRADER' | 'UNKNOWN_ASSET', field: string, id: string): never {
  throw new BackstopError(code, `${field}: nothing is stored under ${id}`, { field });
}

function refuseReused(id: string): never {
  throw new BackstopError('ID_REUSED', `id: ${id} is stored already, with other content`, { field: 'id' });
}

export function contentOfAccount(account: AccountFact | undefined): string {
  if (account === undefined) return '';
  return [account.id, account.traderId, account.kind, account.mode, account.marginAssetId].join(' ');
}

function contentOfFund(fund: FundFact | undefined): string {
  if (fund === undefined) return '';
  const caps = [fund.perEventCap, fund.windowAllowance].map((cap) => cap?.toFixed() ?? '-');
  return [fund.accountId, fund.assetId, ...caps, fund.allowanceWindowMs, fund.name].join(' ');
}
