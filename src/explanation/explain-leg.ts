import type { EventFacts } from '../db/explanation-facts.js';
import type { DeleverageLegRow } from '../db/read-deleverage.js';
import { dec } from '../risk/decimal.js';
import { toldToTrader } from '../risk/ranking.js';
import { eventSentences, type Told } from './event-sentences.js';
import { amount, contracts, isNegative, sideWord, time, withoutSign } from './wording.js';

/** Why this account, why this much and why at this price. Pure: the same rows give the same sentences. */
export function explainLeg(facts: EventFacts, leg: DeleverageLegRow, told: Told): string {
  return [
    ...eventSentences(facts, told),
    rankSentence(facts, leg, told),
    shownSentence(leg),
    closeSentence(facts, leg),
  ].join('\n');
}

/** The leg in one line, for a list of them. */
export function legLine(facts: EventFacts, leg: DeleverageLegRow): string {
  const rank = leg.rank === null ? 'no rank' : `rank ${leg.rank}`;
  const stage = leg.stage === 'DELEVERAGE' ? 'at the price' : 'at the mark';
  return (
    `${leg.ordinal}. ${leg.accountId} (${rank}): ${amount(leg.sizeClosed)} of ${contracts(leg.sizeBefore)} ` +
    `${stage} ${priceOf(leg)}, concession ${amount(leg.concession)} ${facts.market.settlementAssetId}`
  );
}

function rankSentence({ event, skips }: EventFacts, leg: DeleverageLegRow, told: Told): string {
  if (leg.rank === null || leg.queueLength === null || leg.sizeAhead === null) {
    const isExempt = skips.some(({ accountId, reason }) => accountId === leg.accountId && reason === 'EXEMPT');
    const why = isExempt ? ', being exempt from auto-deleveraging' : '';
    return `Rank: ${leg.accountId} was no candidate of the queue${why}; it was taken as the last resort, at the mark, where nobody concedes.`;
  }
  const place = `Rank: ${leg.accountId} was ${leg.rank} of ${leg.queueLength} ${event.side === 'LONG' ? 'longs' : 'shorts'}`;
  const ahead =
    told === 'ALL' ? contracts(leg.sizeAhead) : `about ${contracts(toldToTrader(dec(leg.sizeAhead)).toFixed())}`;
  return `${place}, with ${ahead} ahead; ${scoreClause(leg)}.`;
}

function scoreClause({ scoreName, scoreValue, profitRatio, leverage }: DeleverageLegRow): string {
  if (profitRatio === null) return `score ${scoreName} not recorded`;
  if (scoreValue === null || leverage === null) {
    return `no score ${scoreName}, since its equity was not positive (profit ratio ${amount(profitRatio)})`;
  }
  const sign = isNegative(profitRatio) ? '÷' : '×';
  return `score ${scoreName} ${amount(scoreValue)} = profit ratio ${amount(profitRatio)} ${sign} leverage ${amount(leverage)}`;
}

function shownSentence({ levelShown, levelShownAt }: DeleverageLegRow): string {
  if (levelShown === null || levelShownAt === null)
    return 'Shown before: no level had been published for this position.';
  return `Shown before: level ${levelShown} of 5, published ${time(levelShownAt)}.`;
}

function closeSentence({ market }: EventFacts, leg: DeleverageLegRow): string {
  const asset = market.settlementAssetId;
  const why =
    leg.stage === 'DELEVERAGE' ? 'at the price' : 'at the mark, since nobody could lawfully take more at the price:';
  const equity =
    leg.equityBefore === null || leg.equityAfter === null
      ? 'its equity was not known'
      : `equity from ${amount(leg.equityBefore)} to ${amount(leg.equityAfter)}`;
  return (
    `Closed: ${amount(leg.sizeClosed)} of its ${contracts(leg.sizeBefore)} ${sideWord(leg.sizeBefore)}, ${why} ${priceOf(leg)}, ` +
    `worth ${amount(leg.value)} ${asset} against ${amount(leg.markValue)} at the mark: ${concessionClause(leg, asset)}; ` +
    `realized PnL ${amount(leg.realizedPnl)}, ${contracts(leg.sizeAfter)} left; ${equity}.`
  );
}

function concessionClause({ concession }: DeleverageLegRow, asset: string): string {
  const size = `${withoutSign(concession)} ${asset}`;
  return isNegative(concession) ? `${size} gained, nothing conceded` : `${size} conceded`;
}

function priceOf({ price }: DeleverageLegRow): string {
  return price === null ? '(no positive price)' : amount(price);
}
