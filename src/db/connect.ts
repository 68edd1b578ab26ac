import postgres from 'postgres';
import { BackstopError, messageOf } from '../errors.js';
import { formatArray, parseArray } from './array-text.js';
import type { ArrayElement } from './array-text.js';

export type Sql = postgres.Sql;
/** The connection of one open transaction. */
export type Tx = postgres.TransactionSql;
/** Either of them: what a function that only reads takes. */
export type Reader = postgres.ISql;

export interface ConnectOptions {
  readonly max?: number;
  /** Shown in pg_stat_activity. */
  readonly applicationName?: string;
  /** The server ends whatever statement runs for longer, whatever has become of this process; left out: it never does. */
  readonly statementTimeoutMs?: number;
}

const DEFAULT_CONNECTIONS = 10;
const CONNECT_SECONDS = 10;
const END_SECONDS = 5;
/** `transaction_timeout`, on which a frozen engine's lock depends, came with this version. */
const OLDEST_POSTGRES_MAJOR = 17;

const OID_DATE = 1082;
const OID_TIMESTAMP = 1114;
const OID_TIMESTAMPTZ = 1184;

/** Arrays that are read and written, by the number of their type. Those of other types come as text: cast them. */
const ARRAYS: Readonly<Record<string, readonly [oid: number, parseElement: (text: string) => ArrayElement]>> = {
  'boolean[]': [1000, (text) => text === 't'],
  'name[]': [1003, (text) => text],
  'smallint[]': [1005, (text) => Number.parseInt(text, 10)],
  'integer[]': [1007, (text) => Number.parseInt(text, 10)],
  'text[]': [1009, (text) => text],
  'varchar[]': [1015, (text) => text],
  'bigint[]': [1016, (text) => text],
  'timestamptz[]': [1185, isoText],
  'numeric[]': [1231, (text) => text],
};

/**
 * Rows come back without loss: numeric and int8 as decimal text, timestamptz as `2025-10-10T21:03:00.000000Z`.
 * Arrays of the types in ARRAYS come back as arrays. A JavaScript Date would drop the microseconds. Always six of them, so that text order is time order.
 */
export function openSql(url: string, options: ConnectOptions = {}): Sql {
  return postgres(url, {
    max: options.max ?? DEFAULT_CONNECTIONS,
    connect_timeout: CONNECT_SECONDS,
    // The driver would ask each new connection for the array types, and leave a rejection that nobody handles when the
    // server goes away meanwhile. It would also read NULL in an array as the text 'NULL'.
    fetch_types: false,
    onnotice: () => undefined,
    connection: {
      application_name: options.applicationName ?? 'backstop',
      TimeZone: 'UTC',
      DateStyle: 'ISO',
      ...(options.statementTimeoutMs !== undefined && { statement_timeout: options.statementTimeoutMs }),
    },
    types: { ...arrayTypes(), date: DATE_TYPE },
  }) as Sql;
}

const DATE_TYPE = {
  to: OID_TIMESTAMPTZ,
  from: [OID_DATE, OID_TIMESTAMP, OID_TIMESTAMPTZ],
  serialize: (value: unknown) => (value instanceof Date ? value.toISOString() : value),
  parse: isoText,
};

type ArrayType = postgres.PostgresType<readonly ArrayElement[] | string>;

function arrayTypes(): Record<string, ArrayType> {
  const types = Object.entries(ARRAYS).map(([name, [oid, parseElement]]): [string, ArrayType] => [
    name,
    {
      to: oid,
      from: [oid],
      serialize: (value: unknown) => (Array.isArray(value) ? formatArray(value as ArrayElement[]) : value),
      parse: (text: string) => parseArray<ArrayElement>(text, parseElement),
    },
  ]);
  return Object.fromEntries(types);
}

/** Ends after what is running, at the latest after a few seconds. */
export async function closeSql(sql: Sql): Promise<void> {
  await sql.end({ timeout: END_SECONDS });
}

/** `2025-10-10 21:03:00.5+00`, as the server writes it in UTC, to `2025-10-10T21:03:00.500000Z`; all else as it is. */
export function isoText(text: string): string {
  const parts = /^(\d{4,}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d+))?\+00$/.exec(text);
  if (parts === null) return text;
  const [, day = '', time = '', fraction = ''] = parts;
  return `${day}T${time}.${fraction.padEnd(6, '0')}Z`;
}

/** Refuses, in one sentence, a server that is out of reach or too old. Returns its version. */
export async function checkServer(sql: Sql): Promise<string> {
  let row: { number: string; version: string } | undefined;
  try {
    [row] = await sql<{ number: string; version: string }[]>`
      select current_setting('server_version_num') as number, current_setting('server_version') as version`;
  } catch (error) {
    // The driver names host and port, but never the password.
    throw new BackstopError('SETUP', `The database cannot be reached: ${messageOf(error)}.`, { cause: error });
  }
  const version = row?.version ?? 'unknown';
  const major = Math.floor(Number.parseInt(row?.number ?? '0', 10) / 10_000);
  if (major < OLDEST_POSTGRES_MAJOR) {
    throw new BackstopError(
      'SETUP',
      `The database runs PostgreSQL ${version}; Backstop needs ${OLDEST_POSTGRES_MAJOR} or newer.`,
    );
  }
  return version;
}
