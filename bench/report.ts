import { writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import process from 'node:process';
import type { BookTimes } from './book-times.js';
import type { CrashTimes } from './crash.js';
import type { LapTimes } from './laps.js';
import type { ServiceTimes } from './served.js';
import type { Times } from './timing.js';

export interface SizeReport {
  readonly positions: number;
  readonly accounts: number;
  readonly crash: CrashTimes;
  readonly laps: LapTimes;
  readonly book: BookTimes;
  readonly service: ServiceTimes;
}

export interface Circumstances {
  readonly seed: number;
  readonly postgres: string;
  readonly out: string;
}

type Row = readonly [work: string, of: (report: SizeReport) => string];

const ROWS: readonly Row[] = [
  ['the book from the database into an empty process', ({ book }) => both(book.load)],
  ['margin status of all, every price moved', ({ book }) => both(book.margins)],
  ['… beside the view `margin_status`', ({ book }) => beside(book.margins, book.marginView)],
  ['all ranks, sizes ahead and levels', ({ book }) => both(book.ranks)],
  ['… beside the view `adl_queue`', ({ book }) => beside(book.ranks, book.rankView)],
  [
    'a price recorded until its new ranks are answered',
    ({ service }) => `${both(service.visible)}, ${count(service.visibleMarketPositions)} positions in the market`,
  ],
  ['a lap with nothing to do, nothing moved', ({ laps }) => both(laps.idle)],
  ['a lap with nothing to do, the price of a market moved', ({ laps }) => both(laps.moving)],
  [
    'a lap of bankruptcies, committed',
    ({ crash }) =>
      `${both(crash.times)}: ${count(crash.bankruptcies)} accounts, ${count(crash.legs)} legs` +
      ` (${count(crash.positions)} positions)`,
  ],
  ['… ADL legs committed a second', ({ crash }) => count(crash.legsPerSecond)],
  [
    'the trader’s panel over HTTP, laps running',
    ({ service: { panel } }) =>
      `${count(panel.requestsPerSecond)} a second, ${ms(panel.medianMs)} / ${ms(panel.p99Ms)}`,
  ],
  [
    'a round committed until the last of 1,000 WebSockets is told of it',
    ({ service: { fanOut } }) => both(fanOut.times),
  ],
  ['trades recorded a second, laps running', ({ service }) => count(service.tradesPerSecond)],
  [
    'resident memory of the process that serves and runs the laps',
    ({ service, positions }) =>
      `${count(service.residentMb)} MB, ${count((service.residentMb * 1024 * 1024) / positions)} bytes a position`,
  ],
];

/** Prints the results and writes the page. */
export async function writeReport(reports: readonly SizeReport[], circumstances: Circumstances): Promise<void> {
  const text = render(reports, circumstances);
  process.stdout.write(text);
  await writeFile(circumstances.out, text);
}

function render(reports: readonly SizeReport[], { seed, postgres }: Circumstances): string {
  const [cpu] = cpus();
  const sizes = reports.map(({ positions }) => String(positions)).join(',');
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const rows = ROWS.map(([work, of]) => line([work, ...reports.map(of)]));
  return `# Benchmarks

Written by \`npm run bench -- --positions ${sizes} --seed ${String(seed)}\` on ${new Date().toISOString().slice(0, 10)}:
${String(cpus().length)} cores (${cpu?.model.trim() ?? 'unknown'}), Node ${process.version}, embedded PostgreSQL ${postgres} with syncing to disk on.
Client, service and database share the cores. Times are median / p99; with few runs the p99 is the slowest one.

Each venue is one that \`backstop generate\` makes. The crash is measured on one of its own, of at most 100,000 positions in two
markets, of which at most 500 accounts are bankrupt at the price that comes. Every result is checked before it is told: the crash lap
deleverages exactly the accounts it should and leaves sizes that sum to zero (up to 20,000 positions also an empty
\`invariant_violations\`), ranks, levels, sizes ahead and scores of the
book are those of the view \`adl_queue\`, to the last digit.

${line(['work', ...reports.map(({ positions, accounts }) => `${count(positions)} positions, ${count(accounts)} accounts`)])}
${line(['---', ...reports.map(() => '---')])}
${rows.join('\n')}

The panel is margin, positions and lights of one of 500 accounts, asked for by ten connections for ten seconds. A view reads its
rows from the database and values all accounts each time; the book has them in memory, and its ranks are made of margins at hand.
`;
}

function both(times: Times): string {
  return `${ms(times.medianMs)} / ${ms(times.p99Ms)}`;
}

function beside(ours: Times, theirs: Times): string {
  return `${ms(theirs.medianMs)}: ${(theirs.medianMs / ours.medianMs).toFixed(0)} times as long`;
}

function ms(x: number): string {
  return x >= 10_000 ? `${(x / 1000).toFixed(1)} s` : `${x < 10 ? x.toFixed(1) : x.toFixed(0)} ms`;
}

function count(x: number): string {
  return Math.round(x).toLocaleString('en-US');
}
