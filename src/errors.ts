/** Every code that Backstop answers with, and when. Clients decide by the code; the message is for people. */
export const ERROR_CODES = {
  BAD_INPUT: 'a value is malformed or outside its range',
  BATCH_TOO_LARGE: 'a batch has more rows than one transaction takes',
  CONFLICT: 'the request contradicts what is stored',
  DIGEST_MISMATCH: 'the change is another one than was decided on',
  EXPIRED: 'the proposal was not decided in time; it can be made again',
  FUND_BELOW_ZERO: 'a withdrawal would leave an insurance fund below zero',
  ID_REUSED: 'the id is stored already, with other content',
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
