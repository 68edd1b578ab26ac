import type { AssetCheck, CallTotals, MarketTotals, WidestEvent } from '../db/replay-report.js';
import { dec, min, type Decimal } from '../risk/decimal.js';
import { MARKETS } from './parameters.js';
import type { Minute } from './path.js';
import { MARKET_IDS } from './venue-lines.js';

export interface ReplayFacts {
  readonly path: readonly Minute[];
  readonly accounts: string;
  readonly calls: CallTotals;
  readonly markets: readonly MarketTotals[];
  readonly widest: WidestEvent | undefined;
  readonly assets: readonly AssetCheck[];
  readonly sizes: readonly { readonly marketId: string; readonly sum: string }[];
  readonly violations: readonly string[];
}

/** What a replay prints: the same text from run to run. */
export function renderReport(facts: ReplayFacts): string {
  const sections = [introduction(facts), callLine(facts.calls), marketTable(facts.markets)];
  if (facts.widest !== undefined) sections.push(widestLines(facts.widest));
  sections.push(checkLines(facts));
  return `${sections.join('\n\n')}\n`;
}

/** Why the replay does not hold; empty when it does. */
export function faultsOf({
  violations,
  sizes,
  assets,
}: Pick<ReplayFacts, 'violations' | 'sizes' | 'assets'>): string[] {
  const open = sizes
    .filter(({ sum }) => !dec(sum).isZero())
    .map(({ marketId, sum }) => `Σ size of ${marketId} is ${sum}`);
  const moved = assets
    .filter(({ atOpening, now, badDebt }) => !dec(now).eq(dec(atOpening).plus(dec(badDebt))))
    .map(({ assetId }) => `the money in ${assetId} is not conserved`);
  return [...violations, ...open, ...moved];
}

function introduction({ path, accounts }: ReplayFacts): string {
  const [first, last] = [path[0], path.at(-1)];
  if (first === undefined || last === undefined) throw new Error('the path is empty');
  const prices = MARKET_IDS.map((marketId) => {
    const marks = path.map((minute) => minute.marks[marketId]);
    const lowest = marks.reduce((a: Decimal, b: Decimal) => min(a, b));
    return `${marketId.padEnd(8)} ${first.marks[marketId].toFixed()}, low ${lowest.toFixed()}, last ${last.marks[marketId].toFixed()}`;
  });
  const [from, to] = [first.at.slice(0, 16), last.at.slice(0, 16)];
  return [
    `The crash of 2025-10-10, ${path.length} minutes from ${from}Z to ${to}Z, ${accounts} accounts`,
    ...prices,
  ].join('\n');
}

function callLine({ met, lapsedByDeadline, lapsedByLiquidation, open }: CallTotals): string {
  const lapsed = BigInt(lapsedByDeadline) + BigInt(lapsedByLiquidation);
  const how = `${lapsedByDeadline} at the deadline, ${lapsedByLiquidation} because the account became liquidatable`;
  return `Margin calls: ${met} met, ${lapsed.toString()} lapsed (${how}), ${open} still open`;
}

const LINES: readonly (readonly [label: string, of: (market: MarketTotals) => string])[] = [
  ['amounts in', (m) => m.assetId],
  ['partial liquidations', (m) => m.partialLiquidations],
  ['full liquidations', (m) => m.fullLiquidations],
  ['  contracts liquidated', (m) => m.liquidatedContracts],
  ['surplus to the fund', (m) => m.surplusToFund],
  ['drawn from the fund', (m) => m.drawnFromFund],
  ['fund at its lowest', (m) => m.fundLowest],
  ['fund at the end', (m) => m.fundAtEnd],
  ['ADL events', (m) => m.events],
  ['  legs', (m) => m.legs],
  ['  contracts deleveraged', (m) => m.deleveragedContracts],
  ['  conceded', (m) => m.conceded],
  ['  skipped: NON_OVERLAPPING_BANKRUPTCY', (m) => m.skippedBankrupt],
  ['  skipped: WOULD_BREACH_MARGIN', (m) => m.skippedBreach],
  ['closed at mark: legs', (m) => m.legsAtMark],
  ['  contracts', (m) => m.contractsAtMark],
  ['bad debt', (m) => m.badDebt],
  ['open contracts at the end', (m) => m.openContracts],
];

function marketTable(markets: readonly MarketTotals[]): string {
  const ordered = MARKET_IDS.flatMap((marketId) => markets.filter((market) => market.marketId === marketId));
  const rows = [
    ['', ...ordered.map((market) => market.marketId)],
    ...LINES.map(([label, of]) => [label, ...ordered.map(of)]),
  ];
  const widths = ['', ...ordered].map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  '),
  );
  const rule = widths.map((width) => '-'.repeat(width)).join('  ');
  return [lines[0], rule, ...lines.slice(1)].join('\n');
}

function widestLines(event: WidestEvent): string {
  const { settlementAssetId } = MARKETS[event.marketId as keyof typeof MARKETS];
  const part = event.isLastPartial
    ? `${event.lastClosed} of its ${event.lastSize} contracts`
    : `all of its ${event.lastSize} contracts`;
  return [
    `The widest ADL: ${event.accountId} in ${event.marketId} at ${event.at.slice(11, 16)}, ${event.size} contracts at ${event.price} (mark ${event.mark})`,
    `  deficit ${event.deficit} ${settlementAssetId}, of which the fund paid ${event.fundPaid}; ${event.counterparties} counterparties, the last one ${event.lastAccountId} with ${part}`,
  ].join('\n');
}

function checkLines(facts: ReplayFacts): string {
  const sizes = facts.sizes.map(({ marketId, sum }) => `${marketId} ${sum}`).join(', ');
  const money = facts.assets.map(
    ({ assetId, balances, costs, atOpening, now, badDebt }) =>
      `  ${assetId}: balances ${balances} - costs ${costs} = ${now} = ${atOpening} at the opening + ${badDebt} bad debt`,
  );
  const faults = faultsOf(facts);
  return [
    'Checked:',
    `  sum of sizes: ${sizes}`,
    ...money,
    `  invariant_violations: ${facts.violations.length === 0 ? 'none' : String(facts.violations.length)}`,
    ...faults.map((fault) => `  FAULT ${fault}`),
  ].join('\n');
}
