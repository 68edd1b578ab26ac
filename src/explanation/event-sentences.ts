import type { EventFacts } from '../db/explanation-facts.js';
import type { DeleverageEventRow } from '../db/read-deleverage.js';
import type { LiquidationRow } from '../db/read-liquidations.js';
import { dec } from '../risk/decimal.js';
import { amount, contracts, count, isNegative, sideWord, time, withoutSign } from './wording.js';

/** Who reads it: a counterparty learns what became of its position and why, and nothing of who the bankrupt is. */
export type Told = 'ALL' | 'COUNTERPARTY';

/** The sentences that an event and each of its legs share. Every number in them is a stored one. */
export function eventSentences(facts: EventFacts, told: Told): string[] {
  return [
    told === 'ALL' ? whoAndWhen(facts) : when(facts),
    triggerSentence(facts),
    triedSentence(facts),
    priceSentence(facts),
  ];
}

function whoAndWhen({ event, market }: EventFacts): string {
  const position = `${contracts(event.sizeBefore)} ${sideWord(event.sizeBefore)}`;
  const equity = `${amount(event.equityBefore)} ${market.settlementAssetId}`;
  return (
    `ADL event ${event.id} in ${event.marketId}, ${time(event.at)}: the position of ${event.accountId} (${position}) had to be closed, ` +
    `because the account was bankrupt: equity ${equity}, against a maintenance of ${amount(event.maintenanceBefore)}.`
  );
}

function when({ event }: EventFacts): string {
  return (
    `ADL event ${event.id} in ${event.marketId}, ${time(event.at)}: a position (${contracts(event.sizeBefore)} ${sideWord(event.sizeBefore)}) ` +
    'had to be closed, because its account was bankrupt.'
  );
}

function triggerSentence({ event, market }: EventFacts): string {
  const window = event.fundAllowanceBefore === null ? '' : `, its window leaving ${amount(event.fundAllowanceBefore)}`;
  return (
    `${isTriggered(event) ? `Trigger ${event.triggerMetric}` : `Not by ${event.triggerMetric}, for the fund could pay, but for want of buyers`}: at the mark ${amount(event.markPrice)} the position was worth ${amount(event.markValue)} ` +
    `${market.settlementAssetId}, ${amount(event.deficit)} short of its bankruptcy value ${amount(event.bankruptcyValue)}; the insurance fund ` +
    `${market.insuranceFundId} held ${amount(event.fundBalanceBefore)}, might pay ${amount(event.fundMayPay)}${window}, and paid ${amount(event.fundPaid)}.`
  );
}

/** Whether the fund could not pay: else the part that no depth took was left to counterparties all the same. */
export function isTriggered({ fundMayPay, deficit }: Pick<DeleverageEventRow, 'fundMayPay' | 'deficit'>): boolean {
  const left = dec(fundMayPay);
  return left.lt(dec(deficit)) || left.isZero();
}

const STOPPED_BY: Readonly<Record<LiquidationRow['stoppedBy'], string>> = {
  TARGET: 'it reached its target',
  DEPTH: 'it ended where the recorded depth ended',
  DEVIATION: 'it ended where the next level lay too far from the mark',
  FUND: 'it ended where the next lot was worse than the bankruptcy price and the fund could not pay for it',
};

function triedSentence({ event, market, liquidation, fills }: EventFacts): string {
  if (liquidation === null) return 'Tried before: no liquidation in this lap.';
  const book = isNegative(liquidation.sizeBefore) ? 'ask' : 'bid';
  const depth = event.depthSize === null ? '' : `, ${contracts(event.depthSize)} of depth`;
  const seen =
    event.bestPrice === null
      ? `nothing left of the recorded depth to ${isNegative(liquidation.sizeBefore) ? 'buy from' : 'sell into'}`
      : `a best ${book} of ${amount(event.bestPrice)}${depth}`;
  const fund = isNegative(liquidation.fundDelta) ? 'paid' : 'earned';
  return (
    `Tried before: a ${liquidation.kind === 'FULL' ? 'full' : 'partial'} liquidation (${liquidation.reason}) of ${contracts(liquidation.target)} ` +
    `saw ${seen}; it closed ${amount(liquidation.closed)} in ${count(fills.length, 'fill')} for ${amount(liquidation.closeValue)} ` +
    `${market.settlementAssetId}, of which the fund ${fund} ${withoutSign(liquidation.fundDelta)}; ${STOPPED_BY[liquidation.stoppedBy]}.`
  );
}

function priceSentence({ event, market }: EventFacts): string {
  const whole = `${amount(event.priceValue)} ${market.settlementAssetId} for the whole position`;
  if (event.priceBasis === 'MARK') return `Price, basis MARK: the mark ${amount(event.markPrice)}, ${whole}.`;
  const worth = `(bankruptcy value ${amount(event.bankruptcyValue)} − fund's ${amount(event.fundPaid)})`;
  const held = `(${amount(event.sizeBefore)} contracts × ${amount(market.contractSize)})`;
  const formula = market.payoff === 'LINEAR' ? `${worth} ÷ ${held}` : `−${held} ÷ ${worth}`;
  const price = event.price === null ? 'no positive price' : amount(event.price);
  const result = event.clamped
    ? `, too far from the mark ${amount(event.markPrice)} and therefore moved to ${price}`
    : ` = ${price}`;
  return `Price, basis BANKRUPTCY: ${formula}${result}, ${whole}.`;
}
