import type { Reader } from '../db/connect.js';
import { readGauges } from '../db/read-gauges.js';
import type { Metrics } from './metrics.js';

/** The figures of the whole service, which every process tells alike. */
export function watchDatabase(metrics: Metrics, reader: Reader): void {
  metrics.onCollect(async ({ jobOverdue, priceAge, fundBalance, chainPending }) => {
    for (const gauge of [priceAge, fundBalance, chainPending]) gauge.reset();
    jobOverdue.remove();
    const { overdueSeconds, prices, funds, pending } = await readGauges(reader);
    jobOverdue.set(overdueSeconds);
    for (const { marketId, ageSeconds } of prices)
      if (ageSeconds !== null) priceAge.set({ market: marketId }, ageSeconds);
    for (const { fundId, balance } of funds) fundBalance.set({ fund: fundId }, balance);
    for (const { chain, rows } of pending) chainPending.set({ chain }, rows);
  });
}
