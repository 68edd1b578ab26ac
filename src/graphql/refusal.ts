import { HeaderMap } from '@apollo/server';
import { GraphQLError } from 'graphql';
import type { RequestCode } from '../errors.js';

export interface RefusalPlace {
  /** Of the whole answer; left out where one field of it is refused. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** What a client may want to reckon with, beside the code. */
  readonly figures?: Readonly<Record<string, unknown>>;
}

/** A top-level error with one of the codes of the list: the one way to make one. */
export function refusal(
  code: RequestCode,
  message: string,
  { status, headers, figures }: RefusalPlace = {},
): GraphQLError {
  const http = status === undefined ? undefined : { status, headers: new HeaderMap(Object.entries(headers ?? {})) };
  return new GraphQLError(message, { extensions: { code, ...figures, ...(http && { http }) } });
}
