import { createClient, type Client } from 'graphql-ws';
import WebSocket from 'ws';

/** A connection for streams. */
export function connectTo(url: string, authorization: string | null): Client {
  return createClient({
    url: url.replace(/^http/, 'ws'),
    webSocketImpl: WebSocket,
    retryAttempts: 0,
    ...(authorization !== null && { connectionParams: { authorization } }),
  });
}

/** What a stream tells, in order; `next` waits for the next value and throws what the stream ended with. */
export interface Listened {
  readonly told: unknown[];
  next(): Promise<Record<string, unknown>>;
  stop(): void;
  /** How the stream ended: null when it was completed. */
  readonly ended: Promise<unknown>;
}

export function listen(client: Client, query: string, variables: Record<string, unknown> = {}): Listened {
  const told: unknown[] = [];
  const waiting: (() => void)[] = [];
  let read = 0;
  let failure: { readonly error: unknown } | undefined;
  const wake = (): void => {
    for (const each of waiting.splice(0)) each();
  };
  let end: (value: unknown) => void = () => undefined;
  const ended = new Promise<unknown>((resolve) => {
    end = resolve;
  });
  const stop = client.subscribe(
    { query, variables },
    {
      next: ({ data, errors }) => {
        told.push(errors === undefined ? data : { errors });
        wake();
      },
      error: (error) => {
        failure = { error };
        end(error);
        wake();
      },
      complete: () => {
        end(null);
        wake();
      },
    },
  );
  return {
    told,
    stop,
    ended,
    async next() {
      while (told.length <= read) {
        if (failure !== undefined) throw failure.error as Error;
        await new Promise<void>((resolve) => waiting.push(resolve));
      }
      return told[read++] as Record<string, unknown>;
    },
  };
}

export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 5));
}
