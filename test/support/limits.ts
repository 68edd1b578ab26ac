import type { Limits } from '../../src/graphql/context.js';

/** Nothing that a busy machine could meet. */
export const NO_LIMITS: Limits = { introspection: true, requestTimeoutMs: 60_000, rate: null, trustedProxies: [] };
