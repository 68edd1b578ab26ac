import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { GRID, dec } from '../../src/risk/decimal.js';
import { amountRequired, meetsCall } from '../../src/risk/margin-call.js';
import { amount, positiveAmount } from './arbitrary.js';
import { VENUE, text } from './build.js';

const margin = (equity: string, maintenance: string) => ({ equity: dec(equity), maintenance: dec(maintenance) });

describe('a margin call', () => {
  it('asks for maintenance ÷ 0.66 − equity, up', () => {
    expect(text(amountRequired(margin('100', '85'), VENUE))).toBe('28.787878787878787879');
    expect(text(amountRequired(margin('100', '66'), VENUE))).toBe('0');
    expect(text(amountRequired(margin('100', '10'), VENUE))).toBe('0');
  });

  it('is met at a ratio of 0.66, not above', () => {
    expect(meetsCall(margin('100', '66'), VENUE)).toBe(true);
    expect(meetsCall(margin('100', '66.000000000000000001'), VENUE)).toBe(false);
    expect(meetsCall(margin('0', '0'), VENUE)).toBe(true);
    expect(meetsCall(margin('-1', '0'), VENUE)).toBe(false);
  });

  it('is met by just the amount that it asks for', () => {
    fc.assert(
      fc.property(amount, positiveAmount, (equity, maintenance) => {
        const required = amountRequired({ equity, maintenance }, VENUE);
        expect(meetsCall({ equity: equity.plus(required), maintenance }, VENUE)).toBe(true);
        if (required.isZero()) return;
        expect(meetsCall({ equity: equity.plus(required).minus(GRID), maintenance }, VENUE)).toBe(false);
      }),
    );
  });
});
