import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { BackstopError } from '../../src/errors.js';
import { checkServer, closeSql, isoText, openSql } from '../../src/db/connect.js';
import { createTestDatabase } from '../support/database.js';
import type { TestDatabase } from '../support/database.js';

describe('a connection', () => {
  let db: TestDatabase;
  beforeAll(async () => {
    db = await createTestDatabase({ migrated: false });
  });
  afterAll(() => db.drop());

  it('brings numbers and times back without loss, as text', async () => {
    const [row] = await db.sql`
      select 12345678901234567890.000000000000000001::numeric(38, 18) as amount,
             9223372036854775807::int8 as id,
             '2025-10-10 23:20:00.000001+02'::timestamptz as at,
             array['0.10', '2'] :: numeric[] as amounts,
             array['2025-10-10 23:20:00+02'::timestamptz] as times,
             'infinity'::timestamptz as never`;
    expect(row).toEqual({
      amount: '12345678901234567890.000000000000000001',
      id: '9223372036854775807',
      at: '2025-10-10T21:20:00.000001Z',
      amounts: ['0.10', '2'],
      times: ['2025-10-10T21:20:00.000000Z'],
      never: 'infinity',
    });
  });

  it('takes and brings back arrays, with whatever is in them', async () => {
    const texts = ['', 'a', 'NULL', null, 'a,b', '{c}', '"d"', 'e\\f', 'g\nh', ' '];
    const [row] = await db.sql`
      select ${texts}::text[] as texts, ${['1', null]}::bigint[] as ids, ${[1, -2]}::integer[] as numbers,
             ${['0.10', '-2']}::numeric[] as amounts, ${[null, 'true']}::boolean[] as flags,
             ${[]}::text[] as none, null::text[] as missing, '[2:3]={a,b}'::text[] as placed`;
    expect(row).toEqual({
      texts,
      ids: ['1', null],
      numbers: [1, -2],
      amounts: ['0.10', '-2'],
      flags: [null, true],
      none: [],
      missing: null,
      placed: ['a', 'b'],
    });
  });

  it('takes times as ISO text, to the microsecond', async () => {
    const at = '2025-10-10T21:20:00.123456Z';
    const [row] = await db.sql`select ${at}::timestamptz as at, (${[at]}::timestamptz[])[1] as first`;
    expect(row).toEqual({ at, first: at });
  });

  it('knows its server', async () => {
    expect(await checkServer(db.sql)).toMatch(/^18\./);
  });
});

it('leaves text alone that is no time in UTC', () => {
  expect(isoText('2025-10-10 21:20:00+02')).toBe('2025-10-10 21:20:00+02');
  expect(isoText('2025-10-10')).toBe('2025-10-10');
});

it('says in one sentence that a server is out of reach, without the password', async () => {
  const sql = openSql('postgresql://someone:hidden@127.0.0.1:1/none', { max: 1 });
  const refusal = await checkServer(sql).then(
    () => undefined,
    (error: unknown) => error,
  );
  await closeSql(sql);
  expect(refusal).toBeInstanceOf(BackstopError);
  expect(refusal).toMatchObject({
    code: 'SETUP',
    message: 'The database cannot be reached: connect ECONNREFUSED 127.0.0.1:1.',
  });
});
