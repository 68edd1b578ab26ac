import type { ApolloServerPlugin } from '@apollo/server';
import { unwrapResolverError } from '@apollo/server/errors';
import { GraphQLError, type GraphQLFormattedError } from 'graphql';
import { isTimeout } from '../db/deadline.js';
import { BackstopError, isCode } from '../errors.js';
import type { UserError } from '../generated/graphql.js';
import type { Context } from './context.js';
import { MalformedValue } from './scalars.js';

/** Names of input fields where the contract says it in another word than the rooms behind it. */
const CONTRACT_NAMES: Readonly<Record<string, string>> = {
  assetId: 'assetSymbol',
  marginAssetId: 'marginAssetSymbol',
  marketId: 'marketSymbol',
  settlementAssetId: 'settlementAssetSymbol',
};

/** Where a mutation's input keeps what a refusal points at. */
export interface InputShape {
  /** The list that a row index counts in. */
  readonly rows?: string;
  /** Names of fields of this input that differ from those behind it, before the general ones. */
  readonly names?: Readonly<Record<string, string>>;
}

/** The answer to a refusal; whatever is no refusal is a fault and goes on. */
export function toUserErrors(error: unknown, shape: InputShape = {}): UserError[] {
  if (!(error instanceof BackstopError)) throw error;
  return [{ code: error.code, message: error.message, field: fieldPath(error, shape) }];
}

function fieldPath(error: BackstopError, { rows, names }: InputShape): string[] | null {
  const inRow = error.rowIndex !== undefined && rows !== undefined ? [rows, String(error.rowIndex)] : [];
  const named = (error.field ?? '').split(/[.[\]]+/).filter((part) => part !== '');
  const path = [...inRow, ...named.map((part) => names?.[part] ?? CONTRACT_NAMES[part] ?? part)];
  return path.length === 0 ? null : ['input', ...path];
}

/** What is told of a fault. */
export const FAULT = 'Backstop met a fault; its log has it whole';

type Formatted = GraphQLFormattedError;

/** A top-level error: a refusal and a mistake of the client keep their words and their code; all else is a fault, and masked. */
export function maskFaults(formatted: Formatted, error: unknown): Formatted {
  const cause = unwrapResolverError(error);
  if (cause instanceof BackstopError) return { ...formatted, message: cause.message, extensions: { code: cause.code } };
  if (isMalformedValue(error)) return { ...formatted, extensions: { ...formatted.extensions, code: 'BAD_USER_INPUT' } };
  if (isTimeout(cause)) return { ...formatted, message: 'the database took too long', extensions: { code: 'TIMEOUT' } };
  if (isMistake(cause)) return formatted;
  return { ...formatted, message: FAULT, extensions: { code: 'INTERNAL' } };
}

/**
 * A value that is written into the document and that its scalar refuses. It is found when the document is validated, which
 * gives it the code of that; the same value in a variable has the scalar's.
 */
function isMalformedValue(error: unknown): boolean {
  return error instanceof GraphQLError && error.originalError instanceof MalformedValue;
}

/** Only what the list of codes has is told outside: a code that is not on it is nobody's promise. */
function isMistake(cause: unknown): boolean {
  return cause instanceof GraphQLError && isCode(cause.extensions['code']) && cause.extensions['code'] !== 'INTERNAL';
}

/** Faults are logged whole inside, each with the id of its request. */
export const logFaults: ApolloServerPlugin<Context> = {
  requestDidStart: () =>
    Promise.resolve({
      didEncounterErrors: ({ errors, contextValue }) => {
        for (const error of errors) {
          const cause = unwrapResolverError(error);
          if (cause instanceof BackstopError || isMistake(cause)) continue;
          if (isTimeout(cause)) contextValue.log.warn({ path: error.path }, 'a request took too long');
          else contextValue.log.error({ err: cause, path: error.path }, 'a request met a fault');
        }
        return Promise.resolve();
      },
    }),
  unexpectedErrorProcessingRequest: ({ error, requestContext }) => {
    requestContext.contextValue.log.error({ err: error }, 'a request met a fault');
    return Promise.resolve();
  },
};
