import { unwrapResolverError } from '@apollo/server/errors';
import { GraphQLError, type GraphQLFormattedError } from 'graphql';
import { BackstopError } from '../errors.js';
import type { UserError } from '../generated/graphql.js';
import type { Log } from '../telemetry.js';

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

/** Masks faults outside and logs them whole inside; refusals and mistakes of the client keep their words. */
export function makeFormatError(log: Log): (formatted: GraphQLFormattedError, error: unknown) => GraphQLFormattedError {
  return (formatted, error) => {
    const cause = unwrapResolverError(error);
    if (cause instanceof BackstopError)
      return { ...formatted, message: cause.message, extensions: { code: cause.code } };
    const code = formatted.extensions?.['code'];
    if (cause instanceof GraphQLError && typeof code === 'string' && code !== 'INTERNAL_SERVER_ERROR') {
      return { ...formatted, extensions: { ...formatted.extensions, code } };
    }
    log.error({ err: cause, path: formatted.path }, 'a request met a fault');
    return { ...formatted, message: 'Backstop met a fault; its log has it whole', extensions: { code: 'INTERNAL' } };
  };
}
