import { readFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { packageRoot } from '../config.js';
import { dec, type Decimal } from '../risk/decimal.js';
import { addMilliseconds, type Instant } from '../risk/instant.js';
import { MARKETS, XRP_CANDLE, type DemoMarketId } from './parameters.js';

/** The marks of one minute. */
export interface Minute {
  readonly at: Instant;
  readonly marks: Readonly<Record<DemoMarketId, Decimal>>;
}

const MINUTE_MS = 60_000;
const pathFile = z.object({ prices: z.array(z.tuple([z.iso.datetime(), z.string()])) });

/** BTC as it was traded, minute by minute. */
export function readBtcMinutes(): readonly (readonly [at: string, price: string])[] {
  const file = path.join(packageRoot, 'data', '2025-10-10-btc-minutes.json');
  return pathFile.parse(JSON.parse(readFileSync(file, 'utf8'))).prices;
}

/** The crash: one entry a minute, the first at `start`. */
export function crashPath(start: Instant): Minute[] {
  const minutes = readBtcMinutes();
  return minutes.map(([, price], index) => {
    const btc = dec(price);
    const at = addMilliseconds(start, index * MINUTE_MS);
    return { at, marks: { BTCUSDT: btc, BTCUSD: btc, XRPUSDT: xrpAt(index, minutes.length - 1) } };
  });
}

/** What of its time passes between the first price and the last. */
export function crashLengthMs(): number {
  return (readBtcMinutes().length - 1) * MINUTE_MS;
}

/** From the candle's open straight to its low, from there straight to its close; down to a tick. */
export function xrpAt(minute: number, lastMinute: number): Decimal {
  const { open, low, close, lowAtMinute } = XRP_CANDLE;
  return minute <= lowAtMinute
    ? between(dec(open), dec(low), minute, lowAtMinute)
    : between(dec(low), dec(close), minute - lowAtMinute, lastMinute - lowAtMinute);
}

function between(from: Decimal, to: Decimal, step: number, steps: number): Decimal {
  const tick = dec(MARKETS.XRPUSDT.priceTick);
  // from + (to − from) · step / steps, counted in ticks by one whole division.
  const numerator = from.times(steps).plus(to.minus(from).times(step));
  return numerator.dividedToIntegerBy(tick.times(steps)).times(tick);
}
