import type { AccountMargin } from '../book/account-margin.js';
import { compareTrouble } from '../risk/margin.js';
import { callMargin, isToBeReduced } from './call-margin.js';
import { coverDeficit, haltForBadDebt } from './cover-deficit.js';
import { deleverage } from './deleverage.js';
import type { Lap } from './lap.js';
import { liquidate } from './liquidate.js';
import type { LiquidationReason } from '../risk/outcome.js';
import { revalue, revalueChanged } from './revalue.js';

/** An account that the lap has to act on, and why. */
export interface Trouble {
  readonly accountId: string;
  readonly reason: LiquidationReason;
}

/**
 * Steps 1 and 2 of a lap: who stands where at the frozen prices, whose margin is called, and who is in trouble,
 * worst first. Step 0, the freezing of prices, is the state that the lap was made from.
 */
export function survey(lap: Lap): Trouble[] {
  revalue(lap);
  callMargin(lap);
  const found: { margin: AccountMargin; reason: LiquidationReason }[] = [];
  const inTrouble = [...lap.book.withStatus(['LIQUIDATABLE', 'BANKRUPT'])];
  for (const accountId of new Set([...inTrouble, ...lap.calls.keys()])) {
    const margin = lap.margin(accountId);
    const reason = troubleOf(lap, margin);
    if (reason !== null) found.push({ margin, reason });
  }
  found.sort((a, b) => compareTrouble(valued(a.margin), valued(b.margin)));
  return found.map(({ margin, reason }) => ({ accountId: margin.account.id, reason }));
}

/**
 * Steps 3 to 8: each account in trouble, one by one, goes down the waterfall; later accounts see what earlier ones
 * used. At most `accountsPerLap` are changed, and the next lap follows at once for the others. An account for which
 * nothing could be done does not count: else those that wait for depth would keep the lap from all behind them.
 */
export function act(lap: Lap, troubles: readonly Trouble[]): void {
  let acted = 0;
  for (const { accountId, reason } of troubles) {
    if (acted === lap.venue.accountsPerLap) {
      lap.outcome.more = true;
      break;
    }
    const before = sizeOf(lap);
    liquidate(lap, accountId, reason);
    deleverage(lap, accountId);
    if (reason === 'BANKRUPT') coverDeficit(lap, accountId);
    if (sizeOf(lap) > before) acted++;
  }
  haltForBadDebt(lap);
  revalueChanged(lap);
}

function sizeOf({ outcome }: Lap): number {
  return outcome.liquidations.length + outcome.events.length + outcome.covers.length;
}

function troubleOf(lap: Lap, { account, valuation, status, held }: AccountMargin): LiquidationReason | null {
  if (account.kind !== 'TRADER' || held || valuation === null) return null;
  const isTroubled = status === 'BANKRUPT' || status === 'LIQUIDATABLE';
  if (!isTroubled && !isToBeReduced(lap, account.id)) return null;
  // Nothing can be done where no market of it is live; a deficit without positions can always be covered.
  if (valuation.positions.length > 0 && !valuation.positions.some((position) => position.live)) return null;
  if (isTroubled) return status;
  return valuation.maintenance.gt(lap.venue.liquidationTarget.times(valuation.equity)) ? 'CALL_LAPSED' : null;
}

function valued(margin: AccountMargin): NonNullable<AccountMargin['valuation']> {
  if (margin.valuation === null) throw new Error(`${margin.account.id} cannot be valued`);
  return margin.valuation;
}
