import fc from 'fast-check';

/** Connections that write past the service, each in long transactions of its own. */
export const RAW_WRITERS = 3;
export const FOLLOW_NAMES = ['ann', 'ben', 'cat', 'dan', 'eve', 'fay'];
export const FOLLOW_MARKETS = ['BTCUSDT', 'ETHUSDT'];

/** One thing that happens while the book is followed. Steps through the service may wait for those past it. */
export type FollowStep =
  | {
      readonly kind: 'trade';
      readonly market: number;
      readonly buyer: number;
      readonly seller: number;
      readonly lots: number;
    }
  | { readonly kind: 'exempt'; readonly who: number; readonly isEnd: boolean }
  | { readonly kind: 'close'; readonly market: number; readonly who: number }
  | { readonly kind: 'transfer'; readonly who: number; readonly amount: number }
  | { readonly kind: 'price'; readonly market: number; readonly price: number }
  | { readonly kind: 'confirm'; readonly market: number }
  | { readonly kind: 'status'; readonly market: number; readonly halt: boolean }
  | { readonly kind: 'brackets' | 'policy'; readonly market: number; readonly variant: number }
  | { readonly kind: 'venue'; readonly variant: number }
  | { readonly kind: 'newAccount' | 'newMarket' | 'lap' }
  | { readonly kind: 'begin' | 'commit' | 'rollback' | 'savepoint' | 'rollbackTo'; readonly writer: number }
  | {
      readonly kind: 'rawBalance' | 'rawPosition' | 'rawClose' | 'rawOpen';
      readonly writer: number;
      readonly who: number;
      readonly market: number;
    }
  | { readonly kind: 'refresh' | 'restart' | 'cut' | 'hold' };

const market = fc.nat({ max: 2 });
const who = fc.nat({ max: 7 });
const writer = fc.nat({ max: RAW_WRITERS - 1 });

const throughTheService: fc.Arbitrary<FollowStep> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('trade' as const),
      market,
      buyer: who,
      seller: who,
      lots: fc.integer({ min: 1, max: 40 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('close' as const), market, who }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('exempt' as const), who, isEnd: fc.boolean() }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('transfer' as const), who, amount: fc.integer({ min: -200, max: 900 }) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('price' as const), market, price: fc.integer({ min: 60, max: 140 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('confirm' as const), market }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('status' as const), market, halt: fc.boolean() }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constantFrom('brackets' as const, 'policy' as const),
      market,
      variant: fc.nat({ max: 3 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('venue' as const), variant: fc.nat({ max: 3 }) }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constantFrom('newAccount' as const, 'newMarket' as const, 'lap' as const) }),
  },
);

const pastTheService: fc.Arbitrary<FollowStep> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        'begin' as const,
        'begin' as const,
        'begin' as const,
        'commit' as const,
        'rollback' as const,
        'savepoint' as const,
        'rollbackTo' as const,
      ),
      writer,
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constantFrom('rawBalance' as const, 'rawPosition' as const, 'rawClose' as const, 'rawOpen' as const),
      writer,
      who,
      market,
    }),
  },
);

const ofTheFollower: fc.Arbitrary<FollowStep> = fc.oneof(
  { weight: 6, arbitrary: fc.constant<FollowStep>({ kind: 'refresh' }) },
  { weight: 2, arbitrary: fc.constant<FollowStep>({ kind: 'hold' }) },
  { weight: 1, arbitrary: fc.constantFrom<FollowStep>({ kind: 'restart' }, { kind: 'cut' }) },
);

export const followPlan: fc.Arbitrary<FollowStep[]> = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: throughTheService },
    { weight: 5, arbitrary: pastTheService },
    { weight: 4, arbitrary: ofTheFollower },
  ),
  { minLength: 30, maxLength: 70, size: 'max' },
);
