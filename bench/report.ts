import { writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { packageRoot } from '../src/config.js';
import type { LapTimes } from './laps.js';
import type { PanelTimes } from './panel.js';
import type { RankingTimes } from './ranking.js';
import type { Times } from './timing.js';

export interface Report {
  readonly positions: number;
  readonly seed: number;
  readonly postgres: string;
  readonly laps: LapTimes;
  readonly ranking: RankingTimes;
  readonly panel: PanelTimes;
}

/** Prints the results and writes docs/benchmarks.md. */
export async function writeReport(report: Report): Promise<void> {
  const text = render(report);
  process.stdout.write(text);
  await writeFile(path.join(packageRoot, 'docs/benchmarks.md'), text);
}

function render({ positions, seed, postgres, laps, ranking, panel }: Report): string {
  const [cpu] = cpus();
  const row = (name: string, t: Times, beside = ''): string =>
    `| ${name} | ${ms(t.medianMs)} | ${ms(t.p99Ms)} | ${String(t.runs)} | ${beside} |`;
  const ratio = (a: Times, b: Times): string => `${(b.medianMs / a.medianMs).toFixed(1)} times as fast as the view`;
  return `# Benchmarks

Written by \`npm run bench -- --positions ${String(positions)} --seed ${String(seed)}\` on ${new Date().toISOString().slice(0, 10)}:
${String(cpus().length)} cores (${cpu?.model.trim() ?? 'unknown'}), Node ${process.version}, embedded PostgreSQL ${postgres} with syncing to disk on.
Client, service and database share the cores. Every result is checked before it is told: the crash lap leaves
\`invariant_violations\` empty and deleverages exactly the accounts it should, both rankings agree entry by entry.

${String(positions)} positions of ${String(laps.accountIds.length)} accounts in two markets.

| work | median | p99 | runs | beside |
|---|---|---|---|---|
${row('a lap with nothing to do, nothing moved', laps.idle)}
${row('a lap with nothing to do, the price of a market moved', laps.moving)}
${row(`a lap with ${String(laps.bankruptcies)} bankruptcies and ${String(laps.legs)} ADL legs, committed`, laps.crash, `${laps.legsPerSecond.toFixed(0)} legs a second`)}
${row('all margins and ranks, state in memory', ranking.inMemory, ratio(ranking.inMemory, ranking.view))}
${row('all margins and ranks, state read from the database', ranking.fromNothing, ratio(ranking.fromNothing, ranking.view))}
${row('the same ranks as plain SQL (view adl_queue)', ranking.view, '1')}

The trader's panel (margin, positions, lights of one account) over HTTP, ${String(panel.connections)} connections for ${String(panel.seconds)} s while the
job runs on its interval: ${panel.requestsPerSecond.toFixed(0)} a second, median ${ms(panel.medianMs)}, p99 ${ms(panel.p99Ms)}.
`;
}

function ms(x: number): string {
  return `${x < 10 ? x.toFixed(1) : x.toFixed(0)} ms`;
}
