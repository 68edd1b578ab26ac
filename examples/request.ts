/** Where Backstop is asked, and as whom. */
export interface Endpoint {
  /** Such as `https://risk.example.com/graphql`. */
  readonly url: string;
  /**
   * The token, without `Bearer`; asked for before every request and connection. `refused`: the last one was not taken, so
   * another one is needed.
   */
  token(refused: boolean): string | Promise<string>;
  /** A request without an answer by then counts as lost; above what the server allows itself. 30,000 unless said otherwise. */
  readonly timeoutMs?: number;
}

/** Codes of docs/errors.md that pass by themselves. */
const PASSING = new Set(['RATE_LIMITED', 'TIMEOUT', 'UNAVAILABLE', 'INTERNAL']);

/** A request that was not answered with data. */
export class RequestFailed extends Error {
  override readonly name = 'RequestFailed';
  /** Of docs/errors.md; `NETWORK` without an answer, `HTTP_502` and the like where it was not Backstop that answered. */
  readonly code: string;
  /** True: the same request may well succeed later. False: it was refused, and would be again. */
  readonly isPassing: boolean;
  /** How long the server wants to be left alone. */
  readonly retryAfterMs: number;

  constructor(
    code: string,
    message: string,
    more: { readonly status?: number; readonly retryAfterMs?: number; readonly cause?: unknown } = {},
  ) {
    super(`${code}: ${message}`, { cause: more.cause });
    const { status = 0, retryAfterMs = 0 } = more;
    this.code = code;
    this.isPassing = code === 'NETWORK' || PASSING.has(code) || [408, 429].includes(status) || status >= 500;
    this.retryAfterMs = retryAfterMs;
  }
}

interface GraphqlError {
  readonly message: string;
  readonly extensions?: { readonly code?: string; readonly retryAfterMs?: number };
}

interface GraphqlAnswer {
  readonly data?: unknown;
  readonly errors?: readonly GraphqlError[];
}

export function failureOf({ message, extensions }: GraphqlError, status = 200): RequestFailed {
  const { code = `HTTP_${status}`, retryAfterMs = 0 } = extensions ?? {};
  return new RequestFailed(code, message, { status, retryAfterMs });
}

/** One request. A token that is refused is asked for anew, once. */
export async function ask<Data>(
  endpoint: Endpoint,
  query: string,
  variables: Readonly<Record<string, unknown>> = {},
  signal?: AbortSignal,
): Promise<Data> {
  const body = JSON.stringify({ query, variables });
  try {
    return (await post(endpoint, body, false, signal)) as Data;
  } catch (failure) {
    if (!(failure instanceof RequestFailed) || failure.code !== 'UNAUTHENTICATED') throw failure;
    return (await post(endpoint, body, true, signal)) as Data;
  }
}

async function post(endpoint: Endpoint, body: string, refused: boolean, signal?: AbortSignal): Promise<unknown> {
  const { url, timeoutMs = 30_000 } = endpoint;
  let response: Response;
  let text: string;
  try {
    const authorization = `Bearer ${await endpoint.token(refused)}`;
    const limit = AbortSignal.timeout(timeoutMs);
    response = await fetch(url, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json' },
      body,
      signal: signal === undefined ? limit : AbortSignal.any([limit, signal]),
    });
    text = await response.text();
  } catch (cause) {
    signal?.throwIfAborted();
    throw new RequestFailed('NETWORK', 'there was no answer', { cause });
  }
  const { status } = response;
  const { data, errors = [] } = parsed(text);
  const [error] = errors;
  if (error !== undefined) throw failureOf(error, status);
  if (response.ok && data !== undefined && data !== null) return data;
  const retryAfterMs = 1000 * (Number(response.headers.get('retry-after')) || 0);
  throw new RequestFailed(`HTTP_${status}`, 'it was not Backstop that answered', { status, retryAfterMs });
}

/** What stands between may answer with anything. */
function parsed(text: string): GraphqlAnswer {
  try {
    const answer: unknown = JSON.parse(text);
    return typeof answer === 'object' && answer !== null ? answer : {};
  } catch {
    return {};
  }
}

const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 10_000;

/** How long to wait before the next try: what the server said, and a random part that doubles, so that not all come back at once. */
export function waitBefore(attempt: number, retryAfterMs = 0): number {
  return retryAfterMs + Math.random() * Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** attempt);
}

/** Resolves after that time, or at once when it is aborted. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
  });
}
