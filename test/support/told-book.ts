import type { Book } from '../../src/book/book.js';
import { entriesOf } from '../../src/risk/ranking.js';

const STATUSES = ['HEALTHY', 'WARNING', 'MARGIN_CALL', 'LIQUIDATABLE', 'BANKRUPT'] as const;

/** All that a book answers, as text: two books that say the same tell the same. */
export function told(book: Book): string[] {
  const ids = [...book.accountIds()];
  const lines = [`accounts ${ids.join(' ')}`, `counts ${JSON.stringify(book.counts())}`];
  lines.push(`held ${book.heldIds().join(' ')}`, `exempt ${book.exemptIds().join(' ')}`);
  lines.push(`moved ${[...book.moved()].join(' ')}`);
  for (const status of STATUSES) lines.push(`${status} ${[...book.withStatus([status])].join(' ')}`);
  for (const id of ids) {
    const margin = book.margin(id);
    const { equity, maintenance, initial } = margin?.valuation ?? {};
    lines.push(`glance ${JSON.stringify(book.glance(id))}`);
    const figures = [equity, maintenance, initial].map((figure) => figure?.toFixed() ?? '-').join(' ');
    lines.push(`${id} ${margin?.status ?? '-'} ${String(margin?.held)} ${figures}`);
  }
  for (const marketId of book.markets.keys()) {
    const { size, longPositions, shortPositions } = book.openInterest(marketId);
    lines.push(`${marketId} ${size.toFixed()} ${String(longPositions)} ${String(shortPositions)}`);
    for (const side of ['LONG', 'SHORT'] as const) lines.push(...toldRanking(book, marketId, side));
  }
  for (const { accountId, marketId, distance } of book.nearLiquidation(book.markets.keys())) {
    lines.push(`${accountId} ${marketId} from liquidation ${distance?.toFixed() ?? '-'}`);
  }
  return lines;
}

function toldRanking(book: Book, marketId: string, side: 'LONG' | 'SHORT'): string[] {
  const ranking = book.ranking(marketId, side);
  const { id, queueLength, queueSize } = ranking;
  const levels = ranking.levelSizes().map((size) => size.toFixed());
  const others = book.unranked(marketId, side);
  return [
    `${marketId} ${side} ${id} ${String(queueLength)} ${queueSize.toFixed()} levels ${levels.join(' ')}`,
    `rests on ${[...ranking.restsOn()].sort().join(' ')}; not ranked: ${others.join(' ')}`,
    ...[...entriesOf(ranking)].map((entry) => {
      const found = ranking.entryOf(entry.accountId);
      const place = `${String(entry.rank)} ${String(found?.rank)} ${ranking.accountAt(entry.rank)}`;
      const level = `${String(entry.level)} ${String(ranking.levelAt(entry.rank))}`;
      const score = `${entry.score.value?.toFixed() ?? '-'} ${entry.score.profitRatio.toFixed()}`;
      return `${place} ${entry.size.toFixed()} ${entry.sizeAhead.toFixed()} ${level} ${score}`;
    }),
  ];
}
