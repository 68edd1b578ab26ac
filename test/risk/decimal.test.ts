import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  Decimal,
  GRID,
  ONE,
  RATIO_LIMIT,
  ZERO,
  ceilFraction,
  ceilToGrid,
  clampedRatio,
  dec,
  floorFraction,
  floorToGrid,
  isAmountText,
  max,
  min,
  signOf,
  sum,
  truncatedFraction,
} from '../../src/risk/decimal.js';
import { amount, decimalText } from './arbitrary.js';
import { text } from './build.js';

type Divide = (n: Decimal, d: Decimal) => Decimal;

const anAmount = fc.oneof(amount, decimalText(20, 18).map(dec));
const divisor = anAmount.filter((x) => !x.isZero());

/** The definition, by multiplication alone: on the grid, not beyond n ÷ d, and less than a step before it. */
function truncates(divide: Divide): fc.IProperty<[Decimal, Decimal]> {
  return fc.property(anAmount, divisor, (n, d) => {
    const q = divide(n, d);
    expect(q.decimalPlaces()).toBeLessThanOrEqual(18);
    expect(q.abs().times(d.abs()).lte(n.abs())).toBe(true);
    expect(q.abs().plus(GRID).times(d.abs()).gt(n.abs())).toBe(true);
    expect(q.isZero() || signOf(q) === signOf(n) * signOf(d)).toBe(true);
  });
}

describe('truncatedFraction', () => {
  it.each([
    ['1', '3', '0.333333333333333333'],
    ['-1', '3', '-0.333333333333333333'],
    ['2', '-3', '-0.666666666666666666'],
    ['-2', '-3', '0.666666666666666666'],
    ['9', '3', '3'],
    ['0.000000000000000001', '2', '0'],
    ['-0.000000000000000001', '2', '0'],
    ['99999999999999999999.999999999999999999', '0.000000000000000001', '99999999999999999999999999999999999999'],
  ])('%s ÷ %s = %s', (n, d, q) => {
    expect(text(truncatedFraction(dec(n), dec(d)))).toBe(q);
  });

  it('is what it is defined as', () => {
    fc.assert(truncates(truncatedFraction), { numRuns: 1_000 });
  });

  it.each([
    ['a division with 20 digits', divideShort],
    ['half-even rounding', divideHalfEven],
    ['rounding to 17 places', divideCoarse],
  ] as const)('is not %s: the same property refuses it', (_name, wrong) => {
    expect(fc.check(truncates(wrong), { numRuns: 1_000 }).failed).toBe(true);
  });

  it('refuses to divide by 0', () => {
    expect(() => truncatedFraction(ONE, ZERO)).toThrow('division by zero');
  });
});

function divideShort(n: Decimal, d: Decimal): Decimal {
  const Short = Decimal.clone({ precision: 20, rounding: Decimal.ROUND_DOWN });
  return truncatedFraction(new Decimal(new Short(n).div(d).toFixed()), ONE);
}

function divideHalfEven(n: Decimal, d: Decimal): Decimal {
  return n.div(d).toDecimalPlaces(18, Decimal.ROUND_HALF_EVEN);
}

function divideCoarse(n: Decimal, d: Decimal): Decimal {
  return n.div(d).toDecimalPlaces(17, Decimal.ROUND_DOWN);
}

describe('directed fractions', () => {
  it.each([
    ['1', '3', '0.333333333333333333', '0.333333333333333334'],
    ['-1', '3', '-0.333333333333333334', '-0.333333333333333333'],
    ['1', '-3', '-0.333333333333333334', '-0.333333333333333333'],
    ['6', '3', '2', '2'],
    ['-6', '3', '-2', '-2'],
    ['-0.000000000000000001', '2', '-0.000000000000000001', '0'],
  ])('%s ÷ %s is between %s and %s', (n, d, floor, ceil) => {
    expect(text(floorFraction(dec(n), dec(d)))).toBe(floor);
    expect(text(ceilFraction(dec(n), dec(d)))).toBe(ceil);
  });

  it('enclose the exact fraction, tightly', () => {
    fc.assert(
      fc.property(anAmount, divisor, (n, d) => {
        const [floor, ceil] = [floorFraction(n, d), ceilFraction(n, d)];
        const side = signOf(d);
        expect(floor.times(d).minus(n).times(side).lte(0)).toBe(true);
        expect(ceil.times(d).minus(n).times(side).gte(0)).toBe(true);
        expect(ceil.minus(floor).lte(floor.times(d).eq(n) ? ZERO : GRID)).toBe(true);
      }),
    );
  });

  it('agree with rounding to the grid', () => {
    fc.assert(
      fc.property(anAmount, anAmount, (x, y) => {
        const product = x.times(y);
        expect(floorToGrid(product).eq(floorFraction(product, ONE))).toBe(true);
        expect(ceilToGrid(product).eq(ceilFraction(product, ONE))).toBe(true);
      }),
    );
  });
});

describe('arithmetic', () => {
  it('loses no digit of a product of ten amounts', () => {
    const longest = '9'.repeat(38);
    let product: Decimal = ONE;
    for (let factors = 0; factors < 10; factors += 1) product = product.times(dec(longest).times(GRID));
    const digits = product.toFixed().replace('.', '').replace(/^0+/, '');
    expect(digits).toBe((BigInt(longest) ** 10n).toString());
  });

  it('adds, compares, and knows 0 from a negative 0', () => {
    expect(text(sum([dec('0.1'), dec('0.2'), dec('-0.3')]))).toBe('0');
    expect(text(sum([]))).toBe('0');
    expect(text(min(dec('1'), dec('2')))).toBe('1');
    expect(text(max(dec('1'), dec('2')))).toBe('2');
    expect([dec('-2'), dec('0'), dec('0').neg(), dec('3')].map(signOf)).toEqual([-1, 0, 0, 1]);
  });
});

describe('clampedRatio', () => {
  it.each([
    ['2', '3', '0.666666666666666666'],
    ['0', '0', '0'],
    ['0', '5', '0'],
    ['1', '0', RATIO_LIMIT.toFixed()],
    ['-1', '0', RATIO_LIMIT.neg().toFixed()],
    ['10', '0.000000000000000001', RATIO_LIMIT.toFixed()],
    ['-10', '0.000000000000000001', RATIO_LIMIT.neg().toFixed()],
    ['1', '0.000000000000000001', '1000000000000000000'],
    ['-0.000000000000000001', '3', '0'],
  ])('%s over %s is %s', (n, d, ratio) => {
    expect(text(clampedRatio(dec(n), dec(d)))).toBe(ratio);
  });
});

describe('reading text', () => {
  it.each(['0', '-0.5', '007', '99999999999999999999.999999999999999999'])('takes %s', (plain) => {
    expect(dec(plain).eq(new Decimal(plain))).toBe(true);
    expect(isAmountText(plain)).toBe(true);
  });

  it.each(['', ' 1', '1 ', '+1', '1.', '.5', '1e3', 'NaN', 'Infinity', '-Infinity', '0x10', '1,000', '١', '--1'])(
    'refuses %j',
    (odd) => {
      expect(() => dec(odd)).toThrow('not plain decimal text');
      expect(isAmountText(odd)).toBe(false);
    },
  );

  it.each(['100000000000000000000', '0.0000000000000000001', '9'.repeat(40), '0'.repeat(65)])(
    'does not call %s an amount',
    (long) => {
      expect(isAmountText(long)).toBe(false);
    },
  );
});
