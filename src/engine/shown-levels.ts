import type { Instant } from '../risk/instant.js';

/** The level of a position last published, and when. */
export interface ShownLevel {
  readonly level: number;
  readonly at: Instant;
}

export interface PositionName {
  readonly accountId: string;
  readonly marketId: string;
}

/** What a lap adds to the published levels, and takes from them. */
export interface LevelChanges {
  readonly changed: readonly (PositionName & { readonly level: number })[];
  readonly gone: readonly PositionName[];
}

/** The published levels of all positions. */
export class ShownLevels {
  readonly #byMarket = new Map<string, Map<string, ShownLevel>>();

  get({ accountId, marketId }: PositionName): ShownLevel | undefined {
    return this.#byMarket.get(marketId)?.get(accountId);
  }

  /** Of one market, by account. */
  of(marketId: string): ReadonlyMap<string, ShownLevel> {
    return this.#byMarket.get(marketId) ?? new Map<string, ShownLevel>();
  }

  set({ accountId, marketId }: PositionName, shown: ShownLevel): void {
    const market = this.#byMarket.get(marketId) ?? new Map<string, ShownLevel>();
    this.#byMarket.set(marketId, market);
    market.set(accountId, shown);
  }

  /** After the lap of that time has been committed, never before. */
  apply({ changed, gone }: LevelChanges, at: Instant): void {
    for (const { accountId, marketId } of gone) this.#byMarket.get(marketId)?.delete(accountId);
    for (const each of changed) this.set(each, { level: each.level, at });
  }
}
