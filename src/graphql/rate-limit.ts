import { isIPv6 } from 'node:net';
import type { GraphQLError } from 'graphql';
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import { refusal } from './refusal.js';

/** Requests of one caller within so many seconds. */
export interface RateLimit {
  readonly requests: number;
  readonly seconds: number;
}

export interface RateLimiter {
  /** Counts one request of the caller; refuses it when it is one too many. */
  take(key: string): Promise<void>;
}

/** Kept in this process: of n processes behind a balancer each allows as much. */
export function createRateLimiter({ requests, seconds }: RateLimit): RateLimiter {
  const limiter = new RateLimiterMemory({ points: requests, duration: seconds });
  return {
    async take(key) {
      try {
        await limiter.consume(key);
      } catch (verdict) {
        if (!(verdict instanceof RateLimiterRes)) throw verdict;
        throw tooMany(Math.max(1, verdict.msBeforeNext));
      }
    },
  };
}

/** A token's subject, wherever it asks from; else where the request comes from. */
export function rateKeyOf(subject: string | null, address: string): string {
  return subject === null ? `address ${networkOf(address)}` : `subject ${subject}`;
}

/** Whoever has one address of IPv6 has a network of them: the first 64 bits count. */
function networkOf(address: string): string {
  if (!isIPv6(address) || address.startsWith('::ffff:')) return address;
  const [head = '', tail] = address.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - left.length - right.length);
  return [...left, ...Array.from({ length: zeros }, () => '0'), ...right].slice(0, 4).join(':');
}

function tooMany(retryAfterMs: number): GraphQLError {
  return refusal('RATE_LIMITED', `too many requests; try again in ${retryAfterMs} ms`, {
    status: 429,
    headers: { 'retry-after': String(Math.ceil(retryAfterMs / 1000)) },
    figures: { retryAfterMs },
  });
}
