import { describe, expect, it } from '@jest/globals';
import { isoText } from '../../src/db/connect.js';
import { openRow, parseAmount, readId, readInstant, readText } from '../../src/ingest/parse.js';

const PLACE = { rowIndex: 3 };

describe('amounts', () => {
  it.each([
    ['0', '0'],
    ['-0', '0'],
    ['007', '7'],
    ['-1.50', '-1.5'],
    ['99999999999999999999.999999999999999999', '99999999999999999999.999999999999999999'],
    ['0.000000000000000001', '0.000000000000000001'],
  ])('%s is read exactly', (text, expected) => {
    expect(parseAmount(PLACE, 'amount', text, 'ANY').toFixed()).toBe(expected);
  });

  it.each([
    ['an exponent', '1e5'],
    ['a large exponent', '1e999999999'],
    ['a number in JSON', 1.5],
    ['not a number', 'NaN'],
    ['not a number in JSON', NaN],
    ['infinity', 'Infinity'],
    ['40 digits', '1234567890123456789012345678901234567890'],
    ['21 digits before the point', '100000000000000000000'],
    ['19 digits after the point', '0.0000000000000000001'],
    ['a sign of plus', '+1'],
    ['no digit before the point', '.5'],
    ['no digit after the point', '5.'],
    ['a space', ' 1'],
    ['a line end', '1\n'],
    ['a comma', '1,5'],
    ['hexadecimal', '0x10'],
    ['other digits', '١'],
    ['nothing', ''],
    ['null', null],
    ['undefined', undefined],
    ['a big integer', 5n],
    ['an object', { toString: () => '5' }],
  ])('refuses %s', (_, value) => {
    expect(() => parseAmount(PLACE, 'amount', value, 'ANY')).toThrow(
      expect.objectContaining({ code: 'BAD_INPUT', rowIndex: 3, field: 'amount' }),
    );
  });

  it.each([
    ['0', 'POSITIVE'],
    ['-1', 'POSITIVE'],
    ['-0.000000000000000001', 'NOT_NEGATIVE'],
    ['0.000', 'NOT_ZERO'],
    ['-0', 'NOT_ZERO'],
  ] as const)('refuses %s where it must be %s', (text, range) => {
    expect(() => parseAmount(PLACE, 'amount', text, range)).toThrow(expect.objectContaining({ code: 'BAD_INPUT' }));
  });

  it('quotes what it refuses, cut short', () => {
    expect(() => parseAmount(PLACE, 'amount', '9'.repeat(10_000), 'ANY')).toThrow(
      expect.objectContaining({ message: expect.stringMatching(/^amount: "9{59}… is no amount/) as unknown }),
    );
  });
});

describe('times', () => {
  const read = (at: unknown): string | null => readInstant(openRow({ at }, ['at'], 0), 'at');

  it.each([
    ['2025-10-10T21:03:00Z', '2025-10-10T21:03:00.000000Z'],
    ['2025-10-10T21:03:00.5Z', '2025-10-10T21:03:00.500000Z'],
    ['2025-10-10T21:03:00.123456Z', '2025-10-10T21:03:00.123456Z'],
    ['2025-10-10T23:03:00.000001+02:00', '2025-10-10T21:03:00.000001Z'],
    ['2025-12-31T23:59:59-00:30', '2026-01-01T00:29:59.000000Z'],
    ['2024-02-29T00:00:00Z', '2024-02-29T00:00:00.000000Z'],
    ['2025-10-10T21:03:00.000000Z', isoText('2025-10-10 21:03:00+00')],
  ])('%s is %s', (text, expected) => {
    expect(read(text)).toBe(expected);
  });

  it('is null when not given', () => {
    expect(read(undefined)).toBeNull();
    expect(read(null)).toBeNull();
  });

  it.each([
    '2025-02-30T00:00:00Z',
    '2025-02-29T00:00:00Z',
    '2025-10-10T24:00:00Z',
    '2025-10-10T21:60:00Z',
    '2025-10-10T21:03:60Z',
    '2025-10-10T21:03:00',
    '2025-10-10T21:03:00+99:00',
    '2025-10-10 21:03:00Z',
    '2025-10-10',
    '2025-10-10T21:03:00.1234567Z',
    '0000-01-01T00:00:00+01:00',
    'now',
    '',
    1760130180,
  ])('refuses %s', (value) => {
    expect(() => read(value)).toThrow(expect.objectContaining({ code: 'BAD_INPUT', field: 'at', rowIndex: 0 }));
  });
});

describe('ids and texts', () => {
  it.each(['a', 'BTC-USDT', '0x', 'acct:1.2_3', 'a'.repeat(64)])('takes the id %s', (id) => {
    expect(readId(openRow({ id }, ['id']), 'id')).toBe(id);
  });

  it.each(['', '-a', ':a', 'a b', 'a\n', 'ä', 'a'.repeat(65), 7, null, undefined])('refuses the id %s', (id) => {
    expect(() => readId(openRow({ id }, ['id']), 'id')).toThrow(
      expect.objectContaining({ code: 'BAD_INPUT', field: 'id' }),
    );
  });

  it.each(['', '  ', 'a\u0000b', 'two\nlines', 'x'.repeat(501), 5])('refuses the text %j', (reason) => {
    expect(() => readText(openRow({ reason }, ['reason']), 'reason')).toThrow(
      expect.objectContaining({ code: 'BAD_INPUT' }),
    );
  });

  it('refuses a field that does not exist, so that a misspelt one is noticed', () => {
    expect(() => openRow({ id: 'a', buyerfee: '1' }, ['id', 'buyerFee'], 2)).toThrow(
      expect.objectContaining({ code: 'BAD_INPUT', field: 'buyerfee', rowIndex: 2 }),
    );
  });

  it.each([null, undefined, 'x', 5, []])('refuses %j as a row', (row) => {
    expect(() => openRow(row, ['id'], 2)).toThrow(expect.objectContaining({ code: 'BAD_INPUT', rowIndex: 2 }));
  });
});
