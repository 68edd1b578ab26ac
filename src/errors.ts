/*
 * Every code that Backstop answers with, and when. Clients decide by the code; the message is for people. docs/errors.md
 * has the same list with what to do.
 */

/** Refusals of what was asked: in `userErrors` of a mutation, at the top level of a query. */
export const ERROR_CODES = {
  BAD_INPUT: 'a value is malformed or outside its range',
  BATCH_TOO_LARGE: 'a batch has more rows than one transaction takes',
  CONFLICT: 'the request contradicts what is stored',
  DIGEST_MISMATCH: 'the change is another one than was decided on',
  EXPIRED: 'the proposal was not decided in time; it can be made again',
  FUND_BELOW_ZERO: 'a withdrawal would leave an insurance fund below zero',
  ID_REUSED: 'the id is stored already, with other content',
  IDEMPOTENCY_KEY_REUSED: 'the key was used for another request',
  INTERNAL: 'a fault of Backstop itself; the log has it whole',
  MARKET_SETTLED: 'the market is settled and takes no more trades',
  NEEDS_APPROVAL: 'it takes two persons: one proposes it, another one approves',
  NOT_FOUND: 'nothing is stored under this id',
  OTHER_ASSET: 'the account holds its margin asset only, which is another',
  OTHER_SETTLEMENT_ASSET: 'the market settles in another asset than the one the account holds',
  SECOND_POSITION_IN_ISOLATED_ACCOUNT: 'an isolated account holds one position, and has it already',
  SELF_APPROVAL: 'who proposed a change cannot decide on it',
  SELF_TRADE: 'buyer and seller are the same account',
  SETUP: 'Backstop cannot start or go on like this; the message says what to change',
  UNKNOWN_ACCOUNT: 'no account has this id',
  UNKNOWN_ASSET: 'no asset has this id',
  UNKNOWN_MARKET: 'no market has this id',
  UNKNOWN_TRADER: 'no trader has this id',
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

/** Refusals of a whole request, or of a field of it, at the top level alone. */
export const REQUEST_CODES = {
  BAD_REQUEST: 'the request is no GraphQL over HTTP, or one that a foreign page could have sent',
  BAD_USER_INPUT: 'a variable or argument does not have its type',
  FORBIDDEN: 'the token lacks the scope that a field needs',
  GRAPHQL_PARSE_FAILED: 'the document is no GraphQL, or has too many tokens',
  GRAPHQL_VALIDATION_FAILED:
    'the document does not fit the contract, or is too deep, or has too many aliases or directives',
  OPERATION_RESOLUTION_FAILURE: 'which operation of the document is meant is not said',
  PERSISTED_QUERY_NOT_SUPPORTED: 'documents are not kept: send the text',
  QUERY_TOO_COSTLY: 'the answer could hold more objects than one request may have',
  RATE_LIMITED: 'the caller has asked too often',
  REQUEST_TOO_LARGE: 'the body, the headers or the address are too large',
  TIMEOUT: 'the request took too long, to arrive or to be answered',
  TOO_MANY_STREAMS: 'the connection has as many streams as it may have',
  UNAUTHENTICATED: 'the token is malformed, expired or not valid',
  UNAVAILABLE: 'the server is stopping',
  UNSUPPORTED_MEDIA_TYPE: 'the body is not application/json',
} as const;

export type RequestCode = keyof typeof REQUEST_CODES;
export type AnyCode = ErrorCode | RequestCode;

export function isCode(code: unknown): code is AnyCode {
  return typeof code === 'string' && (Object.hasOwn(ERROR_CODES, code) || Object.hasOwn(REQUEST_CODES, code));
}

export interface ErrorPlace {
  /** Index, from 0, of the row of a batch that is at fault. */
  readonly rowIndex?: number;
  /** Name of the input field that is at fault. */
  readonly field?: string;
  readonly cause?: unknown;
}

/** A refusal that its receiver can act on. Anything else that is thrown is a bug. */
export class BackstopError extends Error {
  readonly code: ErrorCode;
  readonly rowIndex: number | undefined;
  readonly field: string | undefined;

  constructor(code: ErrorCode, message: string, place: ErrorPlace = {}) {
    super(message, place.cause === undefined ? undefined : { cause: place.cause });
    this.name = 'BackstopError';
    this.code = code;
    this.rowIndex = place.rowIndex;
    this.field = place.field;
  }
}

/** What a caught value says. By shape: the runtime's own errors are of another realm inside a test's sandbox. */
export function messageOf(error: unknown): string {
  if (typeof error === 'object' && error !== null) {
    if ('errors' in error && Array.isArray(error.errors) && error.errors.length > 0) return messageOf(error.errors[0]);
    if ('message' in error && typeof error.message === 'string' && error.message !== '') return error.message;
  }
  return String(error);
}
